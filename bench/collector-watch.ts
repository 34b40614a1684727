import { PerformanceObserver, type PerformanceObserverEntryList } from "node:perf_hooks";

/** Records how long garbage collections block the main thread. They are a part of a stall that no driver can avoid. */
export class CollectorWatch {
  readonly #observer = new PerformanceObserver((list) => this.#take(list.getEntries()));
  longestMs = 0;

  start(): void {
    this.#observer.observe({ entryTypes: ["gc"] });
  }

  stop(): void {
    this.#take(this.#observer.takeRecords());
    this.#observer.disconnect();
  }

  #take(entries: ReturnType<PerformanceObserverEntryList["getEntries"]>): void {
    for (const { duration } of entries) this.longestMs = Math.max(this.longestMs, duration);
  }
}
