import { requireHere } from "./here.js";

/** The part of `@sqlite-aio/native` that is used here. */
export interface Native {
  readonly version: string;
  attach(database: { loadExtension(path: string): unknown }): number;
  interrupt(token: number): boolean;
  setAuthorizer(token: number, authorizer: Authorizer | null): void;
  trackChanges(token: number, on: boolean, rowidLimit?: number): void;
  takeChanges(token: number): { database: string; table: string; rowids: bigint[] | null }[] | null;
  markChanged(token: number, database: string, table: string): void;
  analyze(
    token: number,
    sql: string,
  ): {
    readonly reads: [database: string, table: string][];
    readonly writes: [database: string, table: string][];
    readonly untracked: [database: string, table: string][];
    readonly readonly: boolean;
    readonly schema: boolean;
  };
}

/** See https://sqlite.org/c3ref/set_authorizer.html. */
export type Authorizer = (
  action: number,
  arg1: string | null,
  arg2: string | null,
  dbName: string | null,
  trigger: string | null,
) => number;

/** The optional companion; null where it is not installed, does not fit, or `SQLITE_AIO_NATIVE=off` says so. */
export const native: Native | null = load();

function load(): Native | null {
  if (process.env["SQLITE_AIO_NATIVE"] === "off") return null;
  try {
    return requireHere("@sqlite-aio/native") as Native;
  } catch {
    return null;
  }
}

/** Token of the handle, 0 where the native companion is missing or needs a newer engine. */
export function attachNative(db: { loadExtension(path: string): unknown }): number {
  try {
    return native?.attach(db) ?? 0;
  } catch {
    return 0;
  }
}
