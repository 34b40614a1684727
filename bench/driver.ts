import type { Readable, Writable } from "node:stream";

/** The calls that trials need from a driver, and no more. */

export type Value = number | string | null;
export type Row = Readonly<Record<string, Value>>;
export type Parameters = readonly Value[];

/** A synchronous driver returns the value itself, so that it does not pay for a promise. */
export type Eventually<T> = T | Promise<T>;

export interface Settings {
  readonly synchronous: "FULL" | "NORMAL";
  /** How many callers the trial keeps waiting. Some drivers document different calls for one caller and for many. */
  readonly callers: number;
}

export interface Session {
  get(sql: string, parameters: Parameters): Eventually<Row | undefined>;
  all?(sql: string, parameters: Parameters): Eventually<readonly Row[]>;
  /**
   * Calls `visit` for each row in order, in the way that the driver documents for results that are not held in memory.
   */
  iterate?(sql: string, visit: (row: Row) => void): Eventually<void>;
  /** One statement, committed when the call returns or resolves. */
  run?(sql: string, parameters: Parameters): Eventually<unknown>;
  /** Inserts all rows in one transaction, in the way that the driver documents. */
  insertMany?(sql: string, rows: Iterable<Parameters>): Eventually<void>;
  /** Inserts each row by a call of its own without waiting for it. Returns or resolves when the last one is done. */
  runAll?(sql: string, rows: readonly Parameters[]): Eventually<void>;
  readonly blob?: BlobAccess;
  close(): Eventually<void>;
}

/** One large value, by Node streams. */
export interface BlobAccess {
  /** Makes it, of so many bytes. */
  make(bytes: number): Promise<void>;
  readInto(sink: Writable): Promise<void>;
  /** Overwrites all of it, durably. */
  writeFrom(source: Readable): Promise<void>;
}

/** Many databases; only a few are open at a time. */
export interface Tenants {
  /** Uses the database of `key`: runs `write`, if given, for a row of the log; then returns the row of `read`. */
  ask(key: number, write: string | null, read: string): Eventually<Row | undefined>;
  close(): Eventually<void>;
}

/** A Prisma client on one of its adapters. */
export interface PrismaUsers {
  find(id: number): Promise<{ readonly id: number } | null>;
  findMany(above: number, count: number): Promise<readonly { readonly id: number }[]>;
  create(email: string): Promise<{ readonly id: number }>;
  /** An interactive transaction of two updates and a count. */
  transfer(from: number, to: number): Promise<number>;
  close(): Promise<void>;
}

/** A row for a log. */
export const LOG_ROW: Parameters = ["a name", 1.5, 7];

export type Capability = Exclude<keyof Session, "close">;

export interface Driver {
  readonly name: string;
  readonly title: string;
  /** Packages whose versions are shown with the figures; `node:` ones belong to the runtime. */
  readonly packages: readonly string[];
  /** Whether queries run on the calling thread. Such a driver gets its callers one after the other, tick by tick. */
  readonly blocks: boolean;
  /** How the driver is used here, for the page that states the settings. */
  readonly usage: string;
  readonly capabilities: readonly Capability[];
  /** Runs only in trials that name it (a baseline or a variant). */
  readonly onlyWhenNamed?: boolean;
  open(file: string, settings: Settings): Promise<Session>;
  openPrisma?(file: string): Promise<PrismaUsers>;
  /** At most `max` databases are open at a time. */
  openMany?(fileOf: (key: number) => string, settings: Settings, max: number): Promise<Tenants>;
}

export const ALL_CAPABILITIES: readonly Capability[] = ["get", "all", "iterate", "run", "insertMany"];

/** The pragmas that every driver runs on every connection, so that no driver wins by its defaults. */
export function pragmas({ synchronous }: Settings): readonly string[] {
  return ["journal_mode = WAL", `synchronous = ${synchronous}`, "cache_size = -16000"];
}
