import type { Call } from "./call.js";

/** The requests for a cursor's next rows. Does not refer to the cursor, which may be garbage-collected meanwhile. */
export interface RowRequests {
  readonly calls: readonly Call[];
  /** A caller waits for one of them. */
  readonly awaited: boolean;
}

/** What open cursors need from their handle. */
export interface CursorHost {
  /** Cancels a call. If it runs, it is interrupted, if possible, or stopped between two rows. */
  discourage(call: Call, interrupts: boolean): void;
  /** Tells the thread to close the cursor of this number. */
  release(number: number): void;
}

/** What a handle has open in the thread, by number: half-read cursors and blobs. */
export class OpenCursors {
  readonly #host: CursorHost;
  readonly #outer: OpenCursors | null;
  readonly #open = new Map<number, RowRequests>();

  /** `outer` are those of the handle that this handle is a lease of. */
  constructor(host: CursorHost, outer: OpenCursors | null) {
    this.#host = host;
    this.#outer = outer;
  }

  /** Adds a cursor. It is closed if `owner` is garbage-collected before. */
  add(number: number, owner: WeakKey, requests: RowRequests = { calls: [], awaited: false }): void {
    this.#open.set(number, requests);
    collected.register(owner, { cursors: this, number }, requests);
  }

  /** Removes a cursor that the thread has closed. False if it was closed before. */
  delete(number: number): boolean {
    return this.#take(number) !== undefined;
  }

  /** Closes a cursor, unless it was closed before, and stops the requests for its rows. */
  close(number: number): void {
    const requests = this.#take(number);
    if (requests === undefined) return;
    this.#stop(requests);
    this.#host.release(number);
  }

  /** Closes all cursors. Requests that a caller waits for are answered. */
  closeAll(): void {
    const open = [...this.#open];
    for (const [number] of open) this.#take(number);
    for (const [number, requests] of open) {
      if (!requests.awaited) this.#stop(requests);
      this.#host.release(number);
    }
  }

  /** An interrupt would end other cursors, too. Beside those, requests are stopped between two rows. */
  #stop({ calls }: RowRequests): void {
    for (const call of calls) {
      call.leave();
      this.#host.discourage(call, this.empty);
    }
  }

  #take(number: number): RowRequests | undefined {
    const requests = this.#open.get(number);
    if (requests === undefined) return undefined;
    this.#open.delete(number);
    collected.unregister(requests);
    return requests;
  }

  /** Nothing is open, neither here nor in an outer handle. */
  get empty(): boolean {
    return this.#open.size === 0 && this.#outer?.empty !== false;
  }
}

/**
 * A half-read cursor that nobody can read any more must not hold its snapshot, and so the write-ahead log, for ever; a
 * blob must not keep its transaction open.
 */
const collected = new FinalizationRegistry<{ readonly cursors: OpenCursors; readonly number: number }>(
  ({ cursors, number }) => cursors.close(number),
);
