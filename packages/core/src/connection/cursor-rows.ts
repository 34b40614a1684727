import { Op } from "@sqlite-aio/worker/wire";
import { Call } from "../thread/call.js";
import { OperationalError } from "../errors/errors.js";
import type { Deadline } from "../options/deadline.js";
import type { Handle } from "./handle.js";
import type { RowRequests } from "../thread/open-cursors.js";
import type { Shape } from "../values/shape.js";

/** The chunk size grows up to this many rows, which is what the thread packs at a time. */
const MAX_CHUNK = 2048;

/** The requests for the next chunks, in order. */
class ReadAhead implements RowRequests {
  readonly calls: Call[] = [];
  #waiting = 0;

  get awaited(): boolean {
    return this.#waiting > 0;
  }

  /** Waits for the answer to the first one. */
  async settle(handle: Handle): Promise<void> {
    this.#waiting++;
    try {
      await handle.settle(this.calls[0]!);
    } finally {
      this.#waiting--;
    }
  }
}

/** The rows of one result, as arrays of cells: the current chunk, and the requests for the next ones. */
export class CursorRows {
  readonly shape: Shape | null;
  /** Each character of a text is a byte of its UTF-8. */
  readonly rawText: boolean;
  readonly #handle: Handle;
  readonly #id: number;
  /** Rows to request next. */
  #chunk: number;
  /** Chunks that the reader had to wait for. */
  #waits = 0;
  readonly #sql: string | undefined;
  readonly #interrupts: number;
  #rows: unknown[][];
  #at = 0;
  #more: boolean;
  readonly #ahead = new ReadAhead();
  /** Chunks to request ahead. */
  #depth: number;
  #closed = false;

  /** `query` is the answered call that opened the cursor. Later chunks have `chunk` rows at first. */
  constructor(handle: Handle, query: Call, chunk: number) {
    this.shape = query.shape;
    this.rawText = query.rawText;
    this.#handle = handle;
    this.#id = query.cursor;
    this.#chunk = chunk;
    // Who reads one row at a time may want no second one, so nothing is requested ahead until it has been asked for.
    this.#depth = chunk > 1 ? 1 : 0;
    this.#sql = query.sql;
    this.#interrupts = handle.settings.interrupts;
    this.#rows = query.rows as unknown[][];
    this.#more = query.more;
    if (!query.more) return;
    // If the transaction has ended meanwhile, the thread has closed its cursors already.
    if (handle.closed) {
      this.#more = false;
      handle.release(this.#id);
    } else handle.cursors.add(this.#id, this, this.#ahead);
  }

  /** A row can be taken without waiting. */
  get here(): boolean {
    return this.#at < this.#rows.length;
  }

  /** No row is left, neither in this chunk nor in the thread. */
  get exhausted(): boolean {
    return !this.here && !this.#more;
  }

  /** The next row of the current chunk. */
  take(): unknown[] {
    if (this.#ahead.calls.length < this.#depth && this.#more) this.#askAhead();
    return this.#rows[this.#at++]!;
  }

  /** The remaining rows of the current chunk. */
  takeAll(): unknown[][] {
    const rows = this.#rows.slice(this.#at);
    this.#at = this.#rows.length;
    return rows;
  }

  /** Waits for the next chunk. False at the end. */
  async refill(deadline: Deadline | undefined): Promise<boolean> {
    const { calls } = this.#ahead;
    if (calls.length === 0) {
      if (!this.#more) return false;
      calls.push(this.#fetch(this.#chunk, deadline));
    } else if (deadline !== undefined) this.#handle.watch(calls[0]!, deadline);
    const call = calls[0]!;
    const waited = !call.settled;
    try {
      await this.#ahead.settle(this.#handle);
    } catch (error) {
      if (this.#closed) return false;
      if (calls[0] === call) this.#release();
      throw error;
    }
    if (this.#closed) return false;
    // If several fetches waited for this chunk, the first one makes it current.
    if (calls[0] === call) {
      calls.shift();
      if (waited) this.#grow();
      if (!call.more) this.#ended();
      this.#rows = call.rows as unknown[][];
      this.#at = 0;
    }
    return true;
  }

  /**
   * A reader that waits repeatedly gets larger chunks, because each chunk wakes both threads; and two of them ahead, so
   * that the thread reads one while the other is on its way.
   */
  #grow(): void {
    if (++this.#waits === 1) this.#depth = 1;
    else {
      this.#chunk = Math.min(this.#chunk * 2, MAX_CHUNK);
      this.#depth = 2;
    }
  }

  /** Cancels the requests for the next chunks. */
  giveUp(reason: unknown): void {
    for (const call of this.#ahead.calls) this.#handle.giveUp(call, reason);
  }

  /** True if the next chunk is requested already: {@link refill} before calling {@link rest}. */
  get expecting(): boolean {
    return this.#ahead.calls.length > 0;
  }

  /** Requests all rows that are still in the thread, as objects or arrays; null if there are none. */
  async rest(objects: boolean, deadline: Deadline | undefined): Promise<Call | null> {
    if (!this.#more) return null;
    const call = this.#fetch(-1, deadline, objects);
    this.#ended();
    try {
      return await this.#handle.settle(call);
    } catch (error) {
      this.#handle.release(this.#id);
      throw error;
    }
  }

  /** Drops the remaining rows, and stops the statement if it is computing some. True if the thread held rows. */
  close(): boolean {
    const halfRead = this.#more;
    this.#closed = true;
    this.#rows = [];
    if (halfRead) this.#release();
    return halfRead;
  }

  #askAhead(): void {
    // After interrupt(), the current chunk can still be read. The error comes with the request for the next one.
    if (this.#interrupts !== this.#handle.settings.interrupts) return;
    let call: Call;
    try {
      // Checked first, so that diagnostics channels never see a call that was not made.
      this.#handle.lane.refuseDeadlock();
      call = this.#fetch(this.#chunk, undefined);
    } catch {
      // The handle is leased to its own transaction. The request is made when the rows are needed.
      return;
    }
    this.#ahead.calls.push(call);
    call.promise.catch(() => {});
    this.#handle.postNow();
  }

  #fetch(limit: number, deadline: Deadline | undefined, objects = false): Call {
    if (this.#interrupts !== this.#handle.settings.interrupts) {
      this.#release();
      throw new OperationalError("interrupted", { code: "SQLITE_INTERRUPT" });
    }
    const traits = { sql: this.#sql, shape: this.shape, objects };
    const call = new Call(Op.FETCH, null, [this.#id, limit], traits);
    this.#handle.submit(call, deadline, null);
    return call;
  }

  #release(): void {
    this.#handle.cursors.close(this.#id);
    this.#ended();
  }

  #ended(): void {
    this.#more = false;
    this.#ahead.calls.length = 0;
    this.#handle.cursors.delete(this.#id);
  }
}

/** An execute() of a cursor, and the fetches that read its rows. */
export class Execution {
  /** Null once it is answered: it holds the first rows. */
  #opening: Call | null;
  #rows: CursorRows | null = null;
  /** Fetches under way. */
  #fetches = 0;
  /** The cursor was used again or closed. */
  #replaced = false;

  constructor(call: Call) {
    this.#opening = call;
  }

  /** Its call, until it is answered. */
  get opening(): Call | null {
    return this.#opening;
  }

  /** Null before the answer, and if it failed. */
  get rows(): CursorRows | null {
    return this.#rows;
  }

  /** The cursor was used again or closed, and no fetch that began before needs the rows. */
  get unwanted(): boolean {
    return this.#replaced && this.#fetches === 0;
  }

  /** Notes the answer. */
  opened(rows: CursorRows | null): void {
    this.#rows = rows;
    this.#opening = null;
  }

  /** Runs `read` as soon as there is an answer; `none` if there are no rows, unless `check` throws then. */
  async fetch<T>(none: T, read: (rows: CursorRows) => Promise<T>, check: () => void): Promise<T> {
    this.#fetches++;
    try {
      if (this.#opening !== null) {
        // Whoever called execute() awaits this promise first, and then calls opened().
        while (this.#opening !== null) await this.#opening.promise.then(ignore, ignore);
        if (this.#rows === null) check();
      }
      return this.#rows === null ? none : await read(this.#rows);
    } finally {
      this.#fetches--;
      if (this.unwanted) this.#rows?.close();
    }
  }

  /** The cursor is used again or closed. Fetches that began before get their rows, as they are called in order. */
  replaced(): void {
    this.#replaced = true;
    if (this.unwanted) this.#rows?.close();
  }
}

function ignore(): void {}
