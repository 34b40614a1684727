import type { Transferable, Worker } from "node:worker_threads";
import { AdaptiveSpin, type EngineCopy, type Loading, mayEnd, untilLoaded } from "@sqlite-aio/worker/wire";
import { LOADING_MS, strikeAtExit } from "./process-exit.js";

/** Receives the failure and the exit of a thread. */
export interface Watcher {
  readonly failed: (thrown: unknown) => void;
  readonly exited: (code: number) => void;
}

/** A worker thread. It serves one connection at a time. */
export class Host {
  /**
   * Identifies its start options: a connection with the same kind may use the thread later. Null: only its first
   * connection may.
   */
  readonly kind: string | null;
  /** Whether it pays to wait for its answers with a core kept busy: a connection goes on where the one before was. */
  readonly spin = new AdaptiveSpin();
  readonly #worker: Worker;
  readonly #loading: Loading;
  #watcher: Watcher | null = null;
  #engine: EngineCopy | null = null;

  /** `gone` is called when the thread has ended, with the error that it died of, if any. */
  constructor(
    worker: Worker,
    loading: Loading,
    kind: string | null,
    gone: (host: Host, cause: unknown) => void,
  ) {
    this.#worker = worker;
    this.#loading = loading;
    const forgetStrike = strikeAtExit(() => !mayEnd(loading), LOADING_MS);
    this.kind = kind;
    let cause: unknown;
    // If the thread dies while it serves no connection, there is no watcher to call.
    worker.on("error", (thrown) => {
      cause = thrown;
      this.#watcher?.failed(thrown);
    });
    worker.once("exit", (code) => {
      forgetStrike();
      gone(this, cause);
      this.#watcher?.exited(code);
    });
    worker.unref();
  }

  /** Whether it serves a connection. */
  get busy(): boolean {
    return this.#watcher !== null;
  }

  /** The engine that it loaded for an earlier connection; null at first. */
  get engine(): EngineCopy | null {
    return this.#engine;
  }

  loaded(engine: EngineCopy): void {
    this.#engine = engine;
  }

  /** Begins its use by one connection, until {@link Tenancy.leave}. */
  serve(watcher: Watcher): Tenancy {
    this.#watcher = watcher;
    return new Tenancy(this, this.#worker);
  }

  /** Sends a connection's data to a thread that was started before. */
  begin(data: unknown, transfer: Transferable[]): void {
    this.#worker.postMessage(data, transfer);
  }

  /** Call it when its connection has closed. */
  left(): void {
    this.#watcher = null;
    this.#worker.unref();
  }

  /** Ends a thread that serves no connection. It does not keep the process alive meanwhile. */
  end(): void {
    void this.terminate();
    this.#worker.unref();
  }

  /** Ends the thread, but not while it loads an engine, unless that takes too long. */
  async terminate(): Promise<void> {
    if (!mayEnd(this.#loading)) await untilLoaded(this.#loading, LOADING_MS);
    await this.#worker.terminate();
  }
}

/** A connection's use of a thread. After {@link leave}, nothing that the connection does reaches the thread. */
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

  /** The engine that the thread has loaded; null if unknown. */
  get engine(): EngineCopy | null {
    return this.#host?.engine ?? null;
  }

  loaded(engine: EngineCopy): void {
    this.#host?.loaded(engine);
  }

  async terminate(): Promise<void> {
    await this.#host?.terminate();
  }

  /** Whether other connections of the same kind may use the thread afterwards. */
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
