import { types } from "node:util";
import { SqliteError, WorkerCrashedError } from "@sqlite-aio/core";
import * as resultCodes from "../constants/result-codes.js";

/** Result codes by name without `SQLITE_`. */
const NUMBERS: Readonly<Record<string, number>> = { ...resultCodes };

/** The name of a primary result code without its `SQLITE_`. */
export type ResultName = keyof typeof resultCodes;

/** Every error of this package: number and name of SQLite's primary result code, and its message. */
export interface Sqlite3Error extends Error {
  readonly errno: number;
  readonly code: string;
}

/** The errors of this package. */
const made = new WeakSet();

/**
 * An error in sqlite3's form: `SQLITE_BUSY: database is locked`. `cause` is core's error, which has the extended code.
 */
export function sqlite3Error(name: ResultName, message: string, cause?: unknown): Sqlite3Error {
  const code = `SQLITE_${name}`;
  const error = new Error(`${code}: ${message}`, cause === undefined ? undefined : { cause });
  made.add(error);
  return Object.assign(error, { errno: NUMBERS[name] as number, code });
}

/** Converts an error of core to this package's form. */
export function fromCore(error: unknown): Sqlite3Error {
  if (made.has(error as object)) return error as Sqlite3Error;
  if (error instanceof WorkerCrashedError) return sqlite3Error("INTERNAL", error.message, error);
  if (error instanceof SqliteError) return sqlite3Error(primaryName(error.code), messageOf(error), error);
  const message = types.isNativeError(error) ? error.message : String(error);
  return sqlite3Error("MISUSE", message, error);
}

/** `CONSTRAINT` of `SQLITE_CONSTRAINT_UNIQUE`; `MISUSE` for core's own codes. */
function primaryName(code: string): ResultName {
  const name = code.split("_", 2)[1];
  return name !== undefined && Object.hasOwn(NUMBERS, name) ? (name as ResultName) : "MISUSE";
}

/** The message without the number of the parameter set: the caller does not know that runs were joined. */
function messageOf({ message, parameterSet }: SqliteError): string {
  const suffix = ` (parameter set ${parameterSet})`;
  return message.endsWith(suffix) ? message.slice(0, -suffix.length) : message;
}

export const closedWhileWaiting = (): Sqlite3Error => sqlite3Error("MISUSE", "Database handle is closed");
export const alreadyClosed = (): Sqlite3Error => sqlite3Error("MISUSE", "Database is closed");
export const alreadyFinalized = (): Sqlite3Error => sqlite3Error("MISUSE", "Statement is already finalized");
