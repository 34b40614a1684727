import { types } from "node:util";
import {
  classOf,
  DataError,
  NotSupportedError,
  OperationalError,
  PrimaryError,
  ProgrammingError,
  SqliteError,
} from "../../errors/errors.js";
import { isInstance } from "../../errors/is-instance.js";

/** Errors of connecting: nothing was sent. */
const NEVER_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** SQLite's extended codes of constraints, found by the message: the server does not send them. */
const CONSTRAINTS: readonly (readonly [RegExp, string])[] = [
  [/^UNIQUE /, "SQLITE_CONSTRAINT_UNIQUE"],
  [/^NOT NULL /, "SQLITE_CONSTRAINT_NOTNULL"],
  [/^CHECK /, "SQLITE_CONSTRAINT_CHECK"],
  [/^FOREIGN KEY /, "SQLITE_CONSTRAINT_FOREIGNKEY"],
  [/^cannot store /, "SQLITE_CONSTRAINT_DATATYPE"],
];

/** The prefix that a forwarding server puts before the primary's message. It does not send the primary's code. */
const FORWARDED = /^error executing a request on the primary: /;

/** The error of a request without an answer; `fetch()` was rejected with `error`. */
export function noAnswer(error: unknown, url: URL, timeout: number): PrimaryError {
  const details = { cause: error };
  for (let cause: unknown = error; typeof cause === "object" && cause !== null; ) {
    const { code, name } = cause as { code?: unknown; name?: unknown };
    if (NEVER_SENT.has(String(code))) {
      const message = `the primary at ${url.host} could not be reached (${String(code)}); the call was not begun`;
      return new PrimaryError(message, "not-started", details);
    }
    if (name === "TimeoutError") {
      const message = `the primary at ${url.host} has not answered within ${timeout} ms; the call may have done its work`;
      return new PrimaryError(message, "unknown", details);
    }
    cause = Reflect.get(cause, "cause");
  }
  const message = `the connection to the primary at ${url.host} was lost; the call may have done its work`;
  return new PrimaryError(message, "unknown", details);
}

/** Maps an error of the Hrana client. */
export function remoteError(error: unknown, sql: string | undefined): unknown {
  if (!types.isNativeError(error)) return error;
  if (isInstance(error, SqliteError)) return withSql(error, sql);
  const { name, message } = error;
  // The cause of a ClosedError says why the stream has ended.
  if (name === "ClosedError" && error.cause !== undefined) return remoteError(error.cause, sql);
  const details = { sql, cause: error };
  if (name === "ResponseError") return refused(String(Reflect.get(error, "code")), message, details);
  if (name === "HttpServerError") return httpError(Number(Reflect.get(error, "status")), message, details);
  return new PrimaryError(`the primary's answer cannot be read (${message})`, "unknown", details);
}

interface Details {
  readonly sql: string | undefined;
  readonly cause: unknown;
}

/** Maps an error that the server has sent as its answer. */
function refused(code: string, text: string, details: Details): SqliteError {
  const message = text
    .replace(FORWARDED, "")
    .replace(/^SQLite error: |^SQL input error: |^SQL string could not be parsed: /, "");
  // For a parameter, the server sends the code of wrong arguments.
  if (message.endsWith("string or blob too big")) {
    return new DataError("string or blob too big", { ...details, code: "SQLITE_TOOBIG" });
  }
  // A forwarding server has lost its connection to the primary.
  if (message.startsWith("cannot commit - no transaction is active")) return transactionLost(details);
  switch (code) {
    case "PROXY_ERROR":
    case "SQLITE_CONSTRAINT": {
      const extended = CONSTRAINTS.find(([pattern]) => pattern.test(message))?.[1];
      if (extended !== undefined) return new (classOf(extended))(message, { ...details, code: extended });
      return code === "PROXY_ERROR"
        ? new OperationalError(message, details)
        : new (classOf(code))(message, { ...details, code });
    }
    case "SQL_PARSE_ERROR":
      if (message.startsWith("unsupported statement")) return notAtPrimary(message, details);
      return new OperationalError(message, details);
    case "SQLITE_UNKNOWN":
    case "SQL_INPUT_ERROR":
      return new OperationalError(message, details);
    case "SQL_MANY_STATEMENTS":
    case "SQL_NO_STATEMENT":
    case "ARGS_INVALID":
    case "ARGS_BOTH_POSITIONAL_AND_NAMED":
      return new ProgrammingError(message, { ...details, code: "SQLITE_MISUSE" });
    case "RESPONSE_TOO_LARGE":
      return new DataError("the rows are more than the primary sends at a time: read them in parts", {
        ...details,
        code: "SQLITE_TOOBIG",
      });
    case "TRANSACTION_TIMEOUT":
    case "STREAM_EXPIRED":
      return transactionLost(details);
    case "TRANSACTION_BUSY":
      return new OperationalError(message, { ...details, code: "SQLITE_BUSY" });
    case "AUTH_REJECTED":
    case "UNAUTHORIZED":
      return unauthorized(message, details);
    default:
      if (code.startsWith("SQLITE_")) return new (classOf(code))(message, { ...details, code });
      return new OperationalError(message, details);
  }
}

function httpError(status: number, message: string, details: Details): SqliteError {
  if (status === 401 || status === 403) return unauthorized(message, details);
  // The server does not know the stream any more, so its transaction is rolled back.
  if (status === 400) return transactionLost(details);
  if (status === 413) {
    return new DataError("the statement is more than the primary takes at a time", {
      ...details,
      code: "SQLITE_TOOBIG",
    });
  }
  return new PrimaryError(`the primary has failed (${message})`, "unknown", details);
}

function unauthorized(message: string, details: Details): OperationalError {
  return new OperationalError(`the primary has refused the token (${message})`, {
    ...details,
    code: "SQLITE_AIO_PRIMARY_UNAUTHORIZED",
  });
}

/** Whether an error says that a table does not exist. */
export function isNoSuchTable(error: unknown): boolean {
  return isInstance(error, SqliteError) && error.message.startsWith("no such table");
}

/** The error of a transaction that the server has ended and rolled back. */
export function transactionLost(
  details: { sql?: string | undefined; cause?: unknown } = {},
): OperationalError {
  const error = new OperationalError(
    "the primary has rolled the transaction back: it was idle for too long, held the lock for more than 5 s while others waited, or an earlier error has ended it",
    { ...details, code: "SQLITE_ABORT_ROLLBACK" },
  );
  return Object.assign(error, { rolledBack: true });
}

/** The error of a call that a primary does not support. */
export function notAtPrimary(
  what: string,
  details: { sql?: string | undefined; cause?: unknown } = {},
): NotSupportedError {
  return new NotSupportedError(what, { ...details, code: "SQLITE_AIO_CLUSTER" });
}

function withSql(error: SqliteError, sql: string | undefined): SqliteError {
  if (sql === undefined || error.sql !== undefined) return error;
  const { message, code, cause } = error;
  if (isInstance(error, PrimaryError)) return new PrimaryError(message, error.outcome, { code, sql, cause });
  return error;
}
