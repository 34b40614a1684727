import { type Bindable, type Connection, type Cursor, Row } from "@sqlite-aio/core";
import { sqlite3Error, type Sqlite3Error } from "../calls/errors.js";
import * as limits from "../constants/limits.js";
import { type Profile, profiled, startProfiling } from "./profiler.js";
import type { StatementText } from "./statement-text.js";

/** A row in sqlite3's form. */
export type ObjectRow = Record<string, unknown>;

/** The counts after a statement. */
export interface RunOutcome {
  readonly lastID: number;
  readonly changes: number;
}

/** A statement after its first step. */
export interface FirstStep {
  readonly row: ObjectRow | undefined;
  readonly outcome: RunOutcome;
  readonly cursor: Cursor;
}

/** Takes rows of `each()`. */
export type OnRows = (rows: readonly ObjectRow[]) => Promise<void> | undefined;

type Values = readonly Bindable[];

/** Marks this package's own statements, so that no event reports them. */
export const OWN = "/* @sqlite-aio/sqlite3 */ ";

const LIMIT_IDS: ReadonlySet<number> = new Set(Object.values(limits));

/** Rows that `each()` fetches at a time. */
const EACH_ROWS = 1000;

/** The connection of a Database, with what sqlite3's methods need. Everything runs in the order of the calls. */
export class Handle {
  readonly connection: Connection;
  readonly #release: () => Promise<void>;
  /** Other Databases use the connection, so their changes are unknown. */
  readonly #shared: boolean;
  /** Number of the statements sent so far that may set `changes()`, failed ones included. */
  #writes = 0;
  /** The result of `changes()` after this many of them. */
  #changes = 0;
  #changesAt = 0;
  #profile: Profile | null = null;
  #stopProfiling: (() => void) | null = null;

  constructor(connection: Connection, shared: boolean, release: () => Promise<void>) {
    this.connection = connection;
    this.#shared = shared;
    this.#release = release;
    connection.rowFactory = Row;
  }

  /** Releases the connection. */
  close(): Promise<void> {
    this.profile(null);
    return this.#release();
  }

  /** Calls `profile` after each statement; null ends that. */
  profile(profile: Profile | null): void {
    this.#profile = profile;
    if (profile !== null) this.#stopProfiling ??= startProfiling();
    else {
      this.#stopProfiling?.();
      this.#stopProfiling = null;
    }
  }

  /** Compiles a statement without running it. True if it returns rows. */
  async compile(statement: StatementText): Promise<boolean> {
    if (statement.empty) return false;
    const { columns } = await this.connection.describe(statement.text);
    return columns.length > 0;
  }

  /** All rows. */
  all(statement: StatementText, values: Values): Promise<ObjectRow[]> {
    this.#ran(statement);
    if (statement.empty) return Promise.reject(emptyStatement());
    return this.#send(() => this.connection.executeFetchall<ObjectRow>(statement.text, values));
  }

  /** The first row, if there is one. */
  get(statement: StatementText, values: Values): Promise<ObjectRow | undefined> {
    this.#ran(statement);
    if (statement.empty) return Promise.reject(emptyStatement());
    return this.#send(() => this.connection.get<ObjectRow>(statement.text, values));
  }

  /** Runs only the first step of a statement. */
  async run(statement: StatementText, values: Values): Promise<RunOutcome> {
    refuseEmpty(statement);
    const { dml, text } = statement;
    this.#ran(statement);
    const write = this.#writes;
    const running = this.#send(() => this.connection.run(text, values));
    const counting = dml ? null : this.#count();
    const { changes, lastInsertRowid } = await running;
    if (dml) this.#counted(changes, write);
    return { lastID: Number(lastInsertRowid), changes: counting === null ? changes : await counting() };
  }

  /** Runs the first step of a statement. Gives its row, the counts, and the following rows. */
  async step(statement: StatementText, values: Values): Promise<FirstStep> {
    const opening = this.open(statement, values);
    const counting = this.#count();
    const cursor = await opening;
    const row = (await cursor.fetchone<ObjectRow>()) ?? undefined;
    return { cursor, row, outcome: { lastID: Number(cursor.lastrowid), changes: await counting() } };
  }

  /** Opens a statement whose rows are read one at a time. `cursor` is its cursor from an earlier run, which is used again. */
  async open(statement: StatementText, values: Values, cursor: Cursor | null = null): Promise<Cursor> {
    this.#ran(statement);
    refuseEmpty(statement);
    if (cursor === null) return await this.#execute(statement.text, values);
    return await this.#send(() => cursor.execute(statement.text, values));
  }

  /**
   * Runs a DML statement once for each set of values. `onError` gets the error of a failed set; the others still run.
   */
  async many(
    statement: StatementText,
    sets: readonly Values[],
    onError: (error: unknown) => void,
  ): Promise<void> {
    this.#writes++;
    for (let first = 0; first < sets.length; ) {
      try {
        const rest = first === 0 ? sets : sets.slice(first);
        await this.#send(() => this.connection.executemany(statement.text, rest));
        return;
      } catch (error) {
        const failed = failedSet(error);
        // The statement itself is wrong, so all remaining sets fail the same way.
        if (failed === null) {
          for (let set = first; set < sets.length; set++) onError(error);
          return;
        }
        onError(error);
        first += failed + 1;
      }
    }
  }

  /** Runs all statements of a text. An open transaction stays open. */
  async script(sql: string): Promise<void> {
    this.#writes++;
    await this.#send(() => this.connection.executescript(sql, { commit: false }));
  }

  /** Calls `onRows` with rows as they come, several at a time, and waits for the promise that it may return. */
  async each(statement: StatementText, values: Values, onRows: OnRows): Promise<void> {
    this.#ran(statement);
    refuseEmpty(statement);
    const cursor = await this.connection.cursor();
    cursor.iterChunkSize = EACH_ROWS;
    try {
      await this.#send(() => cursor.execute(statement.text, values));
      for (;;) {
        const rows = await cursor.fetchchunk<ObjectRow>();
        if (rows.length === 0) return;
        const handling = onRows(rows);
        if (handling !== undefined) await handling;
      }
    } finally {
      void cursor.close();
    }
  }

  async loadExtension(path: string): Promise<void> {
    if (path === "") throw sqlite3Error("ERROR", "unable to open shared library []");
    const { connection } = this;
    const enabled = connection.enableLoadExtension(true);
    const loaded = connection.loadExtension(path);
    const disabled = connection.enableLoadExtension(false);
    await Promise.allSettled([enabled, loaded, disabled]);
    await loaded;
  }

  async setBusyTimeout(ms: number): Promise<void> {
    await this.connection.executeFetchall(`${OWN}PRAGMA busy_timeout = ${ms | 0}`);
  }

  async setLimit(id: number, limit: number): Promise<void> {
    // As sqlite3_limit() does.
    if (!LIMIT_IDS.has(id)) return;
    await this.connection.setlimit(id, limit);
  }

  /** Stops the running statement. Waiting ones stay. */
  interrupt(): void {
    this.connection.interrupt({ waiting: false }).catch(() => {});
  }

  #execute(sql: string, values: Values): Promise<Cursor> {
    return this.#send(() => this.connection.execute(sql, values));
  }

  /** Sends a statement of the caller. */
  #send<T>(send: () => Promise<T>): Promise<T> {
    return this.#profile === null ? send() : profiled(this.#profile, send);
  }

  /** Notes a statement that may set `changes()`. */
  #ran(statement: StatementText): void {
    if (statement.mayWrite || statement.dml) this.#writes++;
  }

  /** Notes the result of `changes()` after the first `writes` statements that may set it. */
  #counted(changes: number, writes: number): void {
    this.#changes = changes;
    this.#changesAt = writes;
  }

  /** Returns a function for the result of `changes()` after what was sent so far. Call it after the answer. */
  #count(): () => number | Promise<number> {
    // A failed statement sets it, too: what is not answered yet gives no count to rely on.
    if (this.#changesAt === this.#writes && !this.#shared) {
      const changes = this.#changes;
      return () => changes;
    }
    const write = this.#writes;
    const asked = this.connection.get<{ changes: number }>(`${OWN}SELECT changes() AS changes`);
    const counted = asked.then((row) => {
      const changes = row?.changes ?? 0;
      if (this.#changesAt < write) this.#counted(changes, write);
      return changes;
    });
    counted.catch(() => {});
    return () => counted;
  }
}

function failedSet(error: unknown): number | null {
  const { parameterSet } = error as { parameterSet?: unknown };
  return typeof parameterSet === "number" ? parameterSet : null;
}

function refuseEmpty({ empty }: StatementText): void {
  if (empty) throw emptyStatement();
}

/** SQLite compiles it to nothing, and answers a step of that so. */
function emptyStatement(): Sqlite3Error {
  return sqlite3Error("MISUSE", "not an error");
}
