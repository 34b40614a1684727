import { inspect, types } from "node:util";
import type { Callback } from "./calls/arguments.js";
import { Database } from "./database/database.js";
import { Statement } from "./statement/statement.js";

const DATABASE_METHODS = ["prepare", "get", "run", "all", "each", "map", "close", "exec"];
const STATEMENT_METHODS = ["bind", "get", "run", "all", "each", "map", "reset", "finalize"];

type Methods = Record<string, Callback>;

let tracing = false;

/** From now on the stack of an error that a callback gets also shows the call, with its arguments. */
export function traceCalls(): void {
  if (tracing) return;
  tracing = true;
  for (const name of DATABASE_METHODS)
    traceMethod(Database.prototype as unknown as Methods, "Database", name);
  for (const name of STATEMENT_METHODS)
    traceMethod(Statement.prototype as unknown as Methods, "Statement", name);
}

function traceMethod(prototype: Methods, className: string, name: string): void {
  const traced = prototype[name]!;
  prototype[name] = function (this: unknown, ...given: unknown[]): unknown {
    const callback = given.at(-1);
    if (typeof callback !== "function") return traced.apply(this, given);
    const origin: { stack?: string } = {};
    Error.captureStackTrace(origin, prototype[name]);
    const shown = given.map((value) => inspect(value, false, 0)).join(", ");
    given[given.length - 1] = function (this: unknown, ...results: unknown[]): unknown {
      augment(results[0], `${className}#${name}(${shown})`, origin);
      return (callback as Callback).apply(this, results);
    };
    return traced.apply(this, given);
  };
}

const augmented = new WeakSet<object>();

function augment(error: unknown, call: string, origin: { stack?: string }): void {
  if (!types.isNativeError(error) || augmented.has(error)) return;
  augmented.add(error);
  const own = error.stack?.split("\n").filter((line) => !line.includes(__filename)) ?? [];
  const from = origin.stack?.split("\n").slice(1) ?? [];
  error.stack = [...own, `--> in ${call}`, ...from].join("\n");
}
