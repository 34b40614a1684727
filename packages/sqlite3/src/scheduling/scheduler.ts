import { fromCore, type Sqlite3Error } from "../calls/errors.js";
import { Fifo } from "./fifo.js";
import { type Job, Kind, type Task } from "./job.js";

interface Waiting {
  readonly job: Job;
  readonly exclusive: boolean;
}

/**
 * Decides when the calls of one database start, and in which order they are answered: side by side, or one after the
 * other in serialized mode. The thread runs messages in the order in which they are sent, so those need not wait for
 * each other's answers.
 */
export class Scheduler {
  #phase: "opening" | "open" | "closed" | "failed" = "opening";
  #serialized = false;
  /** A job that is alone is under way. */
  #locked = false;
  readonly #queue = new Fifo<Waiting>();
  /** Tasks that are under way, and of these the long ones. */
  #pending = 0;
  #long = 0;
  /** Messages that are not answered, the oldest first. */
  readonly #sent = new Fifo<Task>();
  #delivering = false;
  /** Sends what was held back to be joined with more of its kind. */
  #heldBack: (() => void) | null = null;

  /** Calls that are made now wait for those before them. */
  get serialized(): boolean {
    return this.#serialized;
  }

  set serialized(serialized: boolean) {
    // It was called in the mode before.
    this.sendHeldBack();
    this.#serialized = serialized;
  }

  get open(): boolean {
    return this.#phase === "open";
  }

  /** It could be opened. */
  get wasOpen(): boolean {
    return this.#phase === "open" || this.#phase === "closed";
  }

  get over(): boolean {
    return this.#phase === "closed" || this.#phase === "failed";
  }

  opened(): void {
    this.#phase = "open";
  }

  failed(): void {
    this.#phase = "failed";
  }

  closed(): void {
    this.#phase = "closed";
  }

  /** Starts a job in its turn. The database is neither closed nor failed. */
  schedule(job: Job): void {
    this.sendHeldBack();
    const exclusive = job.exclusive || this.#serialized;
    const waits = exclusive && (!this.#queue.empty || !this.#quiet(job));
    if (this.#phase !== "open" || this.#locked || waits) this.#queue.push({ job, exclusive });
    else this.begin(job);
  }

  /** Starts a task at once: a prepared statement's, which waits for its statement's turns only. */
  begin(task: Task): void {
    this.sendHeldBack();
    this.#pending++;
    if (task.kind === Kind.LONG) this.#long++;
    if (task.kind === Kind.ALONE) this.#locked = true;
    if (task.kind === Kind.MESSAGE) this.#sent.push(task);
    task.start().then(
      (result) => this.#settled(task, null, result),
      (error: unknown) => this.#settled(task, fromCore(error), undefined),
    );
  }

  /** Something will be under way without having been scheduled: until {@link unhold} it counts as a long task. */
  hold(): void {
    this.#pending++;
    this.#long++;
  }

  unhold(): void {
    this.#pending--;
    this.#long--;
    this.process();
  }

  /** `send` is called before the next task starts, at the latest at the end of this turn of the microtasks. */
  holdBack(send: () => void): void {
    this.sendHeldBack();
    this.#heldBack = send;
    queueMicrotask(() => {
      if (this.#heldBack === send) this.sendHeldBack();
    });
  }

  sendHeldBack(): void {
    const send = this.#heldBack;
    this.#heldBack = null;
    send?.();
  }

  /** Starts what waits, as far as it may. */
  process(): void {
    while (this.#phase === "open" && !this.#locked) {
      const next = this.#queue.first;
      if (next === undefined || (next.exclusive && !this.#quiet(next.job))) return;
      this.#queue.shift();
      this.begin(next.job);
    }
  }

  /** Answers with `error` what waits for a database that is not to be had; false if there was something and nobody to tell. */
  refuseWaiting(error: Sqlite3Error): boolean {
    this.sendHeldBack();
    const waiting = this.#queue.takeAll();
    let told = waiting.length === 0;
    for (const { job } of waiting) told = job.refuse(error) || told;
    return told;
  }

  /** Whether so little is under way that an exclusive job may start. */
  #quiet(job: Job): boolean {
    return job.kind === Kind.MESSAGE ? this.#long === 0 : this.#pending === 0;
  }

  #settled(task: Task, error: Sqlite3Error | null, result: unknown): void {
    task.settle(error, result);
    if (task.kind !== Kind.MESSAGE) queueMicrotask(() => this.#finish(task));
    else if (!this.#delivering && this.#sent.first === task) this.#deliverSoon();
  }

  /** One after the other, so that what a callback began goes on before the next one is called. */
  #deliverSoon(): void {
    this.#delivering = true;
    queueMicrotask(this.#deliver);
  }

  readonly #deliver = (): void => {
    const task = this.#sent.shift()!;
    try {
      this.#finish(task);
    } finally {
      this.#delivering = false;
      if (this.#sent.first?.outcome) this.#deliverSoon();
    }
  };

  #finish(task: Task): void {
    const { error, result } = task.outcome!;
    try {
      task.done(error, result);
    } finally {
      this.#pending--;
      if (task.kind === Kind.LONG) this.#long--;
      if (task.kind === Kind.ALONE) this.#locked = false;
      try {
        task.over();
      } finally {
        this.process();
      }
    }
  }
}
