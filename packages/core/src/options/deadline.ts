import { ErrorReason, thrownFor } from "../errors/rejection.js";
import { OperationalError } from "../errors/errors.js";
import { type CallOptions, checkOptions, checkSignal, integer } from "./connect-options.js";

const CALL_OPTIONS = ["signal", "timeout", "integers"];

/** How long a caller waits, over all that one call of his needs: until his signal is aborted or his timeout is over. */
export class Deadline {
  readonly #signal: AbortSignal | undefined;
  readonly #timeout: number;
  readonly #began: number;
  #expired = false;
  /** Why it was ended before its time. */
  #ended: { readonly reason: unknown } | null = null;
  /** Those who are to be told. */
  readonly #watchers = new Set<(reason: unknown) => void>();

  constructor({ signal, timeout }: CallOptions) {
    this.#signal = checkSignal(signal);
    this.#timeout = integer(timeout, "timeout", 0, 0);
    this.#began = this.#timeout === 0 ? 0 : performance.now();
  }

  /**
   * `timeout` is for options that have none. Throws TypeError or RangeError for wrong options, and the signal's reason if
   * that is aborted.
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

  /** Throws TypeError for options that no call has. */
  static check(options: CallOptions): CallOptions {
    return checkOptions(options, CALL_OPTIONS);
  }

  get over(): boolean {
    return this.#expired || this.#ended !== null || this.#signal?.aborted === true;
  }

  /** Why it is over. */
  reason(sql?: string): unknown {
    if (this.#ended !== null) return this.#ended.reason;
    return this.#signal?.aborted === true ? this.#signal.reason : timeoutError(this.#timeout, sql);
  }

  /** Ends it now, for `reason`. */
  end(reason: unknown): void {
    this.#ended ??= { reason };
    for (const giveUp of Array.from(this.#watchers)) giveUp(reason);
  }

  /** `work`, or why it is over if it is before. */
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

  /** Gives `work` a signal that is aborted when it is over; `work` rejects with the signal's reason then. */
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

  /** Calls `giveUp` when it is over. Gives a way to stop watching. */
  watch(giveUp: (reason: unknown) => void, sql?: string): () => void {
    const signal = this.#signal;
    const timeout = this.#timeout;
    const onAbort = (): void => giveUp(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#watchers.add(giveUp);
    let timer: NodeJS.Timeout | undefined;
    if (timeout > 0) {
      // Rounded up: a timer may be early by the fraction of a millisecond.
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

/** What a call is rejected with whose `timeout` is over. */
export function timeoutError(timeout: number, sql: string | undefined): OperationalError {
  return new OperationalError(`interrupted: the timeout of ${timeout} ms is over`, {
    code: "SQLITE_INTERRUPT",
    sql,
  });
}
