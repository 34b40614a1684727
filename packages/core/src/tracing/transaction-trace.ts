import {
  acquireChannel,
  type AcquireEvent,
  Trace,
  transactionChannel,
  type TransactionEvent,
} from "./channels.js";

/** A transaction for those who watch, from the call of the method to its end. */
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
 * Publishes a transaction, where anybody wants to know. Not an async function, which would take one of the ten places that
 * an error's stack has for callers.
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

/** Publishes a wait for a lease; `threadOf` tells whose it is. */
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
