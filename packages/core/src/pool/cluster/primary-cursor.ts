import { factsOf } from "@sqlite-aio/worker/sql";
import { ProgrammingError } from "../../errors/errors.js";
import type { CallOptions } from "../../options/connect-options.js";
import type { ParametersOf } from "../../values/bind.js";
import { partsOf, type SqlStatement } from "../../values/sql-statement.js";
import type { AnyRow, LoopRow } from "../../values/row-maker.js";
import type { ColumnDescription } from "../../connection/cursor.js";
import type { RemoteResult } from "./remote-values.js";

/** Default number of rows of `fetchmany()`. */
const ARRAY_SIZE = 1;

/** Runs a cursor's statements and builds its rows. */
export interface CursorOwner {
  perform(sql: string, parameters?: object, options?: CallOptions): Promise<RemoteResult>;
  rowsOf(result: RemoteResult, cursor: PrimaryCursor): unknown[];
}

/** An aiosqlite cursor on a connection at the primary, which sends all rows at once. */
export class PrimaryCursor implements AsyncDisposable {
  readonly #owner: CursorOwner;
  /** Rows that `fetchmany()` gives by default. */
  arraysize = ARRAY_SIZE;
  /** Rows that a cursor fetches at a time. Unused here: the primary sends all rows at once. */
  iterChunkSize: number;
  #result: RemoteResult | null = null;
  #rows: unknown[] = [];
  #at = 0;
  #changes = -1;
  #lastrowid: number | bigint | null = null;
  #closed = false;

  /** @internal Use `connection.cursor()`. */
  constructor(owner: CursorOwner, iterChunkSize: number) {
    this.#owner = owner;
    this.iterChunkSize = iterChunkSize;
  }

  /** Rows changed by an INSERT, UPDATE, DELETE or REPLACE; else -1. */
  get rowcount(): number {
    return this.#changes;
  }

  /** Rowid of the latest INSERT of this cursor; null if there was none. */
  get lastrowid(): number | bigint | null {
    return this.#lastrowid;
  }

  /** Names of the columns, each with six nulls; null for a statement without rows. */
  get description(): readonly ColumnDescription[] | null {
    const names = this.#result?.shape.names ?? [];
    return names.length === 0
      ? null
      : names.map((name) => [name, null, null, null, null, null, null] as const);
  }

  /** Runs a statement. */
  async execute<P extends ParametersOf<P>>(
    given: string | SqlStatement,
    values?: P,
    options?: CallOptions,
  ): Promise<this> {
    const [sql, parameters] = partsOf(given, values);
    this.#check();
    this.#take(await this.#owner.perform(sql, parameters, options), sql);
    return this;
  }

  /** The next row; null at the end. */
  async fetchone<R = AnyRow>(): Promise<R | null> {
    this.#check();
    return this.#at < this.#rows.length ? (this.#rows[this.#at++] as R) : null;
  }

  /** The next rows, at most `size`. */
  async fetchmany<R = AnyRow>(size = this.arraysize): Promise<R[]> {
    this.#check();
    const rows = this.#rows.slice(this.#at, this.#at + size) as R[];
    this.#at += rows.length;
    return rows;
  }

  /** All rows that are left. */
  async fetchall<R = AnyRow>(): Promise<R[]> {
    this.#check();
    const rows = this.#rows.slice(this.#at) as R[];
    this.#at = this.#rows.length;
    return rows;
  }

  /** The rows, one after the other. */
  async *[Symbol.asyncIterator](): AsyncGenerator<LoopRow, undefined, undefined> {
    for (let row = await this.fetchone(); row !== null; row = await this.fetchone()) yield row;
  }

  /** Drops the rows. A second call does nothing. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#rows = [];
  }

  /** Closes the cursor at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #take(result: RemoteResult, sql: string): void {
    this.#result = result;
    this.#rows = this.#owner.rowsOf(result, this);
    this.#at = 0;
    const { writes, inserts } = factsOf(sql);
    this.#changes = writes ? result.changes : -1;
    if (inserts) this.#lastrowid = result.lastInsertRowid;
  }

  #check(): void {
    if (this.#closed)
      throw new ProgrammingError("Cannot operate on a closed cursor.", { code: "SQLITE_MISUSE" });
  }
}
