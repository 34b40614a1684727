import { messageWithoutKeys, withoutKeys } from "@sqlite-aio/worker/sql";
import type { Fault } from "@sqlite-aio/worker/wire";

/** Details of an error besides its message. */
export interface ErrorDetails {
  /** SQLite's extended result code, such as `SQLITE_CONSTRAINT_UNIQUE`. */
  code?: string | undefined;
  /** Text of the statement; never its parameters. */
  sql?: string | undefined;
  /** The cause of the error. */
  cause?: unknown;
}

/** A warning, as in PEP 249: not a subclass of {@link SqliteError}. */
export class Warning extends Error {
  /** The class's. */
  override readonly name: string = "Warning";
}

/** Base of all errors of this package, `Error` in aiosqlite. */
export class SqliteError extends Error {
  /** The class's. */
  override readonly name: string = "SqliteError";
  /** SQLite's extended result code; see https://sqlite.org/rescode.html. */
  readonly code: string;
  /** Text of the statement that failed, without its parameters; `***` replaces the key of an encrypted database. */
  readonly sql: string | undefined;
  /** SQLite has rolled back the open transaction because of this error. */
  readonly rolledBack: boolean = false;
  /** For executemany: index of the parameter set that failed. */
  readonly parameterSet: number | undefined = undefined;

  constructor(message: string, { code = "SQLITE_ERROR", sql, cause }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.sql = sql === undefined ? undefined : withoutKeys(sql);
  }
}

/** An error of the interface rather than of the database: SQLITE_MISUSE, SQLITE_RANGE. */
export class InterfaceError extends SqliteError {
  override readonly name: string = "InterfaceError";
}

/** An error of the database. The class itself is used for a corrupt file, or one that is no database. */
export class DatabaseError extends SqliteError {
  override readonly name: string = "DatabaseError";
}

/** A value that cannot be stored: it is too big, or no valid Unicode. */
export class DataError extends DatabaseError {
  override readonly name: string = "DataError";
}

/** An error outside the program's control: locks, disk, interruption, SQL that the database refuses. */
export class OperationalError extends DatabaseError {
  override readonly name: string = "OperationalError";
}

/** A constraint of the schema is violated. */
export class IntegrityError extends DatabaseError {
  override readonly name: string = "IntegrityError";
}

/** An internal error of SQLite. */
export class InternalError extends DatabaseError {
  override readonly name: string = "InternalError";
}

/** A wrong call: the number of parameters, a handle used where it may not be. */
export class ProgrammingError extends DatabaseError {
  override readonly name: string = "ProgrammingError";
}

/** The engine does not support this, or an optional package is missing. */
export class NotSupportedError extends DatabaseError {
  override readonly name: string = "NotSupportedError";
}

/** The engine is not installed, or not for this system. The message says how to fix it. */
export class EngineMissingError extends NotSupportedError {
  override readonly name: string = "EngineMissingError";

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { ...details, code: "SQLITE_AIO_ENGINE_MISSING" });
  }
}

/** The connection or pool is closed. */
export class ConnectionClosedError extends OperationalError {
  override readonly name: string = "ConnectionClosedError";

  constructor(message = "Connection closed", details: ErrorDetails = {}) {
    super(message, { code: "SQLITE_AIO_CLOSED", ...details });
  }
}

/** Whether a call whose thread died had begun. */
export type CrashOutcome = "not-started" | "unknown";

/** The thread died. If `outcome` is `"unknown"`, the call may have taken effect. */
export class WorkerCrashedError extends OperationalError {
  override readonly name: string = "WorkerCrashedError";
  /** Whether the call may have taken effect. */
  readonly outcome: CrashOutcome;

  constructor(message: string, outcome: CrashOutcome, details: ErrorDetails = {}) {
    super(message, { code: "SQLITE_AIO_CRASHED", ...details });
    this.outcome = outcome;
  }
}

/** @internal The error of a call whose thread died of `cause`. */
export function threadDied(cause: Error, outcome: CrashOutcome): WorkerCrashedError {
  const work = outcome === "unknown" ? "the call may have done its work" : "the call had not begun";
  const message = `the connection's thread died (${cause.message}); ${work}`;
  return new WorkerCrashedError(message, outcome, { cause });
}

/** @internal The error of a write on a connection that only reads. */
export function readOnly(sql?: string): OperationalError {
  return new OperationalError("attempt to write a readonly database", { code: "SQLITE_READONLY", sql });
}

/** The primary of a cluster did not answer. If `outcome` is `"unknown"`, the call may have taken effect. */
export class PrimaryError extends OperationalError {
  override readonly name: string = "PrimaryError";
  /** Whether the call may have taken effect. A call that is `"not-started"` can be repeated. */
  readonly outcome: CrashOutcome;

  constructor(message: string, outcome: CrashOutcome, details: ErrorDetails = {}) {
    super(message, {
      code: outcome === "unknown" ? "SQLITE_AIO_PRIMARY_LOST" : "SQLITE_AIO_PRIMARY_UNREACHABLE",
      ...details,
    });
    this.outcome = outcome;
  }
}

/** No connection became free within `acquireTimeout` milliseconds. */
export class PoolTimeoutError extends OperationalError {
  override readonly name: string = "PoolTimeoutError";

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "SQLITE_AIO_POOL_TIMEOUT", ...details });
  }
}

/** `maxQueue` calls or `maxWaiting` callers are waiting already. */
export class QueueFullError extends OperationalError {
  override readonly name: string = "QueueFullError";

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "SQLITE_AIO_QUEUE_FULL", ...details });
  }
}

type ErrorClass = new (message: string, details?: ErrorDetails) => SqliteError;

/** CPython's mapping (get_exception_class in Modules/_sqlite/util.c). Other codes are a DatabaseError. */
const BY_PRIMARY_CODE: Readonly<Record<string, ErrorClass>> = {
  SQLITE_INTERNAL: InternalError,
  SQLITE_NOTFOUND: InternalError,
  SQLITE_NOMEM: OperationalError,
  SQLITE_ERROR: OperationalError,
  SQLITE_PERM: OperationalError,
  SQLITE_ABORT: OperationalError,
  SQLITE_BUSY: OperationalError,
  SQLITE_LOCKED: OperationalError,
  SQLITE_READONLY: OperationalError,
  SQLITE_INTERRUPT: OperationalError,
  SQLITE_IOERR: OperationalError,
  SQLITE_FULL: OperationalError,
  SQLITE_CANTOPEN: OperationalError,
  SQLITE_PROTOCOL: OperationalError,
  SQLITE_EMPTY: OperationalError,
  SQLITE_SCHEMA: OperationalError,
  SQLITE_TOOBIG: DataError,
  SQLITE_CONSTRAINT: IntegrityError,
  SQLITE_MISMATCH: IntegrityError,
  SQLITE_MISUSE: InterfaceError,
  SQLITE_RANGE: InterfaceError,
  // Ours.
  SQLITE_AIO: OperationalError,
};

/** @internal The class of an extended result code such as `SQLITE_CONSTRAINT_UNIQUE`. */
export function classOf(code: string): ErrorClass {
  const primary = code.split("_", 2).join("_");
  return BY_PRIMARY_CODE[primary] ?? DatabaseError;
}

/** The thread's own error, as far as it can be sent. */
class ThreadError extends Error {
  readonly code: string;

  constructor(fault: Fault) {
    super(fault.message);
    this.name = fault.name;
    this.code = fault.code;
    this.stack = fault.stack;
  }
}

/** better-sqlite3 reports some of SQLite's errors as a TypeError or RangeError. */
const ENGINE_USAGE: readonly (readonly [RegExp, ErrorClass, string, string | null])[] = [
  [/is too big|string longer than/, DataError, "SQLITE_TOOBIG", null],
  [/^User-defined function/, OperationalError, "SQLITE_ERROR", null],
  [/connection is busy|statement is busy/, OperationalError, "SQLITE_BUSY", null],
  [/connection is not open/, ConnectionClosedError, "SQLITE_AIO_CLOSED", "Connection closed"],
];

/** @internal The error for a fault; `thrown` is what the closure of a `callback` fault threw. */
export function fromFault(told: Fault, sql: string | undefined, thrown: unknown): SqliteError {
  const fault = sql === undefined ? told : withoutKeysOf(told, sql);
  const details = { code: fault.code, sql, cause: thrown ?? new ThreadError(fault) };
  let error: SqliteError;
  if (fault.kind === "callback" || fault.kind === "function") {
    error = new OperationalError(fault.summary ?? "user-defined function raised exception", details);
  } else if (fault.code.startsWith("SQLITE_")) {
    error = new (classOf(fault.code))(fault.message, details);
  } else if (fault.code === "CLOSED") {
    error = new ConnectionClosedError(undefined, { sql, cause: details.cause });
  } else if (fault.code === "ENGINE_MISSING") {
    error = new EngineMissingError(fault.message, details);
  } else if (fault.code === "NOT_SUPPORTED") {
    error = new NotSupportedError(fault.message, { ...details, code: "SQLITE_AIO_ENGINE" });
  } else {
    const known = ENGINE_USAGE.find(([pattern]) => pattern.test(fault.message));
    error =
      known === undefined
        ? new ProgrammingError(fault.message, { ...details, code: "SQLITE_MISUSE" })
        : new known[1](known[3] ?? fault.message, { ...details, code: known[2] });
  }
  if (fault.rolledBack === true) Object.assign(error, { rolledBack: true });
  return error;
}

function withoutKeysOf(fault: Fault, sql: string): Fault {
  const message = messageWithoutKeys(fault.message, sql);
  if (message === fault.message) return fault;
  return { ...fault, message, stack: fault.stack.replaceAll(fault.message, message) };
}
