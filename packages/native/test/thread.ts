import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Order } from "./handle-thread.ts";

/** A thread that owns a handle, and two words that it shares with the test. */
export class Thread {
  readonly words: BigInt64Array;
  readonly #worker: Worker;

  constructor(words?: BigInt64Array) {
    this.words = words ?? new BigInt64Array(new SharedArrayBuffer(16));
    this.#worker = new Worker(new URL("handle-thread.ts", import.meta.url), { workerData: this.words });
  }

  /** Resolves with the thread's answer, or rejects with the error that ended the thread. */
  async order(order: Order): Promise<unknown> {
    const answer = once(this.#worker, "message");
    this.#worker.postMessage(order);
    const [value] = (await answer) as [unknown];
    return value;
  }

  /**
   * Orders a count of `steps` and waits until it runs. The result's promise is in an object, so that awaiting this call
   * does not await the result.
   */
  async begin(steps: number): Promise<{ result: Promise<unknown> }> {
    Atomics.store(this.words, 0, 0n);
    const result = this.order({ kind: "count", steps });
    await Atomics.waitAsync(this.words, 0, 0n).value;
    return { result };
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
