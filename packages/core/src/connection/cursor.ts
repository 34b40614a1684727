import { inspect, type InspectOptionsStylized } from "node:util";
import { Flag, Mode, type SqlValue, Verb } from "@sqlite-aio/worker/wire";
import { columnName } from "../values/adapters.js";
import { executeBatches } from "./executemany.js";
import type { ParametersOf } from "../values/bind.js";
import type { Call } from "../thread/call.js";
import type { Connection } from "./connection.js";
import { CursorRows, Execution } from "./cursor-rows.js";
import { ProgrammingError, readOnly } from "../errors/errors.js";
import { boolean, type CallOptions, integer, checkOptions } from "../options/connect-options.js";
import { LEGACY_TRANSACTION_CONTROL } from "../options/autocommit.js";
import { Deadline } from "../options/deadline.js";
import {
  type AnyRow,
  buildsObjects,
  type LoopRow,
  makeRows,
  type RowMaker,
  rawTextFlag,
  rowMaker,
  type RowSettings,
  rowSettings,
} from "../values/row-maker.js";
import { type Caller, type Handle, integerFlag, toError, type QuerySpec } from "./handle.js";
import type { SqlStatement } from "../values/sql-statement.js";
import { inspected } from "../tracing/inspected.js";
import { type ColumnInfo, columnsOf, type Shape } from "../values/shape.js";

/** Options of `executescript()`. */
export interface ScriptOptions extends CallOptions {
  /** Commit an open transaction first, as CPython does. Default true. Inside `transaction()` it never commits. */
  commit?: boolean | undefined;
}

/** PEP 249's description of a column: its name, and six values that SQLite does not provide. */
export type ColumnDescription = readonly [string, null, null, null, null, null, null];

/** `null` for arrays, `Row` for objects, or a function that makes the row. */
export type RowFactory = null | ((cursor: Cursor, row: unknown[]) => unknown);

/**
 * A statement's result, read on demand: rows come in chunks of `iterChunkSize`, and the next chunk is requested ahead.
 *
 * @example
 * await using cursor = await db.execute("SELECT name FROM city WHERE population > ?", [1e6]);
 * for await (const [name] of cursor) console.log(name);
 */
export class Cursor {
  readonly #connection: Connection | null;
  readonly #flags: number;
  readonly #handle: Handle;
  /** The last execute(). */
  #current: Execution | null = null;
  /** Rows are made when they are fetched, with the row factory that is set then. */
  #make: RowMaker | null = null;
  #madeFor: { readonly execution: Execution; readonly textFactory: unknown } | null = null;
  #closed = false;
  #shape: Shape | null = null;
  #description: ColumnDescription[] | null = null;
  #rowcount = -1;
  #lastrowid: number | bigint | null = null;
  #rowFactory: RowFactory;
  #arraysize = 1;
  #iterChunkSize: number;

  /** @internal Use `connection.cursor()` or `connection.execute()`. */
  constructor(connection: Connection | null, handle: Handle, flags = 0) {
    this.#connection = connection;
    this.#flags = flags;
    this.#handle = handle;
    this.#rowFactory = handle.settings.rowFactory;
    this.#iterChunkSize = handle.settings.iterChunkSize;
  }

  /** The connection that the cursor belongs to. */
  get connection(): Connection {
    // Null only for a pool's internal cursors, which no user sees.
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

  /** One entry per column; null if the last statement returns no rows. */
  get description(): ColumnDescription[] | null {
    const { detectTypes } = this.#handle.settings;
    this.#description ??=
      this.#shape?.names.map((name) => [columnName(detectTypes, name), null, null, null, null, null, null]) ??
      null;
    return this.#description;
  }

  /** Origin and declared type of each column; null if the last statement returns no rows. */
  columns(): ColumnInfo[] | null {
    const { detectTypes } = this.#handle.settings;
    if (this.#shape === null) return null;
    const names = this.#shape.names.map((name) => columnName(detectTypes, name));
    return columnsOf({ ...this.#shape, names });
  }

  /** Rows that `fetchmany()` gives by default. */
  get arraysize(): number {
    return this.#arraysize;
  }

  /** Holds for the next `fetchmany()`. Throws RangeError below 0. */
  set arraysize(size: number) {
    this.#arraysize = integer(size, "arraysize", 1, 0);
  }

  /** Rows fetched at a time from the next `execute` on. */
  get iterChunkSize(): number {
    return this.#iterChunkSize;
  }

  /** Holds from the next `execute` on. Throws RangeError below 1. */
  set iterChunkSize(size: number) {
    this.#iterChunkSize = integer(size, "iterChunkSize", 64, 1);
  }

  /** How rows are built: null for arrays, `Row` for objects, or a function. */
  get rowFactory(): RowFactory {
    return this.#rowFactory;
  }

  /** Holds for rows fetched from now on. */
  set rowFactory(factory: RowFactory) {
    if (factory !== null && typeof factory !== "function")
      throw new TypeError("rowFactory must be null or a function");
    this.#rowFactory = factory;
    this.#make = null;
  }

  /** @internal Cancels what the caller waits for: the statement that is being started, or the next rows. */
  giveUp(reason: unknown): void {
    const execution = this.#current;
    const opening = execution?.opening ?? null;
    if (opening !== null) this.#handle.giveUp(opening, reason);
    execution?.rows?.giveUp(reason);
  }

  /** @internal Gives a row factory's cursor the description of rows that the cursor did not fetch itself. */
  describe(shape: Shape | null): this {
    this.#shape = shape;
    this.#description = null;
    this.#make = null;
    return this;
  }

  /** Runs one statement. Rejects with a {@link ProgrammingError} if the parameters do not fit. */
  async execute<P extends ParametersOf<P>>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<this> {
    this.#check();
    const handle = this.#handle;
    const call = handle.query(Mode.CURSOR, sql, parameters, this.#spec(integerFlag(options)));
    const execution = this.#send(call, options, this.execute);
    try {
      await call.promise;
    } catch (reason) {
      execution.opened(null);
      throw toError(reason, call);
    }
    return this.#opened(execution, call);
  }

  /**
   * @internal {@link execute} in two steps: text, values and options are taken now; the returned function sends the
   * call. Throws if one of them is wrong.
   */
  taken(
    sql: string | SqlStatement,
    parameters: object | undefined,
    options: CallOptions | undefined,
  ): () => Promise<this> {
    const limits = options === undefined ? undefined : { ...Deadline.check(options) };
    const call = this.#handle.query(Mode.CURSOR, sql, parameters, this.#spec(integerFlag(limits)));
    return async () => {
      this.#check();
      return await this.#started(this.#send(call, limits, this.execute), call);
    };
  }

  /** @internal {@link execute} with values that are already bound. */
  async executeBound(sql: string, values: readonly SqlValue[]): Promise<this> {
    this.#check();
    const call = this.#handle.queryBound(Mode.CURSOR, sql, values, this.#spec(0));
    return await this.#started(this.#send(call, undefined, this.executeBound), call);
  }

  /** Runs a DML statement once for each parameter set of an Iterable or AsyncIterable, in bounded memory. */
  async executemany<P extends ParametersOf<P>>(
    sql: string | SqlStatement,
    parameterSets: Iterable<P> | AsyncIterable<P>,
    options?: CallOptions,
  ): Promise<this> {
    this.#check();
    this.#reset();
    this.#rowcount = await executeBatches(this.#handle, sql, parameterSets, options, this.executemany);
    return this;
  }

  /** Commits an open transaction, unless `commit` is false, then runs the statements of a script. */
  async executescript(sql: string | SqlStatement, options?: ScriptOptions): Promise<this> {
    this.#check();
    const { commit, ...limits } = checkOptions(options ?? {}, ["commit", "signal", "timeout"]);
    const commits = commit === undefined || boolean(commit, "commit");
    this.#reset();
    const legacy = this.#handle.settings.autocommit === LEGACY_TRANSACTION_CONTROL;
    const flags = this.#handle.scoped || !legacy || !commits ? 0 : Flag.COMMIT_FIRST;
    await this.#handle.perform(this.#handle.script(sql, flags), limits, this.executescript);
    return this;
  }

  /** The next row, null at the end. */
  async fetchone<R = AnyRow>(options?: CallOptions): Promise<R | null> {
    this.#check();
    const current = this.#current;
    if (current?.rows?.here) return this.#take(current) as R;
    return await this.#fetch<R | null>(null, async (rows, execution) => {
      const deadline = rows.here ? undefined : Deadline.of(options);
      while (!rows.here) if (!(await rows.refill(deadline))) return null;
      return this.#take(execution) as R;
    });
  }

  /** The next `size` rows (default {@link arraysize}), fewer at the end. */
  async fetchmany<R = AnyRow>(size: number = this.#arraysize, options?: CallOptions): Promise<R[]> {
    this.#check();
    integer(size, "size", 1, 0);
    return await this.#fetch<R[]>([], async (result, execution) => {
      const deadline = Deadline.of(options);
      const rows: R[] = [];
      while (rows.length < size) {
        if (result.here) rows.push(this.#take(execution) as R);
        else if (!(await result.refill(deadline))) break;
      }
      return rows;
    });
  }

  /**
   * The rest of the current chunk, up to {@link iterChunkSize} rows; none at the end. An error behind these rows
   * belongs to the next call.
   */
  async fetchchunk<R = AnyRow>(options?: CallOptions): Promise<R[]> {
    this.#check();
    return await this.#fetch<R[]>([], async (result, execution) => {
      const deadline = result.here ? undefined : Deadline.of(options);
      while (!result.here) if (!(await result.refill(deadline))) return [];
      // take() also requests the next chunk.
      const first = this.#take(execution);
      const rows = this.#takeAll(execution, result);
      rows.unshift(first);
      return rows as R[];
    });
  }

  /** All rows that are left. */
  async fetchall<R = AnyRow>(options?: CallOptions): Promise<R[]> {
    this.#check();
    return await this.#fetch<R[]>([], async (result, execution) => {
      const deadline = Deadline.of(options);
      const rows = this.#takeAll(execution, result) as R[];
      while (result.expecting) {
        await result.refill(deadline);
        for (const row of this.#takeAll(execution, result)) rows.push(row as R);
      }
      const settings = this.#settings;
      const call = await result.rest(buildsObjects(settings) && !result.rawText, deadline);
      if (call === null) return rows;
      const { objects, shape } = call;
      const rest = { rows: call.rows, objects, shape, rawText: result.rawText };
      for (const row of makeRows(rest, settings, () => this.#shownTo(execution))) rows.push(row as R);
      return rows;
    });
  }

  /** Drops the remaining rows and their locks. A closed cursor takes no further calls. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#handle.check();
    const halfRead = this.#current?.rows?.close() ?? false;
    this.#current?.replaced();
    this.#current = null;
    this.#closed = true;
    if (!halfRead) return;
    const released = this.#handle.control(Verb.BARRIER);
    // Sent past the lane: there it would wait for a transaction that this cursor does not belong to.
    this.#handle.channel.send(released);
    // A thread that died has released everything.
    await released.promise.catch(() => {});
  }

  /** Closes the cursor at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#handle.closed) await this.close();
  }

  /** @internal What `console.log()` shows. */
  [inspect.custom](depth: number, options: InspectOptionsStylized): string {
    const columns = this.#shape?.names ?? [];
    const { rowcount, lastrowid } = this;
    return inspected(this, { state: this.#state, columns, rowcount, lastrowid }, depth, options);
  }

  get #state(): string {
    if (this.#closed || this.#handle.closed) return "closed";
    if (this.#current === null) return "unused";
    const { opening, rows } = this.#current;
    if (opening !== null) return "running";
    if (rows === null) return "unused";
    return rows.exhausted ? "read" : "half read";
  }

  /** Iterates over the remaining rows. Leaving the loop leaves the cursor open, as in aiosqlite. */
  [Symbol.asyncIterator](): AsyncIterableIterator<LoopRow> {
    return {
      next: () => {
        // A buffered row costs one resolved promise, not the machinery of an async generator.
        if (!this.#buffered) return this.#nextSlow();
        try {
          return Promise.resolve({ value: this.#take(this.#current!), done: false as const });
        } catch (error) {
          return Promise.reject(error);
        }
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** @internal The next row as an iterator result, if it is buffered; else undefined. */
  takeBuffered(): { value: AnyRow; done: false } | undefined {
    return this.#buffered ? { value: this.#take(this.#current!) as AnyRow, done: false } : undefined;
  }

  get #buffered(): boolean {
    return this.#current?.rows?.here === true && !this.#closed && !this.#handle.closed;
  }

  async #nextSlow(): Promise<IteratorResult<unknown>> {
    const rows = await this.fetchmany(1);
    return rows.length === 0 ? { value: undefined, done: true } : { value: rows[0], done: false };
  }

  /** Rows come as arrays, the first chunk together with the answer. */
  #spec(flags: number): QuerySpec {
    const cursor = this.#handle.nextNumber();
    const all = this.#flags | flags | rawTextFlag(this.#handle.settings);
    return { cursor, limit: this.#iterChunkSize, flags: all, objects: false };
  }

  #send(call: Call, options: CallOptions | undefined, caller: Caller | null): Execution {
    this.#handle.submit(call, options, caller);
    this.#reset();
    return (this.#current = new Execution(call));
  }

  async #started(execution: Execution, call: Call): Promise<this> {
    try {
      await this.#handle.settle(call);
    } catch (error) {
      execution.opened(null);
      throw error;
    }
    return this.#opened(execution, call);
  }

  #opened(execution: Execution, call: Call): this {
    // The cursor may have been used again or closed meanwhile. From a handle that is closed, no further rows come.
    if (call.refused || execution.unwanted || (call.more && this.#handle.closed)) {
      execution.opened(null);
      if (call.refused) throw readOnly(call.sql);
      if (call.more) this.#handle.release(call.cursor);
      return this;
    }
    execution.opened(new CursorRows(this.#handle, call, this.#iterChunkSize));
    if (execution !== this.#current) return this;
    this.describe(call.shape);
    this.#rowcount = call.changes;
    this.#lastrowid = call.lastInsertRowid;
    return this;
  }

  /** Reads rows of the last execute(), after its answer. Its own caller gets its error: then there are none. */
  async #fetch<T>(none: T, read: (rows: CursorRows, execution: Execution) => Promise<T>): Promise<T> {
    const execution = this.#current;
    if (execution === null) return none;
    return await execution.fetch(
      none,
      (rows) => read(rows, execution),
      () => this.#handle.check(),
    );
  }

  get #settings(): RowSettings {
    return { ...rowSettings(this.#handle.settings), rowFactory: this.#rowFactory };
  }

  #take(execution: Execution): unknown {
    const rows = execution.rows!;
    const cells = rows.take();
    const { textFactory } = this.#handle.settings;
    const madeFor = this.#madeFor;
    if (this.#make === null || madeFor?.execution !== execution || madeFor.textFactory !== textFactory) {
      this.#make = rowMaker(rows.shape, this.#settings, rows.rawText, () => this.#shownTo(execution));
      this.#madeFor = { execution, textFactory };
    }
    return this.#make(cells);
  }

  #takeAll(execution: Execution, result: CursorRows): unknown[] {
    const { shape, rawText } = result;
    const answered = { rows: result.takeAll(), shape, objects: false, rawText };
    return makeRows(answered, this.#settings, () => this.#shownTo(execution));
  }

  /** The cursor that a row factory gets: it describes the statement of its rows. */
  #shownTo(execution: Execution): Cursor {
    if (execution === this.#current) return this;
    return new Cursor(this.#connection, this.#handle, this.#flags).describe(execution.rows?.shape ?? null);
  }

  #check(): void {
    this.#handle.check();
    if (this.#closed) throw closedCursor();
  }

  /** Before the next statement. */
  #reset(): void {
    this.#current?.replaced();
    this.#current = null;
    this.describe(null);
    this.#rowcount = -1;
  }
}

function closedCursor(): ProgrammingError {
  return new ProgrammingError("Cannot operate on a closed cursor.", { code: "SQLITE_MISUSE" });
}
