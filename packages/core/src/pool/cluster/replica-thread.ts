import type { Worker } from "node:worker_threads";
import type { Fault, ReplicaAnswer, ReplicaRequest, ReplicaSpec } from "@sqlite-aio/worker/wire";
import { OperationalError, threadDied } from "../../errors/errors.js";
import type { ThreadOptions } from "../../options/connect-options.js";
import { startReplicaThread } from "../../thread/start-thread.js";

/** The request that waits for an answer. */
interface Asker {
  resolve(answer: ReplicaAnswer): void;
  reject(error: Error): void;
}

/** The thread that writes into a replica's file. It answers one request at a time. */
export class ReplicaThread {
  readonly #worker: Worker;
  #waiting: Asker | null = null;
  #died: Error | null = null;
  #holds = 0;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (answer: ReplicaAnswer) => this.#take()?.resolve(answer));
    const ended = (error: Error): void => {
      this.#died ??= threadDied(error, "not-started");
      this.#take()?.reject(this.#died);
    };
    worker.on("error", ended);
    worker.once("exit", (code) => ended(new Error(`exited with code ${code}`)));
  }

  /** Starts the thread, which claims the replica. Rejects if another thread has it, or if the file is no replica. */
  static async start(options: ThreadOptions, spec: ReplicaSpec): Promise<ReplicaThread> {
    const worker = startReplicaThread(options, spec);
    const thread = new ReplicaThread(worker);
    const release = thread.hold();
    try {
      const answer = await thread.ask("claim");
      if (!answer.ok) throw openError(answer.fault);
      return thread;
    } catch (error) {
      await worker.terminate();
      throw error;
    } finally {
      release();
    }
  }

  get alive(): boolean {
    return this.#died === null;
  }

  /** Keeps the process alive until the returned function is called. */
  hold(): () => void {
    if (++this.#holds === 1) this.#worker.ref();
    return () => {
      if (--this.#holds === 0) this.#worker.unref();
    };
  }

  ask(request: ReplicaRequest): Promise<ReplicaAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#died !== null) {
        reject(this.#died);
        return;
      }
      this.#waiting = { resolve, reject };
      this.#worker.postMessage(request);
    });
  }

  /** Releases the replica. Must not be called during a sync: libsql would go on in the background. */
  async close(): Promise<void> {
    const release = this.hold();
    try {
      if (this.alive) await this.ask("close");
      await this.#worker.terminate();
    } finally {
      release();
    }
  }

  #take(): Asker | null {
    const waiting = this.#waiting;
    this.#waiting = null;
    return waiting;
  }
}

function openError({ code, message }: Fault): OperationalError {
  const known = code.startsWith("SQLITE_") ? code : "SQLITE_AIO_NO_REPLICA";
  return new OperationalError(message, { code: known });
}
