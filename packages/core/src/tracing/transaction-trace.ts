import {
  acquireChannel,
  type AcquireEvent,
  Trace,
  transactionChannel,
  type TransactionEvent,
} from "./channels.js";

/** Traces a transaction from the call of the method to its end. */
export class TransactionTrace {
  readonly #trace: Trace<TransactionEvent>;
  readonly #calledAt = performance.now();
  #begunAt: number | undefined;

  constructor(mode: TransactionEvent["mode"], database: string) {
    this.#trace = new Trace(transactionChannel, {
      mode,
      database,
      thread: undefined,
      queueMs: undefined,
      openMs: undefined,
    });
  }

  begun(thread: number): void {
    this.#begunAt = performance.now();
    this.#trace.tell({ thread, queueMs: this.#begunAt - this.#calledAt });
  }

  async follow<T>(work: () => Promise<T>): Promise<T> {
    return await this.#trace.follow(work, () => {
      if (this.#begunAt !== undefined) this.#trace.tell({ openMs: performance.now() - this.#begunAt });
    });
  }
}

/**
 * Traces a transaction if anybody subscribes. Not an async function: that would take one of the ten frames of an
 * error's stack.
 */
export function traceTransaction<T>(
  mode: TransactionEvent["mode"],
  database: string,
  work: (trace: TransactionTrace | null) => Promise<T>,
): Promise<T> {
  if (!transactionChannel.hasSubscribers) return work(null);
  const trace = new TransactionTrace(mode, database);
  return trace.follow(() => work(trace));
}

/** Traces a wait for a lease; `threadOf` gives the lease's thread. */
export async function traceAcquire<T>(
  event: Pick<AcquireEvent, "method" | "role" | "database">,
  work: () => Promise<T>,
  threadOf: (lease: T) => number,
): Promise<T> {
  const calledAt = performance.now();
  const trace = new Trace<AcquireEvent>(acquireChannel, { ...event, thread: undefined, queueMs: undefined });
  return await trace.follow(work, (lease) => {
    const queueMs = performance.now() - calledAt;
    trace.tell(lease === undefined ? { queueMs } : { queueMs, thread: threadOf(lease) });
  });
}
