import { EventEmitter } from "node:events";
import type { Change, ChangeListener, ChangeSource, ChangeSubscriber } from "../changes/change-events.js";

/** Keeps pools reachable while somebody listens to them. */
const kept = new Map<ReplicaChanges, object>();

/** Reports that changes have arrived in a replica. The frames of the log do not say which tables changed. */
export class ReplicaChanges implements ChangeSource {
  readonly #emitter = new EventEmitter();
  readonly #subscribers = new Set<ChangeSubscriber>();
  #closed = false;

  /** Keeps `owner` reachable as long as somebody listens. */
  on(event: "change", listener: ChangeListener, owner: object): void {
    check(event);
    this.#emitter.on(event, listener);
    this.#keep(owner);
  }

  once(event: "change", listener: ChangeListener, owner: object): void {
    check(event);
    this.#emitter.once(event, listener);
    this.#keep(owner);
  }

  off(event: "change", listener: ChangeListener): void {
    this.#emitter.off(event, listener);
    this.#release();
  }

  subscribe(subscriber: ChangeSubscriber): () => void {
    this.#subscribers.add(subscriber);
    return () => void this.#subscribers.delete(subscriber);
  }

  get ready(): Promise<void> {
    return Promise.resolve();
  }

  get closed(): boolean {
    return this.#closed;
  }

  arrived(): void {
    for (const subscriber of this.#subscribers) {
      subscriber.changed({ tables: [], schema: false, anything: true });
    }
    const change: Change = { tables: [], rowids: {}, schema: false, external: true, any: true };
    // A listener that throws must not stop the replicator.
    queueMicrotask(() => {
      try {
        this.#emitter.emit("change", change);
      } finally {
        this.#release();
      }
    });
  }

  close(): void {
    this.#closed = true;
    kept.delete(this);
    for (const subscriber of this.#subscribers) subscriber.closed();
  }

  #keep(owner: object): void {
    if (!this.#closed) kept.set(this, owner);
  }

  #release(): void {
    if (this.#emitter.listenerCount("change") === 0) kept.delete(this);
  }
}

function check(event: string): void {
  if (event !== "change") throw new TypeError(`a pool has no event "${event}", only "change"`);
}
