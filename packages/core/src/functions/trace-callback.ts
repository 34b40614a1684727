import { messageOf } from "@sqlite-aio/worker/wire";

/**
 * A trace callback that may throw: as in CPython its error is not the statement's. It is called while a reply is read,
 * whose other answers must not be lost.
 */
export function traceCallback(callback: (sql: string) => void): (sql: string) => void {
  return (sql) => {
    try {
      callback(sql);
    } catch (error) {
      process.emitWarning(`the trace callback threw: ${messageOf(error)}`, {
        code: "SQLITE_AIO_TRACE_CALLBACK",
      });
    }
  };
}
