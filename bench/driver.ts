/** What every driver under measurement offers to the trials, and nothing more than the trials use. */

export type Value = number | string | null;
export type Row = Readonly<Record<string, Value>>;
export type Parameters = readonly Value[];

/** A driver that answers on the spot returns the value itself: it must not be charged for a promise it does not need. */
export type Eventually<T> = T | Promise<T>;

export interface Settings {
  readonly synchronous: "FULL" | "NORMAL";
  /** How many callers the trial keeps waiting, for drivers that document different calls for one and for many. */
  readonly callers: number;
}

export interface Session {
  get(sql: string, parameters: Parameters): Eventually<Row | undefined>;
  all?(sql: string, parameters: Parameters): Eventually<readonly Row[]>;
  /** Calls `visit` for each row, in order, the way the driver documents reading a result it does not hold whole. */
  iterate?(sql: string, visit: (row: Row) => void): Eventually<void>;
  /** One statement, committed when the call returns or resolves. */
  run?(sql: string, parameters: Parameters): Eventually<unknown>;
  /** All rows in one transaction, the way the driver documents bulk insertion. */
  insertMany?(sql: string, rows: Iterable<Parameters>): Eventually<void>;
  /** Each row by a call of its own that nobody waits for; returns or resolves when the last one is done. */
  runAll?(sql: string, rows: readonly Parameters[]): Eventually<void>;
  close(): Eventually<void>;
}

/** Many databases, of which few are open. */
export interface Tenants {
  /** In the database of `key`: `write`, if there is one, for a row of the log; then the row that `read` gives. */
  ask(key: number, write: string | null, read: string): Eventually<Row | undefined>;
  close(): Eventually<void>;
}

/** A client of Prisma on one of its adapters. */
export interface PrismaUsers {
  find(id: number): Promise<{ readonly id: number } | null>;
  findMany(above: number, count: number): Promise<readonly { readonly id: number }[]>;
  create(email: string): Promise<{ readonly id: number }>;
  /** An interactive transaction of two updates and a count. */
  transfer(from: number, to: number): Promise<number>;
  close(): Promise<void>;
}

/** What is written into a log. */
export const LOG_ROW: Parameters = ["a name", 1.5, 7];

export type Capability = Exclude<keyof Session, "close">;

export interface Driver {
  readonly name: string;
  readonly title: string;
  /** Packages whose versions belong beside the figures; `node:` ones are the runtime's own. */
  readonly packages: readonly string[];
  /** Whether queries run on the thread that calls: such a driver is given its callers one after another, tick by tick. */
  readonly blocks: boolean;
  /** How the driver is used here, for the page that states the settings. */
  readonly usage: string;
  readonly capabilities: readonly Capability[];
  /** Leaves this driver out unless a trial names it (a baseline or a variant). */
  readonly onlyWhenNamed?: boolean;
  open(file: string, settings: Settings): Promise<Session>;
  openPrisma?(file: string): Promise<PrismaUsers>;
  /** `max` databases are open at a time at the most. */
  openMany?(fileOf: (key: number) => string, settings: Settings, max: number): Promise<Tenants>;
}

export const ALL_CAPABILITIES: readonly Capability[] = ["get", "all", "iterate", "run", "insertMany"];

/** The pragmas every driver runs on every connection, so that nobody wins by a default. */
export function pragmas({ synchronous }: Settings): readonly string[] {
  return ["journal_mode = WAL", `synchronous = ${synchronous}`, "cache_size = -16000"];
}
