import { Op } from "@sqlite-aio/worker/wire";
import { Call } from "../thread/call.js";
import { OperationalError } from "../errors/errors.js";
import type { Deadline } from "../options/deadline.js";
import type { Handle } from "./handle.js";
import type { Shape } from "../values/shape.js";

/** A cursor that is dropped half read must not hold its snapshot, and with it the write-ahead log, for ever. */
const dropped = new FinalizationRegistry<{ readonly handle: Handle; readonly id: number }>(
  ({ handle, id }) => {
    if (handle.cursors.delete(id)) handle.release(id);
  },
);

/** Rows of the largest chunk that is asked for by itself: what the thread packs at a time. */
const MAX_CHUNK = 2048;

/** One result on its way here, as arrays of cells: a chunk that is here, and the next one asked for ahead. */
export class CursorRows {
  readonly shape: Shape | null;
  readonly #handle: Handle;
  readonly #id: number;
  /** How many rows are asked for next. */
  #chunk: number;
  /** How many chunks the reader has waited for. */
  #waits = 0;
  readonly #sql: string | undefined;
  readonly #interrupts: number;
  #rows: unknown[][];
  #at = 0;
  #more: boolean;
  #ahead: Call | null = null;
  #closed = false;

  /** `query` is the answered call that opened the cursor; further rows come `chunk` at a time at first. */
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
    // A transaction that ended meanwhile has let go of its cursors already.
    if (handle.closed) this.#release();
    else handle.cursors.add(this.#id);
  }

  /** A row is here. */
  get here(): boolean {
    return this.#at < this.#rows.length;
  }

  /** No row is left, here or in the thread. */
  get exhausted(): boolean {
    return !this.here && !this.#more;
  }

  /** The row that is {@link here}. */
  take(): unknown[] {
    if (this.#more && this.#ahead === null) this.#askAhead();
    return this.#rows[this.#at++]!;
  }

  /** All rows that are {@link here}. */
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
    // Of several fetches that waited for this chunk, the first makes it current.
    if (this.#ahead === call) {
      this.#ahead = null;
      if (waited) this.#grow();
      if (!call.more) this.#ended();
      this.#rows = call.rows as unknown[][];
      this.#at = 0;
    }
    return true;
  }

  /** Who waits for rows again and again gets more of them at a time: each chunk wakes both threads. */
  #grow(): void {
    if (++this.#waits > 1 && this.#chunk < MAX_CHUNK) this.#chunk = Math.min(this.#chunk * 2, MAX_CHUNK);
  }

  /** Gives up the chunk that is under way. */
  giveUp(reason: unknown): void {
    if (this.#ahead !== null) this.#handle.giveUp(this.#ahead, reason);
  }

  /** True if there is a chunk to {@link refill} with before the rest can be asked for. */
  get expecting(): boolean {
    return this.#ahead !== null;
  }

  /** Asks for all rows that are not here, as objects or arrays; null if there are none. */
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

  /** Lets go of the rows that are left. True if the thread held some. */
  close(): boolean {
    const halfRead = this.#more;
    this.#closed = true;
    this.#rows = [];
    if (halfRead) this.#release();
    return halfRead;
  }

  #askAhead(): void {
    // Said when the rows that are here have been read, in place of those that are not.
    if (this.#interrupts !== this.#handle.settings.interrupts) return;
    try {
      // Before those who watch are told of a call that nobody has made.
      this.#handle.lane.refuseDeadlock();
      this.#ahead = this.#fetch(this.#chunk, undefined);
    } catch {
      // The handle is leased to its own transaction: asked again when the rows are needed.
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
