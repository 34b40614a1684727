import type { Authorizer } from "@sqlite-aio/worker";
import type { AuthorizerSpec, FunctionSpec } from "@sqlite-aio/worker/wire";
import type { Callbacks } from "../thread/callbacks.js";
import { boolean, checkOptions, integer, moduleUrl } from "../options/connect-options.js";

/** A function called from SQL; it must return a value that binds, not a promise. */
export type SqlFunction = (...args: never[]) => unknown;

/** Options of `createFunction()`. */
export interface FunctionOptions {
  /** The same arguments always give the same result; lets SQLite call it less often, and use it in an index. */
  deterministic?: boolean | undefined;
  /** Only for SQL of the application, never from a schema; see https://sqlite.org/c3ref/c_deterministic.html. */
  directOnly?: boolean | undefined;
  /** For a module: which export. Default `"default"`. */
  export?: string | undefined;
}

/** See https://sqlite.org/c3ref/create_function.html. */
const MAX_NAME_BYTES = 255;

/** Checks a definition. Throws TypeError or RangeError. */
export function checkFunction(
  name: string,
  parameters: number,
  fn: SqlFunction | URL,
  options: FunctionOptions,
): void {
  if (typeof name !== "string" || name === "" || name.includes("\0")) {
    throw new TypeError("the name of a function must be a string that is not empty");
  }
  if (!name.isWellFormed()) throw new TypeError("the name of a function holds a lone surrogate");
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw new RangeError(`the name of a function can have at most ${MAX_NAME_BYTES} bytes`);
  }
  if (integer(parameters, "parameters", -1, -1) > 100) {
    throw new RangeError("a function can have at most 100 parameters");
  }
  checkOptions(options, ["deterministic", "directOnly", "export", "innocuous"]);
  boolean(options.deterministic, "deterministic");
  boolean(options.directOnly, "directOnly");
  if (typeof fn === "function") return;
  moduleUrl(fn, "the function's module");
  exportName(options.export);
}

/** Checks a definition, and keeps its closure. Throws TypeError or RangeError. */
export function functionSpec(
  name: string,
  parameters: number,
  fn: SqlFunction | URL,
  options: FunctionOptions,
  closures: Callbacks,
): FunctionSpec {
  checkFunction(name, parameters, fn, options);
  const { deterministic = false, directOnly = false } = options;
  const source =
    typeof fn === "function"
      ? { closure: closures.add(fn) }
      : { module: moduleUrl(fn, "the function's module"), export: exportName(options.export) };
  return { name, parameters: parameters ?? -1, deterministic, directOnly, source };
}

/** Checks an authorizer, and keeps its closure. */
export function authorizerSpec(
  authorizer: Authorizer | URL | null,
  options: { export?: string },
  closures: Callbacks,
): AuthorizerSpec | null {
  checkOptions(options, ["export"]);
  if (authorizer === null) return null;
  if (typeof authorizer === "function") return { closure: closures.add(authorizer) };
  return { module: moduleUrl(authorizer, "the authorizer's module"), export: exportName(options.export) };
}

function exportName(name: unknown): string {
  if (name === undefined) return "default";
  if (typeof name !== "string") throw new TypeError('option "export" must be a string');
  return name;
}
