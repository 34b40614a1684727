import { codeOf, errorOf } from "@sqlite-aio/worker/wire";
import { OperationalError, WorkerCrashedError } from "../errors/errors.js";
import { isInstance } from "../errors/is-instance.js";

const NOT_FOUND = new Set(["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND", "ERR_UNSUPPORTED_RESOLVE_REQUEST"]);

/**
 * Maps the error that a starting thread died of. If the thread did not find its own code, or a part of it, the program
 * was bundled without it, and the message says how to fix that.
 */
export function orMissingEntry(error: unknown): unknown {
  if (!isInstance(error, WorkerCrashedError)) return error;
  const cause = errorOf(error.cause);
  // A bundler may copy the file to a place where `import` is a syntax error.
  const missing = NOT_FOUND.has(codeOf(cause)) || cause.name === "SyntaxError";
  if (!missing) return error;
  return new OperationalError(
    `a thread did not find the code that it runs (${cause.message}). In a bundled program: mark @sqlite-aio/core ` +
      "external, or pass createWorker: (url, options) => new Worker(file, options), where the file is a copy or the " +
      "path of @sqlite-aio/worker/entry.cjs",
    { code: "SQLITE_AIO_ENTRY_MISSING", cause },
  );
}
