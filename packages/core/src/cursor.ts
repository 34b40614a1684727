import { Flag, Mode, Op } from "@sqlite-aio/worker/wire";
import { executeBatches } from "./batches.js";
import type { Parameters } from "./bind.js";
import { Call } from "./call.js";
import type { Connection } from "./connection.js";
import { ConnectionClosedError, OperationalError, ProgrammingError } from "./errors.js";
import { type CallOptions, integer } from "./options.js";
import { type AnyRow, buildsObjects, makeRows, type RowFactory } from "./row-maker.js";
import { type Runner, toError } from "./runner.js";
import type { Shape } from "./statement-cache.js";

/** PEP 249's description of a column: its name, and six values that SQLite does not know. */
export type ColumnDescription = readonly [string, null, null, null, null, null, null];

/**
 * A statement's result, read as it is wanted: rows come `iterChunkSize` at a time, the next chunk asked for ahead.
 *
 * @example
 * await using cursor = await db.execute("SELECT name FROM city WHERE population > ?", [1e6]);
 * for await (const [name] of cursor) console.log(name);
 */
export class Cursor {
  readonly #connection: Connection | null;
  readonly #flags: number;
  readonly #runner: Runner;
  #id = 0;
  #rows: unknown[] = [];
  #at = 0;
  #more = false;
  #ahead: Call | null = null;
  #interrupts = 0;
  #closed = false;
  #shape: Shape | null = null;
  #rowcount = -1;
  #lastrowid: number | bigint | null = null;
  #rowFactory: RowFactory;
  #arraysize = 1;
  #iterChunkSize: number;

  /** @internal Use `connection.cursor()` or `connection.execute()`. */
  constructor(connection: Connection | null, runner: Runner, flags = 0) {
    this.#connection = connection;
    this.#flags = flags;
    this.#runner = runner;
    this.#rowFactory = runner.settings.rowFactory;
    this.#iterChunkSize = runner.settings.iterChunkSize;
  }

  get connection(): Connection {
    // Null only for a pool's own cursors, which nobody else sees.
    return this.#connection as Connection;
  }

  /** Rows changed by the last INSERT, UPDATE, DELETE or REPLACE; -1 for other statements. */
  get rowcount(): number {
    return this.#rowcount;
  }

  /** `last_insert_rowid()` after the last `execute`; null before. */
  get lastrowid(): number | bigint | null {
    return this.#lastrowid;
  }

  /** One entry per column; null if the last statement gives no rows. */
  get description(): ColumnDescription[] | null {
    return this.#shape?.names.map((name) => [name, null, null, null, null, null, null]) ?? null;
  }

  /** Rows that `fetchmany()` gives by default. */
  get arraysize(): number {
    return this.#arraysize;
  }

  set arraysize(size: number) {
    this.#arraysize = integer(size, "arraysize", 1, 0);
  }

  /** Rows fetched at a time from the next `execute` on. */
  get iterChunkSize(): number {
    return this.#iterChunkSize;
  }

  set iterChunkSize(size: number) {
    this.#iterChunkSize = integer(size, "iterChunkSize", 64, 1);
  }

  get rowFactory(): RowFactory {
    return this.#rowFactory;
  }

  /** Applies to rows that are fetched from now on. */
  set rowFactory(factory: RowFactory) {
    this.#rowFactory = factory;
  }

  /** @internal Gives the cursor of a row factory the description of rows that it did not fetch itself. */
  describe(shape: Shape | null): void {
    this.#shape = shape;
  }

  /** Runs one statement. Rejects with a {@link ProgrammingError} for wrong parameters. */
  async execute(sql: string, parameters?: Parameters, options?: CallOptions): Promise<this> {
    const call = this.#start(sql, parameters, options, this.execute);
    try {
      await call.promise;
    } catch (reason) {
      throw toError(reason, call);
    }
    if (call.refused)
      throw new OperationalError("attempt to write a readonly database", { code: "SQLITE_READONLY", sql });
    this.#adopt(call);
    return this;
  }

  /** Runs a DML statement once for each parameter set of an Iterable or AsyncIterable, in bounded memory. */
  async executemany(
    sql: string,
    parameterSets: Iterable<Parameters> | AsyncIterable<Parameters>,
    options?: CallOptions,
  ): Promise<this> {
    this.#reset();
    this.#rowcount = await executeBatches(this.#runner, sql, parameterSets, options, this.executemany);
    return this;
  }

  /** Commits an open transaction, then runs the statements of a script. */
  async executescript(sql: string, options?: CallOptions): Promise<this> {
    this.#reset();
    const flags = this.#runner.scoped ? 0 : Flag.COMMIT_FIRST;
    await this.#runner.perform(this.#runner.script(sql, flags), options, this.executescript);
    return this;
  }

  /** The next row, null at the end. */
  async fetchone<R = AnyRow>(options?: CallOptions): Promise<R | null> {
    this.#check();
    while (this.#at >= this.#rows.length) if (!(await this.#refill(options))) return null;
    return this.#take() as R;
  }

  /** The next `size` rows (default {@link arraysize}), fewer at the end. */
  async fetchmany<R = AnyRow>(size: number = this.#arraysize, options?: CallOptions): Promise<R[]> {
    this.#check();
    integer(size, "size", 1, 0);
    const rows: R[] = [];
    while (rows.length < size) {
      if (this.#at < this.#rows.length) rows.push(this.#take() as R);
      else if (!(await this.#refill(options))) break;
    }
    return rows;
  }

  /** All rows that are left. */
  async fetchall<R = AnyRow>(options?: CallOptions): Promise<R[]> {
    this.#check();
    const rows = this.#rows.slice(this.#at) as R[];
    this.#rows = [];
    this.#at = 0;
    if (this.#ahead !== null) {
      await this.#refill(options);
      for (const row of this.#rows) rows.push(row as R);
      this.#rows = [];
      this.#at = 0;
    }
    if (this.#more) {
      const call = this.#fetch(-1, options);
      this.#more = false;
      await this.#runner.settle(call);
      for (const row of this.#make(call)) rows.push(row as R);
    }
    return rows;
  }

  /** Lets go of the rows that are left. A closed cursor takes no further calls. */
  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.#runner.closed) throw new ConnectionClosedError();
    this.#reset();
    this.#closed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#runner.closed) await this.close();
  }

  /** Gives the rows that are left; leaving the loop leaves the cursor open, as in aiosqlite. */
  [Symbol.asyncIterator](): AsyncIterableIterator<AnyRow> {
    return {
      next: () => {
        // A row that is there costs one resolved promise, not the machinery of an async generator.
        if (this.#at < this.#rows.length && !this.#closed) {
          return Promise.resolve({ value: this.#take(), done: false as const });
        }
        return this.#nextSlow();
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  async #nextSlow(): Promise<IteratorResult<unknown>> {
    const rows = await this.fetchmany(1);
    return rows.length === 0 ? { value: undefined, done: true } : { value: rows[0], done: false };
  }

  #start(
    sql: string,
    parameters: Parameters | undefined,
    options: CallOptions | undefined,
    caller: (...args: never[]) => unknown,
  ): Call {
    if (this.#closed) throw closedCursor();
    const runner = this.#runner;
    const id = ++runner.settings.lastCursor;
    const call = runner.query(Mode.CURSOR, sql, parameters, id, this.#flags);
    (call.fields as unknown[])[3] = this.#iterChunkSize;
    call.objects = buildsObjects(this.#settings);
    runner.submit(call, options, caller);
    this.#reset();
    this.#id = id;
    return call;
  }

  #adopt(call: Call): void {
    const { channel, settings, cursors } = this.#runner;
    if (call.cursor !== this.#id) {
      // Another execute on this cursor was started meanwhile.
      if (call.more) channel.release(call.cursor);
      return;
    }
    this.#shape = call.shape;
    this.#rowcount = call.changes;
    this.#lastrowid = channel.lastInsertRowid;
    this.#interrupts = settings.interrupts;
    this.#rows = this.#make(call);
    this.#more = call.more;
    if (call.more) cursors.add(this.#id);
  }

  get #settings() {
    const { settings } = this.#runner;
    return this.#rowFactory === settings.rowFactory
      ? settings
      : { ...settings, rowFactory: this.#rowFactory };
  }

  #make(call: Call): unknown[] {
    return makeRows(call.rows, this.#shape, this.#settings, () => this);
  }

  #take(): unknown {
    if (this.#more && this.#ahead === null) this.#askAhead();
    return this.#rows[this.#at++];
  }

  #askAhead(): void {
    try {
      this.#ahead = this.#fetch(this.#iterChunkSize, undefined);
    } catch {
      // The queue is full, or the handle is leased to its own transaction: asked again when the rows are needed.
      this.#ahead = null;
      return;
    }
    this.#ahead.promise.catch(() => {});
  }

  #fetch(limit: number, options: CallOptions | undefined): Call {
    if (this.#interrupts !== this.#runner.settings.interrupts) {
      this.#release();
      throw new OperationalError("interrupted", { code: "SQLITE_INTERRUPT" });
    }
    const call = new Call(Op.FETCH, null, [this.#id, limit]);
    call.shape = this.#shape;
    call.objects = buildsObjects(this.#settings);
    this.#runner.submit(call, options, null);
    return call;
  }

  /** Makes the next chunk the current one. False at the end. */
  async #refill(options: CallOptions | undefined): Promise<boolean> {
    if (this.#ahead === null) {
      if (!this.#more) return false;
      this.#ahead = this.#fetch(this.#iterChunkSize, options);
    }
    const call = this.#ahead;
    const id = this.#id;
    try {
      await this.#runner.settle(call);
    } catch (error) {
      if (this.#ahead === call) {
        this.#ahead = null;
        this.#release();
      }
      throw error;
    }
    // Of several fetches that waited for this chunk, the first makes it current.
    if (this.#ahead === call && this.#id === id) {
      this.#ahead = null;
      this.#more = call.more;
      if (!call.more) this.#runner.cursors.delete(id);
      this.#rows = this.#make(call);
      this.#at = 0;
    }
    return true;
  }

  #check(): void {
    if (this.#runner.closed) throw new ConnectionClosedError();
    if (this.#closed) throw closedCursor();
  }

  #reset(): void {
    if (this.#more) this.#release();
    this.#ahead = null;
    this.#rows = [];
    this.#at = 0;
    this.#shape = null;
    this.#rowcount = -1;
    this.#id = 0;
  }

  #release(): void {
    this.#more = false;
    this.#runner.cursors.delete(this.#id);
    this.#runner.channel.release(this.#id);
  }
}

function closedCursor(): ProgrammingError {
  return new ProgrammingError("Cannot operate on a closed cursor.", { code: "SQLITE_MISUSE" });
}
