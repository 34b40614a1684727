import { ErrorReason, thrownFor } from "../errors/rejection.js";
import { OperationalError } from "../errors/errors.js";
import { type CallOptions, checkOptions, checkSignal, integer } from "./connect-options.js";

const CALL_OPTIONS = ["signal", "timeout", "integers"];

/** The time limit of one call, over all its steps: until its signal is aborted or its timeout has passed. */
export class Deadline {
  readonly #signal: AbortSignal | undefined;
  readonly #timeout: number;
  readonly #began: number;
  #expired = false;
  /** The reason of {@link end}. */
  #ended: { readonly reason: unknown } | null = null;
  /** The listeners to call. */
  readonly #watchers = new Set<(reason: unknown) => void>();

  constructor({ signal, timeout }: CallOptions) {
    this.#signal = checkSignal(signal);
    this.#timeout = integer(timeout, "timeout", 0, 0);
    this.#began = this.#timeout === 0 ? 0 : performance.now();
  }

  /**
   * Makes a deadline from options. `timeout` applies if they have none. Throws TypeError or RangeError for wrong
   * options, and the signal's reason if it is aborted.
   */
  static of(options: CallOptions | Deadline | undefined, timeout = 0): Deadline | undefined {
    if (options === undefined) return timeout === 0 ? undefined : new Deadline({ timeout });
    const deadline = options instanceof Deadline ? options : Deadline.#of(Deadline.check(options), timeout);
    if (deadline.over) throw deadline.reason();
    return deadline;
  }

  static #of(options: CallOptions, timeout: number): Deadline {
    return new Deadline(timeout === 0 || options.timeout !== undefined ? options : { ...options, timeout });
  }

  /** Throws TypeError for unknown options. */
  static check(options: CallOptions): CallOptions {
    return checkOptions(options, CALL_OPTIONS);
  }

  get over(): boolean {
    return this.#expired || this.#ended !== null || this.#signal?.aborted === true;
  }

  /** The reason to reject with once it is over. */
  reason(sql?: string): unknown {
    if (this.#ended !== null) return this.#ended.reason;
    return this.#signal?.aborted === true ? this.#signal.reason : timeoutError(this.#timeout, sql);
  }

  /** Ends it now, with `reason`. */
  end(reason: unknown): void {
    this.#ended ??= { reason };
    for (const giveUp of Array.from(this.#watchers)) giveUp(reason);
  }

  /** Settles like `work`, or rejects when the deadline is over. */
  async race<T>(work: Promise<T>, sql?: string): Promise<T> {
    let stopWatching!: () => void;
    const over = new Promise<never>((_, reject) => {
      stopWatching = this.watch(reject, sql);
    });
    try {
      return await Promise.race([work, over]);
    } catch (reason) {
      throw thrownFor(reason);
    } finally {
      stopWatching();
    }
  }

  /**
   * Gives `work` a signal that is aborted when the deadline is over. `work` must reject with the signal's reason then.
   */
  async signalled<T>(work: (signal: AbortSignal) => Promise<T>, sql?: string): Promise<T> {
    const controller = new AbortController();
    const stopWatching = this.watch((reason) => controller.abort(reason), sql);
    try {
      if (this.over) controller.abort(this.reason(sql));
      return await work(controller.signal);
    } catch (reason) {
      throw thrownFor(reason);
    } finally {
      stopWatching();
    }
  }

  /** Calls `giveUp` when the deadline is over. Returns a function that stops watching. */
  watch(giveUp: (reason: unknown) => void, sql?: string): () => void {
    const signal = this.#signal;
    const timeout = this.#timeout;
    const onAbort = (): void => giveUp(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#watchers.add(giveUp);
    let timer: NodeJS.Timeout | undefined;
    if (timeout > 0) {
      // Rounded up, because a timer may fire a fraction of a millisecond early.
      const left = Math.ceil(Math.max(0, this.#began + timeout - performance.now()));
      timer = setTimeout(() => {
        this.#expired = true;
        giveUp(new ErrorReason(() => timeoutError(timeout, sql)));
      }, left);
    }
    return () => {
      clearTimeout(timer);
      this.#watchers.delete(giveUp);
      signal?.removeEventListener("abort", onAbort);
    };
  }
}

/** The error of a call whose `timeout` has passed. */
export function timeoutError(timeout: number, sql: string | undefined): OperationalError {
  return new OperationalError(`interrupted: the timeout of ${timeout} ms is over`, {
    code: "SQLITE_INTERRUPT",
    sql,
  });
}

/**
 * Whether `work` resolves within `ms` milliseconds; rejects as it does. With `ref` false the wait does not keep the process
 * alive.
 */
export async function within(ms: number, work: Promise<unknown>, { ref = true } = {}): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(late.resolve, ms, false);
  if (!ref) timer.unref();
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
