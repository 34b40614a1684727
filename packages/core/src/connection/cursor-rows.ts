import { Op } from "@sqlite-aio/worker/wire";
import { Call } from "../thread/call.js";
import { OperationalError } from "../errors/errors.js";
import type { Deadline } from "../options/deadline.js";
import type { Handle } from "./handle.js";
import type { Shape } from "../values/shape.js";

/** A half-read cursor that is garbage-collected must not hold its snapshot, and so the write-ahead log, for ever. */
const dropped = new FinalizationRegistry<{ readonly handle: Handle; readonly id: number }>(
  ({ handle, id }) => {
    if (handle.cursors.delete(id)) handle.release(id);
  },
);

/** The chunk size grows up to this many rows, which is what the thread packs at a time. */
const MAX_CHUNK = 2048;

/** The rows of one result, as arrays of cells: the current chunk, and the request for the next one. */
export class CursorRows {
  readonly shape: Shape | null;
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
  #ahead: Call | null = null;
  #closed = false;

  /** `query` is the answered call that opened the cursor. Later chunks have `chunk` rows at first. */
  constructor(handle: Handle, query: Call, chunk: number) {
    this.shape = query.shape;
    this.#handle = handle;
    this.#id = query.cursor;
    this.#chunk = chunk;
    this.#sql = query.sql;
    this.#interrupts = handle.settings.interrupts;
    this.#rows = query.rows as unknown[][];
    this.#more = query.more;
    if (!query.more) return;
    dropped.register(this, { handle, id: this.#id }, this);
    // If the transaction has ended meanwhile, the thread has closed its cursors already.
    if (handle.closed) this.#release();
    else handle.cursors.add(this.#id);
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
    if (this.#more && this.#ahead === null && this.#reads) this.#askAhead();
    return this.#rows[this.#at++]!;
  }

  /**
   * Whether the reader will want the next chunk. Who reads one row at a time may want no second one, so nothing is
   * requested ahead until the second row has been asked for.
   */
  get #reads(): boolean {
    return this.#chunk > 1 || this.#waits > 0;
  }

  /** The remaining rows of the current chunk. */
  takeAll(): unknown[][] {
    const rows = this.#rows.slice(this.#at);
    this.#at = this.#rows.length;
    return rows;
  }

  /** Waits for the next chunk. False at the end. */
  async refill(deadline: Deadline | undefined): Promise<boolean> {
    if (this.#ahead === null) {
      if (!this.#more) return false;
      this.#ahead = this.#fetch(this.#chunk, deadline);
    } else if (deadline !== undefined) this.#handle.watch(this.#ahead, deadline);
    const call = this.#ahead;
    const waited = !call.settled;
    try {
      await this.#handle.settle(call);
    } catch (error) {
      if (this.#ahead === call) {
        this.#ahead = null;
        this.#release();
      }
      throw error;
    }
    if (this.#closed) return false;
    // If several fetches waited for this chunk, the first one makes it current.
    if (this.#ahead === call) {
      this.#ahead = null;
      if (waited) this.#grow();
      if (!call.more) this.#ended();
      this.#rows = call.rows as unknown[][];
      this.#at = 0;
    }
    return true;
  }

  /** A reader that waits repeatedly gets larger chunks, because each chunk wakes both threads. */
  #grow(): void {
    if (++this.#waits > 1 && this.#chunk < MAX_CHUNK) this.#chunk = Math.min(this.#chunk * 2, MAX_CHUNK);
  }

  /** Cancels the request for the next chunk. */
  giveUp(reason: unknown): void {
    if (this.#ahead !== null) this.#handle.giveUp(this.#ahead, reason);
  }

  /** True if the next chunk is requested already: {@link refill} before calling {@link rest}. */
  get expecting(): boolean {
    return this.#ahead !== null;
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

  /** Drops the remaining rows. True if the thread held some. */
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
    try {
      // Checked first, so that diagnostics channels never see a call that was not made.
      this.#handle.lane.refuseDeadlock();
      this.#ahead = this.#fetch(this.#chunk, undefined);
    } catch {
      // The handle is leased to its own transaction. The request is made when the rows are needed.
      this.#ahead = null;
      return;
    }
    this.#ahead.promise.catch(() => {});
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
    this.#ended();
    this.#handle.release(this.#id);
  }

  #ended(): void {
    this.#more = false;
    this.#handle.cursors.delete(this.#id);
    dropped.unregister(this);
  }
}
