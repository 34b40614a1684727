import { EventEmitter } from "node:events";
import type { Change, ChangeListener, ChangeSource, ChangeSubscriber } from "../changes/change-events.js";

/** Tells that something has arrived in a replica. What that is, the frames of a log do not say. */
export class ReplicaChanges implements ChangeSource {
  readonly #emitter = new EventEmitter();
  readonly #subscribers = new Set<ChangeSubscriber>();
  #closed = false;

  on(event: "change", listener: ChangeListener): void {
    check(event);
    this.#emitter.on(event, listener);
  }

  once(event: "change", listener: ChangeListener): void {
    check(event);
    this.#emitter.once(event, listener);
  }

  off(event: "change", listener: ChangeListener): void {
    this.#emitter.off(event, listener);
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
    // What a listener throws is none of the replicator's business.
    queueMicrotask(() => this.#emitter.emit("change", change));
  }

  close(): void {
    this.#closed = true;
    for (const subscriber of this.#subscribers) subscriber.closed();
  }
}

function check(event: string): void {
  if (event !== "change") throw new TypeError(`a pool has no event "${event}", only "change"`);
}
