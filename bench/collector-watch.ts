import { PerformanceObserver, type PerformanceObserverEntryList } from "node:perf_hooks";

/** How long the main thread's garbage collector has held it at a time: part of a stall, and no driver's to avoid. */
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
