import type { Transferable, Worker } from "node:worker_threads";
import { AdaptiveSpin, type EngineCopy } from "@sqlite-aio/worker/wire";

/** Who is told what becomes of a thread. */
export interface Watcher {
  readonly failed: (thrown: unknown) => void;
  readonly exited: (code: number) => void;
}

/** A thread of the system. It serves one connection at a time. */
export class Host {
  /** What it was started with: whoever would start one with the same may have it. Null: nobody but its first connection. */
  readonly kind: string | null;
  /** Whether it pays to wait for its answers with a core kept busy: a connection goes on where the one before was. */
  readonly spin = new AdaptiveSpin();
  readonly #worker: Worker;
  #watcher: Watcher | null = null;
  #engine: EngineCopy | null = null;

  /** `gone` is called when it has ended, with what it died of, if it did. */
  constructor(worker: Worker, kind: string | null, gone: (host: Host, cause: unknown) => void) {
    this.#worker = worker;
    this.kind = kind;
    let cause: unknown;
    // Of a thread that dies while it serves nobody, nobody hears.
    worker.on("error", (thrown) => {
      cause = thrown;
      this.#watcher?.failed(thrown);
    });
    worker.once("exit", (code) => {
      gone(this, cause);
      this.#watcher?.exited(code);
    });
    worker.unref();
  }

  /** Whether it serves a connection. */
  get busy(): boolean {
    return this.#watcher !== null;
  }

  /** What it has loaded for the connection before; null at first. */
  get engine(): EngineCopy | null {
    return this.#engine;
  }

  loaded(engine: EngineCopy): void {
    this.#engine = engine;
  }

  /** Its use by one connection, until {@link Tenancy.leave}. */
  serve(watcher: Watcher): Tenancy {
    this.#watcher = watcher;
    return new Tenancy(this, this.#worker);
  }

  /** Sends what a connection needs to a thread that was started before. */
  begin(data: unknown, transfer: Transferable[]): void {
    this.#worker.postMessage(data, transfer);
  }

  /** The connection that it served is closed. */
  left(): void {
    this.#watcher = null;
    this.#worker.unref();
  }

  /** Ends a thread that serves nobody; it keeps nothing alive meanwhile. */
  end(): void {
    void this.#worker.terminate();
    this.#worker.unref();
  }
}

/** A connection's use of a thread. Once that is over nothing that the connection does reaches the thread. */
export class Tenancy {
  #host: Host | null;
  #worker: Worker | null;
  /** Number of the thread in the process. */
  readonly threadId: number;
  /** See {@link Host.spin}. */
  readonly spin: AdaptiveSpin;

  constructor(host: Host, worker: Worker) {
    this.#host = host;
    this.#worker = worker;
    this.threadId = worker.threadId;
    this.spin = host.spin;
  }

  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void {
    this.#worker?.postMessage(message, transfer);
  }

  /** Lets the thread keep the process alive. */
  ref(): void {
    this.#worker?.ref();
  }

  unref(): void {
    this.#worker?.unref();
  }

  /** What the thread has loaded; null if that is not known. */
  get engine(): EngineCopy | null {
    return this.#host?.engine ?? null;
  }

  loaded(engine: EngineCopy): void {
    this.#host?.loaded(engine);
  }

  async terminate(): Promise<void> {
    await this.#worker?.terminate();
  }

  /** Whether a connection of the same kind may have the thread afterwards. */
  get forOthers(): boolean {
    return this.#host !== null && this.#host.kind !== null;
  }

  /** Gives the thread back. */
  leave(): Host {
    const host = this.#host!;
    this.#host = this.#worker = null;
    host.left();
    return host;
  }
}
