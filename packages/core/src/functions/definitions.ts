import type { Authorizer } from "@sqlite-aio/worker";
import type { CollationSpec, FunctionSpec, Source, TableSpec } from "@sqlite-aio/worker/wire";
import { capabilities, needsNative } from "../capabilities.js";
import { boolean, checkOptions, integer, moduleUrl } from "../options/connect-options.js";
import { isUrl } from "../options/database-path.js";
import type { Callbacks } from "../thread/callbacks.js";
import { type AggregateClass, aggregateClosure } from "./aggregate-groups.js";
import { type Collation, collationClosure } from "./collation.js";

/** A function called from SQL; it must return a value that binds, not a promise. */
export type SqlFunction = (...args: never[]) => unknown;

/** The export of a module to use. */
export interface ExportOptions {
  /** For a module: name of the export. Default `"default"`. Refused beside a closure. */
  export?: string | undefined;
}

/** Options of `createFunction()`, `createAggregate()` and `createWindowFunction()`. */
export interface FunctionOptions extends ExportOptions {
  /** The same arguments always give the same result. SQLite may then call it less often, and use it in an index. */
  deterministic?: boolean | undefined;
  /**
   * May be called from the application's SQL only, not from the schema; see
   * https://sqlite.org/c3ref/c_deterministic.html.
   */
  directOnly?: boolean | undefined;
  /**
   * It has no side effects and reveals nothing, so an untrusted schema may call it: in an index, a CHECK, a generated
   * column, a view. Needs `@sqlite-aio/native`.
   */
  innocuous?: boolean | undefined;
}

/** See https://sqlite.org/c3ref/create_function.html. */
const MAX_NAME_BYTES = 255;

const MODULE = "the function's module";

/** The kind of function. */
type Kind = FunctionSpec["kind"];

/** Checks a definition. Throws TypeError, RangeError, or NotSupportedError. */
export function checkFunction(
  kind: Kind,
  name: string,
  parameters: number,
  fn: SqlFunction | AggregateClass | URL | null,
  options: FunctionOptions,
): void {
  checkName(name, "function");
  if (integer(parameters, "parameters", -1, -1) > 100) {
    throw new RangeError("a function can have at most 100 parameters");
  }
  checkOptions(options, ["deterministic", "directOnly", "export", "innocuous"]);
  boolean(options.deterministic, "deterministic");
  boolean(options.directOnly, "directOnly");
  const innocuous = boolean(options.innocuous, "innocuous");
  checkSource(fn, options, kind);
  if (innocuous && !capabilities.functions) throw needsNative('option "innocuous"');
}

/** Checks a definition and registers its closure; null removes the function. */
export function functionSpec(
  kind: Kind,
  name: string,
  parameters: number,
  fn: SqlFunction | AggregateClass | URL | null,
  options: FunctionOptions,
  closures: Callbacks,
): FunctionSpec {
  checkFunction(kind, name, parameters, fn, options);
  const { deterministic = false, directOnly = false, innocuous = false } = options;
  const closure = (given: SqlFunction | AggregateClass): SqlFunction =>
    kind === "function" ? (given as SqlFunction) : aggregateClosure(given as AggregateClass);
  const source = sourceOf(fn, options, closures, closure);
  return { kind, name, parameters: parameters ?? -1, deterministic, directOnly, innocuous, source };
}

/** Checks a collation. Throws TypeError, RangeError, or NotSupportedError. */
export function checkCollation(name: string, fn: Collation | URL | null, options: ExportOptions): void {
  checkName(name, "collation");
  checkOptions(options, ["export"]);
  checkSource(fn, options, "collation");
  if (!capabilities.collations) throw needsNative("createCollation()");
}

/** Checks a collation and registers its closure; null removes it. */
export function collationSpec(
  name: string,
  fn: Collation | URL | null,
  options: ExportOptions,
  closures: Callbacks,
): CollationSpec {
  checkCollation(name, fn, options);
  const source = sourceOf(fn, options, closures, (given) => collationClosure(name, given));
  return { kind: "collation", name, source };
}

/** Checks a module's table. Throws TypeError or RangeError. */
export function tableSpec(name: string, module: URL, options: ExportOptions): TableSpec {
  checkName(name, "table");
  checkOptions(options, ["export"]);
  return {
    kind: "table",
    name,
    source: { module: moduleUrl(module, "the table's module"), export: exportName(options.export) },
  };
}

/** Checks an authorizer and registers its closure. Throws TypeError or NotSupportedError. */
export function authorizerSource(
  authorizer: Authorizer | URL | null,
  options: ExportOptions,
  closures: Callbacks,
): Source | null {
  checkOptions(options, ["export"]);
  checkSource(authorizer, options, "authorizer");
  if (!capabilities.authorizer) throw needsNative("setAuthorizer()");
  return sourceOf(authorizer, options, closures, (given: Authorizer) => given);
}

function checkName(name: string, what: string): void {
  if (typeof name !== "string" || name === "" || name.includes("\0")) {
    throw new TypeError(`the name of a ${what} must be a string that is not empty`);
  }
  if (!name.isWellFormed()) throw new TypeError(`the name of a ${what} holds a lone surrogate`);
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw new RangeError(`the name of a ${what} can have at most ${MAX_NAME_BYTES} bytes`);
  }
}

function checkSource(fn: unknown, options: ExportOptions, kind: Kind | "collation" | "authorizer"): void {
  const ofClass = kind === "aggregate" || kind === "window";
  const what = ofClass ? "class" : "function";
  const defined = kind === "window" ? "window function" : kind;
  if (fn === null || typeof fn === "function") {
    if (options.export !== undefined)
      throw new TypeError(
        `option "export" goes with the URL of a module, not with ${fn === null ? "null" : `a ${what}`}`,
      );
    if (ofClass && fn !== null && !isClass(fn)) throw new TypeError(`the ${defined} must be a class`);
    return;
  }
  if (!isUrl(fn))
    throw new TypeError(
      `the ${defined} must be a ${what}, null, or the URL of a module: new URL("./file.js", import.meta.url)`,
    );
  exportName(options.export);
}

/** Whether `new` accepts it. An arrow function, for example, would only fail with the first group. */
function isClass(fn: object): boolean {
  try {
    Reflect.construct(Object, [], fn as () => void);
    return true;
  } catch {
    return false;
  }
}

function sourceOf(
  fn: SqlFunction | AggregateClass | URL | null,
  options: ExportOptions,
  closures: Callbacks,
  closure: (fn: never) => SqlFunction,
): Source | null {
  if (fn === null) return null;
  if (typeof fn === "function") return { closure: closures.add(closure(fn as never)) };
  return { module: moduleUrl(fn, MODULE), export: exportName(options.export) };
}

function exportName(name: unknown): string {
  if (name === undefined) return "default";
  if (typeof name !== "string") throw new TypeError('option "export" must be a string');
  return name;
}
