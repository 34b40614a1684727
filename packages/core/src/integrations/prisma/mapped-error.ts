import { types } from "node:util";
import { DriverAdapterError, isDriverAdapterError, type MappedError } from "@prisma/driver-adapter-utils";

/** The parts of an error that are mapped. */
interface Told {
  readonly code: string;
  readonly message: string;
}

/** The error from which Prisma's client makes one with a code such as P2002. */
export function mapped(error: unknown): unknown {
  if (!types.isNativeError(error) || isDriverAdapterError(error)) return error;
  const { name, message } = error;
  const { code } = error as Partial<Told>;
  // A value that does not fit is found before it is sent.
  if (code === undefined && name === "RangeError") {
    return told({ kind: "ValueOutOfRange", cause: message }, undefined, error);
  }
  if (code === "SQLITE_AIO_POOL_TIMEOUT") {
    return new CodedError("P2024", `Timed out waiting for a connection of the pool: ${message}`, error);
  }
  if (code === "SQLITE_ABORT_ROLLBACK") return transactionClosed(message, error);
  if (code === undefined || !code.startsWith("SQLITE_")) return error;
  return told(kindOf({ code, message }), code, error);
}

/** For a statement after its transaction has ended, and for a second end of a transaction. */
export function transactionClosed(why: string, cause?: Error): Error {
  return new CodedError("P2028", `Transaction already closed: ${why}`, cause);
}

/** For errors without a kind of their own in Prisma. An error with a code keeps it on its way to the application. */
class CodedError extends Error {
  override readonly name = "PrismaSqliteAioError";
  readonly code: string;

  constructor(code: string, message: string, cause: Error | undefined) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

function told(kind: MappedError, originalCode: string | undefined, error: Error): DriverAdapterError {
  const original = { originalMessage: error.message, ...(originalCode !== undefined && { originalCode }) };
  return new DriverAdapterError({ ...original, ...kind });
}

function kindOf(error: Told): MappedError {
  const { code, message } = error;
  return (
    BY_CODE[code]?.(message) ??
    BY_CODE[primaryOf(code)]?.(message) ??
    missing(message) ?? { kind: "sqlite", extendedCode: numberOf(code), message }
  );
}

/** By extended or primary result code. Undefined if only the message tells the error. */
const BY_CODE: Readonly<Record<string, (message: string) => MappedError | undefined>> = {
  SQLITE_CONSTRAINT_UNIQUE: unique,
  SQLITE_CONSTRAINT_PRIMARYKEY: unique,
  SQLITE_CONSTRAINT_ROWID: unique,
  SQLITE_CONSTRAINT_NOTNULL: (message) => ({
    kind: "NullConstraintViolation",
    ...constraintOf(columnsIn(message)),
  }),
  SQLITE_CONSTRAINT_FOREIGNKEY: foreignKey,
  // For ON DELETE RESTRICT, SQLite uses a trigger of its own. Other triggers have messages of their own.
  SQLITE_CONSTRAINT_TRIGGER: (message) => (message.startsWith("FOREIGN KEY") ? foreignKey() : undefined),
  SQLITE_CONSTRAINT_DATATYPE: (message) => ({ kind: "InvalidInputValue", message }),
  SQLITE_MISMATCH: (message) => ({ kind: "InvalidInputValue", message }),
  SQLITE_TOOBIG: () => ({ kind: "LengthMismatch" }),
  SQLITE_AUTH: () => ({ kind: "DatabaseAccessDenied" }),
  SQLITE_BUSY_SNAPSHOT: () => ({ kind: "TransactionWriteConflict" }),
  SQLITE_BUSY: () => ({ kind: "SocketTimeout" }),
  SQLITE_LOCKED: () => ({ kind: "SocketTimeout" }),
  SQLITE_INTERRUPT: () => ({ kind: "SocketTimeout" }),
  SQLITE_AIO_CLOSED: () => ({ kind: "ConnectionClosed" }),
  SQLITE_AIO_CRASHED: () => ({ kind: "ConnectionClosed" }),
  SQLITE_AIO_PRIMARY_LOST: () => ({ kind: "ConnectionClosed" }),
  SQLITE_AIO_PRIMARY_UNREACHABLE: () => ({ kind: "DatabaseNotReachable" }),
  SQLITE_AIO_QUEUE_FULL: (cause) => ({ kind: "TooManyConnections", cause }),
};

function unique(message: string): MappedError {
  const [, index] = /: index '(.+)'$/.exec(message) ?? [];
  if (index !== undefined) return { kind: "UniqueConstraintViolation", constraint: { index } };
  const columns = columnsIn(message);
  const table = columns[0]?.slice(0, Math.max(0, columns[0].lastIndexOf("."))) ?? "";
  return {
    kind: "UniqueConstraintViolation",
    ...constraintOf(columns),
    ...(table !== "" && { table }),
  };
}

function foreignKey(): MappedError {
  return { kind: "ForeignKeyConstraintViolation", constraint: { foreignKey: {} } };
}

/** The columns in "UNIQUE constraint failed: table.column, table.other". */
function columnsIn(message: string): string[] {
  return message.split("constraint failed: ")[1]?.split(", ") ?? [];
}

function constraintOf(columns: readonly string[]): { constraint?: { fields: string[] } } {
  if (columns.length === 0) return {};
  return { constraint: { fields: columns.map((column) => column.slice(column.lastIndexOf(".") + 1)) } };
}

/** The missing table or column, which only SQLite's message names. */
function missing(message: string): MappedError | undefined {
  const [, table] = /^no such table: (.+)$/.exec(message) ?? [];
  if (table !== undefined) return { kind: "TableDoesNotExist", table };
  // After a name in double quotes, SQLite adds the question whether it should be a string.
  const [, column] =
    /^(?:no such column: |table .+ has no column named )"?(.+?)"?(?: - .*)?$/.exec(message) ?? [];
  return column === undefined ? undefined : { kind: "ColumnNotFound", column };
}

function primaryOf(code: string): string {
  return code.split("_", 2).join("_");
}

/** The number of a result code (https://sqlite.org/rescode.html): the primary one, except for constraints. */
function numberOf(code: string): number {
  const primary = PRIMARY.indexOf(primaryOf(code).slice("SQLITE_".length));
  return CONSTRAINTS[code] ?? (primary < 0 ? 1 : primary);
}

const PRIMARY =
  "OK ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL CANTOPEN PROTOCOL EMPTY SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB".split(
    " ",
  );

const CONSTRAINTS: Readonly<Record<string, number>> = {
  SQLITE_CONSTRAINT_CHECK: 275,
  SQLITE_CONSTRAINT_COMMITHOOK: 531,
  SQLITE_CONSTRAINT_FUNCTION: 1043,
  SQLITE_CONSTRAINT_TRIGGER: 1811,
  SQLITE_CONSTRAINT_VTAB: 2323,
  SQLITE_CONSTRAINT_PINNED: 2835,
};
