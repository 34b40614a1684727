import { messageOf } from "@sqlite-aio/worker/wire";

/**
 * Wraps a trace callback. As in CPython, its error does not fail the statement. It is called while a reply is read,
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
