import type { Sqlite3Error } from "../calls/errors.js";
import { Fifo } from "./fifo.js";
import { Kind, Task } from "./job.js";
import type { Scheduler } from "./scheduler.js";

/** A call of one statement or backup. */
export abstract class QueuedCall extends Task {
  /** Its effect does not depend on the results of earlier calls. */
  readonly fresh: boolean;
  readonly #queue: CallQueue;

  constructor(queue: CallQueue, kind: number, fresh: boolean) {
    super(kind);
    this.#queue = queue;
    this.fresh = fresh;
  }

  /** Reports to its caller that it never starts; false if there is no callback. */
  abstract tell(error: Sqlite3Error): boolean;

  override over(): void {
    this.#queue.over(this);
  }
}

/** Work on this side, after all earlier calls are answered. */
interface Afterwards {
  readonly kind: null;
  work(): void;
  tell(error: Sqlite3Error): boolean;
}

/** The calls of one statement or backup. They wait until it is ready, and for each other as far as necessary. */
export class CallQueue {
  readonly #scheduler: Scheduler;
  readonly #waiting = new Fifo<QueuedCall | Afterwards>();
  #begun = false;
  #ready = false;
  #underWay = 0;
  #long = false;
  /** The database knows that calls wait here. */
  #held = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** It is ready, and no call waits or runs. A call runs until its callback has returned. */
  get idle(): boolean {
    return this.#ready && this.#underWay === 0 && this.#waiting.empty;
  }

  /** Notes that the statement or backup is being prepared. */
  begun(): void {
    this.#begun = true;
    this.#tellDatabase();
  }

  /** Notes that the statement is compiled, or the backup has begun. */
  ready(): void {
    this.#ready = true;
    this.#process();
  }

  /** Starts a call in its turn. */
  add(call: QueuedCall): void {
    this.#waiting.push(call);
    this.#process();
  }

  /** Runs `work` when all earlier calls are answered; at once if they are. */
  afterAll(work: () => void, tell: (error: Sqlite3Error) => boolean): void {
    this.#waiting.push({ kind: null, work, tell });
    this.#process();
  }

  /** Removes the waiting calls; they never start. */
  takeAll(): readonly { tell(error: Sqlite3Error): boolean }[] {
    const waiting = this.#waiting.takeAll();
    this.#tellDatabase();
    return waiting;
  }

  /** Call it when the caller of `call` has its answer. */
  over(call: QueuedCall): void {
    this.#underWay--;
    if (call.kind === Kind.LONG) this.#long = false;
    this.#process();
  }

  #process(): void {
    for (;;) {
      const next = this.#waiting.first;
      if (next === undefined || !this.#mayStart(next)) break;
      this.#waiting.shift();
      if (next.kind === null) next.work();
      else this.#start(next);
    }
    this.#tellDatabase();
  }

  #mayStart(next: QueuedCall | Afterwards): boolean {
    if (!this.#ready || this.#long) return false;
    return this.#underWay === 0 || (next.kind === Kind.MESSAGE && next.fresh);
  }

  #start(call: QueuedCall): void {
    this.#underWay++;
    if (call.kind === Kind.LONG) this.#long = true;
    this.#scheduler.begin(call);
  }

  /** Calls that wait here come before calls that wait for a quiet database, because they continue running work. */
  #tellDatabase(): void {
    const waits = this.#begun && !this.#waiting.empty;
    if (waits === this.#held) return;
    this.#held = waits;
    if (waits) this.#scheduler.hold();
    else this.#scheduler.unhold();
  }
}
