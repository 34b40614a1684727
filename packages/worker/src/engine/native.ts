import type { SqlValue } from "../wire/protocol.js";
import type { EngineDatabase } from "./engine-api.js";
import { codeOf, UsageError } from "../wire/fault.js";
import { messageOf } from "../wire/thrown.js";
import { requireHere } from "./here.js";

/** The part of `@sqlite-aio/native` that is used here. */
export interface Native {
  readonly version: string;
  readonly capabilities?: { readonly statements?: boolean };
  attach(database: { loadExtension(path: string): unknown }): number;
  interrupt(token: number): boolean;
  undoInterrupted(token: number): boolean;
  environment(): number;
  stopWith(token: number, environment: number): void;
  setAuthorizer(token: number, authorizer: Authorizer | null): void;
  trackChanges(token: number, on: boolean, rowidLimit?: number): void;
  takeChanges(token: number): { database: string; table: string; rowids: bigint[] | null }[] | null;
  markChanged(token: number, database: string, table: string): void;
  guardCommits(token: number, control: Int32Array | undefined): void;
  recordEvents(token: number, what: number): void;
  takeEvents(
    token: number,
  ): { tables: [database: string, table: string][]; events: ArrayBuffer; rowids: ArrayBuffer } | null;
  defineFunction(
    token: number,
    name: string,
    parameters: number,
    flags: number,
    kind: 0 | 1 | 2,
    mode: 0 | 1 | 2,
    fn: ((...args: unknown[]) => SqlValue | undefined) | null,
  ): void;
  defineCollation(
    token: number,
    name: string,
    compare: ((left: string, right: string) => number) | null,
  ): void;
  blobOpen(
    token: number,
    database: string,
    table: string,
    column: string,
    rowid: bigint,
    writable: boolean,
  ): { id: number; bytes: number };
  blobRead(token: number, blob: number, bytes: Uint8Array, offset: number): void;
  blobWrite(token: number, blob: number, bytes: Uint8Array, offset: number): void;
  blobClose(token: number, blob: number): void;
  deserialize(token: number, database: string, image: Uint8Array): void;
  copyInto(source: number, target: number): void;
  usePrefixes(token: number, on: boolean): boolean;
  limit(token: number, category: number, limit: number): number;
  config(token: number, op: number, enable?: boolean): boolean;
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
  guard(database: EngineDatabase, token: number, on: boolean): void;
  prepare(token: number, sql: string): { readonly id: number; readonly parameters: number } | null;
  finalize(token: number, statement?: number): void;
  columns(token: number, statement: number): ColumnOf[];
  reset(token: number, statement: number): void;
  bind(token: number, statement: number, values: readonly SqlValue[]): void;
  rows(
    token: number,
    statement: number,
    limit: number,
    bytes: number,
    mode: number,
    only: boolean,
    control?: Int32Array,
    sequence?: number,
    into?: Uint8Array,
  ): ArrayBuffer | null;
  runMany(
    token: number,
    statement: number,
    packet: readonly unknown[],
    from: number,
    progress: Float64Array,
    control: Int32Array,
    sequence: number,
    begin: number | undefined,
    keep: number | undefined,
    undoing: Int32Array | undefined,
  ): bigint;
  runPoints(
    token: number,
    count: number,
    input: Float64Array,
    inputFrom: number,
    bytes: Uint8Array,
    bytesFrom: number,
    cells: Float64Array,
    tags: Uint8Array,
    text: Uint8Array,
    control: Int32Array,
    sequence: number,
    ms: number,
  ): void;
}

/** A column of a result, as better-sqlite3 describes one too. */
export interface ColumnOf {
  readonly name: string;
  readonly type: string | null;
}

/** See https://sqlite.org/c3ref/set_authorizer.html. */
export type Authorizer = (
  action: number,
  arg1: string | null,
  arg2: string | null,
  dbName: string | null,
  trigger: string | null,
) => number;

/**
 * The optional companion, or why it is missing: it is not installed, does not load, or `SQLITE_AIO_NATIVE=off` is set.
 */
const found: Native | string = load();

/** The optional companion; null if it is missing. */
export const native: Native | null = typeof found === "string" ? null : found;

/** Why the companion is missing, as the end of a sentence; null if it is there. */
export const nativeMissing: string | null = typeof found === "string" ? found : null;

function load(): Native | string {
  if (process.env["SQLITE_AIO_NATIVE"] === "off") return "which SQLITE_AIO_NATIVE=off has turned off";
  try {
    return requireHere("@sqlite-aio/native") as Native;
  } catch (error) {
    const message = messageOf(error).split(/\r?\n/, 1)[0]!;
    // Node's message names the missing module: the package itself, or one of its dependencies.
    const absent = codeOf(error) === "MODULE_NOT_FOUND" && message.includes("'@sqlite-aio/native'");
    return absent
      ? "which is not installed: npm install @sqlite-aio/native"
      : `which does not load: ${message}`;
  }
}

/** The error for `what`, which needs the companion. */
export function needsNative(what: string): UsageError {
  const why = nativeMissing ?? "which this engine cannot load as an extension";
  return new UsageError("NOT_SUPPORTED", `${what} needs the package @sqlite-aio/native, ${why}`);
}

/** The native companion's number of the Worker that started this thread; 0 for none. */
let parent = 0;

/** Stops statements of this thread's handles when the environment of this number ends. */
export function endWith(environment: number): void {
  parent = environment;
}

/** Returns the token of the handle; 0 if the companion is missing or needs a newer engine. */
export function attachNative(db: { loadExtension(path: string): unknown }): number {
  if (native === null) return 0;
  let token: number;
  try {
    token = native.attach(db);
  } catch {
    return 0;
  }
  native.stopWith(token, parent);
  return token;
}
