import type { CallerEndpoint, Frame, Reply, ThreadApi } from "@sqlite-aio/worker/wire";
import { type Remote, releaseProxy, wrap } from "comlink";

/** Frames that may be under way: the thread works on one while the next one waits. */
export const FRAMES_UNDER_WAY = 2;

/**
 * The Comlink proxies of a thread. Each has one call under way at a time: Comlink tells the calls of a proxy apart by
 * Math.random(), and where a program's tests replace that, one call would get the other's answer.
 */
export class Proxies {
  readonly #endpoint: CallerEndpoint;
  readonly #all: Remote<ThreadApi>[] = [];
  readonly #idle: Remote<ThreadApi>[] = [];
  /** Each access to a property of a Comlink proxy makes a new proxy. */
  readonly #runs: Remote<ThreadApi>["run"][];
  #next = 0;

  constructor(endpoint: CallerEndpoint) {
    this.#endpoint = endpoint;
    this.#runs = Array.from({ length: FRAMES_UNDER_WAY }, () => this.#add().run);
  }

  /** Sends a frame. Frames are answered in order, so the next proxy is free. */
  run(frame: Frame, transfer: readonly ArrayBuffer[]): Promise<Reply> {
    this.#endpoint.post(frame, transfer);
    this.#next = (this.#next + 1) % FRAMES_UNDER_WAY;
    return this.#runs[this.#next]!(frame);
  }

  /** Makes a call beside the frames. */
  async call<T>(ask: (remote: Remote<ThreadApi>) => Promise<T>): Promise<T> {
    const remote = this.#idle.pop() ?? this.#add();
    try {
      return await ask(remote);
    } finally {
      this.#idle.push(remote);
    }
  }

  /** Lets go of the endpoint, and of everything that it refers to. */
  release(): void {
    for (const proxy of [...this.#all, ...(this.#runs as unknown[] as Remote<ThreadApi>[])])
      proxy[releaseProxy]();
  }

  #add(): Remote<ThreadApi> {
    const remote = wrap<ThreadApi>(this.#endpoint.line());
    this.#all.push(remote);
    return remote;
  }
}
