import { Flag, Mode, Op, Verb } from "@sqlite-aio/worker/wire";
import { executeBatches } from "./batches.js";
import type { Parameters } from "./bind.js";
import { Call } from "./call.js";
import type { Connection } from "./connection.js";
import { OperationalError, ProgrammingError } from "./errors.js";
import { type CallOptions, integer } from "./options.js";
import { Patience } from "./patience.js";
import { columnName } from "./adapters.js";
import {
  type AnyRow,
  buildsObjects,
  makeRows,
  type RowFactory,
  type RowMaker,
  rowMaker,
  type RowSettings,
  rowSettings,
} from "./row-maker.js";
import { type Runner, toError } from "./runner.js";
import type { Shape } from "./statement-cache.js";

/** PEP 249's description of a column: its name, and six values that SQLite does not know. */
export type ColumnDescription = readonly [string, null, null, null, null, null, null];

/** A cursor that is dropped half read must not hold its snapshot, and with it the write-ahead log, for ever. */
const dropped = new FinalizationRegistry<{ readonly runner: Runner; readonly id: number }>(
  ({ runner, id }) => {
    if (runner.cursors.delete(id)) runner.channel.release(id);
  },
);

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
  /** Arrays of cells: a row is made when it is fetched, by the row factory of that moment. */
  #rows: unknown[][] = [];
  #make: RowMaker | null = null;
  #madeFor: unknown = null;
  #at = 0;
  #more = false;
  #ahead: Call | null = null;
  #interrupts = 0;
  #closed = false;
  #shape: Shape | null = null;
  #description: ColumnDescription[] | null = null;
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
    const { detectTypes } = this.#runner.settings;
    this.#description ??=
      this.#shape?.names.map((name) => [columnName(detectTypes, name), null, null, null, null, null, null]) ??
      null;
    return this.#description;
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
    if (factory !== null && typeof factory !== "function")
      throw new TypeError("rowFactory must be null or a function");
    this.#rowFactory = factory;
    this.#make = null;
  }

  /** @internal Gives the cursor of a row factory the description of rows that it did not fetch itself. */
  describe(shape: Shape | null): void {
    this.#shape = shape;
    this.#description = null;
    this.#make = null;
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
    this.#check();
    this.#reset();
    this.#rowcount = await executeBatches(this.#runner, sql, parameterSets, options, this.executemany);
    return this;
  }

  /** Commits an open transaction, then runs the statements of a script. */
  async executescript(sql: string, options?: CallOptions): Promise<this> {
    this.#check();
    this.#reset();
    const flags = this.#runner.scoped ? 0 : Flag.COMMIT_FIRST;
    await this.#runner.perform(this.#runner.script(sql, flags), options, this.executescript);
    return this;
  }

  /** The next row, null at the end. */
  async fetchone<R = AnyRow>(options?: CallOptions): Promise<R | null> {
    this.#check();
    const patience = this.#at < this.#rows.length ? undefined : Patience.of(options);
    while (this.#at >= this.#rows.length) if (!(await this.#refill(patience))) return null;
    return this.#take() as R;
  }

  /** The next `size` rows (default {@link arraysize}), fewer at the end. */
  async fetchmany<R = AnyRow>(size: number = this.#arraysize, options?: CallOptions): Promise<R[]> {
    this.#check();
    integer(size, "size", 1, 0);
    const patience = Patience.of(options);
    const rows: R[] = [];
    while (rows.length < size) {
      if (this.#at < this.#rows.length) rows.push(this.#take() as R);
      else if (!(await this.#refill(patience))) break;
    }
    return rows;
  }

  /** All rows that are left. */
  async fetchall<R = AnyRow>(options?: CallOptions): Promise<R[]> {
    this.#check();
    const patience = Patience.of(options);
    const rows = this.#takeAll() as R[];
    if (this.#ahead !== null) {
      await this.#refill(patience);
      for (const row of this.#takeAll()) rows.push(row as R);
    }
    if (this.#more) {
      const settings = this.#settings;
      const call = this.#fetch(-1, patience);
      call.objects = buildsObjects(settings);
      const id = this.#id;
      this.#ended();
      try {
        await this.#runner.settle(call);
      } catch (error) {
        this.#runner.channel.release(id);
        throw error;
      }
      for (const row of makeRows(call, settings, () => this)) rows.push(row as R);
    }
    return rows;
  }

  /** Lets go of the rows that are left, and of the locks that go with them. A closed cursor takes no further calls. */
  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.#runner.closed) throw this.#runner.closedReason();
    const halfRead = this.#more;
    this.#reset();
    this.#closed = true;
    if (!halfRead) return;
    const released = this.#runner.control(Verb.BARRIER);
    // Not down the lane, where it would wait for a transaction that this cursor is no part of.
    this.#runner.channel.send(released);
    // A thread that died has let go of everything.
    await released.promise.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#runner.closed) await this.close();
  }

  /** Gives the rows that are left; leaving the loop leaves the cursor open, as in aiosqlite. */
  [Symbol.asyncIterator](): AsyncIterableIterator<AnyRow> {
    return {
      next: () => {
        // A row that is there costs one resolved promise, not the machinery of an async generator.
        try {
          const row = this.takeBuffered();
          return row === undefined ? this.#nextSlow() : Promise.resolve({ value: row, done: false as const });
        } catch (error) {
          return Promise.reject(error);
        }
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** @internal The next row if it is here; undefined if it is not, or if a row factory made it undefined. */
  takeBuffered(): unknown {
    return this.#at < this.#rows.length && !this.#closed && !this.#runner.closed
      ? this.#peekTake()
      : undefined;
  }

  #peekTake(): unknown {
    if (this.#rows[this.#at] === undefined) return undefined;
    return this.#take();
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
    this.#check();
    const runner = this.#runner;
    const id = runner.channel.nextNumber();
    const call = runner.query(Mode.CURSOR, sql, parameters, id, this.#flags);
    (call.fields as unknown[])[3] = this.#iterChunkSize;
    call.objects = false;
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
    this.describe(call.shape);
    this.#rowcount = call.changes;
    this.#lastrowid = call.lastInsertRowid;
    this.#interrupts = settings.interrupts;
    this.#rows = call.rows as unknown[][];
    this.#more = call.more;
    if (!call.more) return;
    dropped.register(this, { runner: this.#runner, id: this.#id }, this);
    // A transaction that ended meanwhile has let go of its cursors already.
    if (this.#runner.closed) this.#release();
    else cursors.add(this.#id);
  }

  get #settings(): RowSettings {
    return { ...rowSettings(this.#runner.settings), rowFactory: this.#rowFactory };
  }

  #take(): unknown {
    if (this.#more && this.#ahead === null) this.#askAhead();
    const { textFactory } = this.#runner.settings;
    if (this.#make === null || this.#madeFor !== textFactory) {
      this.#make = rowMaker(this.#shape, this.#settings, () => this);
      this.#madeFor = textFactory;
    }
    return this.#make(this.#rows[this.#at++]!);
  }

  /** The rows that are here. */
  #takeAll(): unknown[] {
    const rows = this.#rows.slice(this.#at);
    this.#rows = [];
    this.#at = 0;
    return makeRows({ rows, shape: this.#shape, objects: false }, this.#settings, () => this);
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
    this.#runner.channel.postNow();
  }

  #fetch(limit: number, patience: Patience | undefined): Call {
    if (this.#interrupts !== this.#runner.settings.interrupts) {
      this.#release();
      throw new OperationalError("interrupted", { code: "SQLITE_INTERRUPT" });
    }
    const call = new Call(Op.FETCH, null, [this.#id, limit]);
    call.shape = this.#shape;
    this.#runner.submit(call, patience, null);
    return call;
  }

  /** Makes the next chunk the current one. False at the end. */
  async #refill(patience: Patience | undefined): Promise<boolean> {
    if (this.#ahead === null) {
      if (!this.#more) return false;
      this.#ahead = this.#fetch(this.#iterChunkSize, patience);
    } else if (patience !== undefined) this.#runner.watch(this.#ahead, patience);
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
      if (!call.more) this.#ended();
      this.#rows = call.rows as unknown[][];
      this.#at = 0;
    }
    return true;
  }

  #check(): void {
    if (this.#runner.closed) throw this.#runner.closedReason();
    if (this.#closed) throw closedCursor();
  }

  #reset(): void {
    if (this.#more) this.#release();
    this.#ahead = null;
    this.#rows = [];
    this.#at = 0;
    this.describe(null);
    this.#rowcount = -1;
    this.#id = 0;
  }

  #release(): void {
    this.#ended();
    this.#runner.channel.release(this.#id);
  }

  #ended(): void {
    this.#more = false;
    this.#runner.cursors.delete(this.#id);
    dropped.unregister(this);
  }
}

function closedCursor(): ProgrammingError {
  return new ProgrammingError("Cannot operate on a closed cursor.", { code: "SQLITE_MISUSE" });
}
