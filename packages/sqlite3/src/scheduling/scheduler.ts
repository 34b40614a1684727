import { fromCore, type Sqlite3Error } from "../calls/errors.js";
import { Fifo } from "./fifo.js";
import { type Job, Kind, type Task } from "./job.js";

interface Waiting {
  readonly job: Job;
  readonly exclusive: boolean;
}

/**
 * Decides when the calls of one database start, and in which order they are answered: in parallel, or one after the
 * other in serialized mode. The thread runs messages in the order in which they are sent, so they need not wait for
 * each other's answers.
 */
export class Scheduler {
  #phase: "opening" | "open" | "closed" | "failed" = "opening";
  #serialized = false;
  /** A job that runs alone is under way. */
  #locked = false;
  readonly #queue = new Fifo<Waiting>();
  /** Number of running tasks, and of the long ones among them. */
  #pending = 0;
  #long = 0;
  /** Unanswered messages, the oldest first. */
  readonly #sent = new Fifo<Task>();
  #delivering = false;
  /** Sends the runs that were held back to be joined with more. */
  #heldBack: (() => void) | null = null;

  /** New calls wait for the earlier ones. */
  get serialized(): boolean {
    return this.#serialized;
  }

  set serialized(serialized: boolean) {
    // Those runs were called in the previous mode.
    this.sendHeldBack();
    this.#serialized = serialized;
  }

  get open(): boolean {
    return this.#phase === "open";
  }

  /** Opening it has succeeded. */
  get wasOpen(): boolean {
    return this.#phase === "open" || this.#phase === "closed";
  }

  get over(): boolean {
    return this.#phase === "closed" || this.#phase === "failed";
  }

  /** Nothing runs and nothing waits. */
  get idle(): boolean {
    this.sendHeldBack();
    return this.open && !this.#locked && this.#pending === 0 && this.#queue.empty;
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

  /** Starts a job in its turn. The database must be neither closed nor failed. */
  schedule(job: Job): void {
    this.sendHeldBack();
    const exclusive = job.exclusive || this.#serialized;
    const waits = exclusive && (!this.#queue.empty || !this.#quiet(job));
    if (this.#phase !== "open" || this.#locked || waits) this.#queue.push({ job, exclusive });
    else this.begin(job);
  }

  /** Starts a task at once, for a prepared statement: it waits only for its statement's turns. */
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

  /** Counts as a long task until {@link unhold}, for work that is not scheduled here. */
  hold(): void {
    this.#pending++;
    this.#long++;
  }

  unhold(): void {
    this.#pending--;
    this.#long--;
    this.process();
  }

  /** Calls `send` before the next task starts, or at the end of the microtasks. */
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

  /** Starts waiting jobs, as far as possible. */
  process(): void {
    while (this.#phase === "open" && !this.#locked) {
      const next = this.#queue.first;
      if (next === undefined || (next.exclusive && !this.#quiet(next.job))) return;
      this.#queue.shift();
      this.begin(next.job);
    }
  }

  /**
   * Rejects waiting jobs, because the database cannot be used. Returns the error if there were some and no callback got
   * it. It is only made for them: its stack costs as much as a statement.
   */
  refuseWaiting(makeError: () => Sqlite3Error): Sqlite3Error | null {
    this.sendHeldBack();
    const waiting = this.#queue.takeAll();
    if (waiting.length === 0) return null;
    const error = makeError();
    let told = false;
    for (const { job } of waiting) told = job.refuse(error) || told;
    return told ? null : error;
  }

  /** Whether an exclusive job may start. */
  #quiet(job: Job): boolean {
    return job.kind === Kind.MESSAGE ? this.#long === 0 : this.#pending === 0;
  }

  #settled(task: Task, error: Sqlite3Error | null, result: unknown): void {
    task.settle(error, result);
    if (task.kind !== Kind.MESSAGE) queueMicrotask(() => this.#finish(task));
    else if (!this.#delivering && this.#sent.first === task) this.#deliverSoon();
  }

  /** Calls back one after the other, so that microtasks of one callback run before the next callback. */
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
