import type { Sqlite3Error } from "../calls/errors.js";
import { Fifo } from "./fifo.js";
import { Kind, Task } from "./job.js";
import type { Scheduler } from "./scheduler.js";

/** A call of one statement or backup. */
export abstract class QueuedCall extends Task {
  /** What it does does not depend on how those before it ended. */
  readonly fresh: boolean;
  readonly #queue: CallQueue;

  constructor(queue: CallQueue, kind: number, fresh: boolean) {
    super(kind);
    this.#queue = queue;
    this.fresh = fresh;
  }

  /** Tells its caller that it never starts; false if there is nobody to tell. */
  abstract tell(error: Sqlite3Error): boolean;

  override over(): void {
    this.#queue.over(this);
  }
}

/** What is done on this side when all calls before it are answered. */
interface Afterwards {
  readonly kind: null;
  work(): void;
  tell(error: Sqlite3Error): boolean;
}

/** The calls of one statement or backup: they wait until that is ready, and for each other as far as they must. */
export class CallQueue {
  readonly #scheduler: Scheduler;
  readonly #waiting = new Fifo<QueuedCall | Afterwards>();
  #begun = false;
  #ready = false;
  #underWay = 0;
  #long = false;
  /** The database is told that something waits here. */
  #held = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** It is being made ready. */
  begun(): void {
    this.#begun = true;
    this.#tellDatabase();
  }

  /** It is ready: compiled, or begun. */
  ready(): void {
    this.#ready = true;
    this.#process();
  }

  /** Starts a call in its turn. */
  add(call: QueuedCall): void {
    this.#waiting.push(call);
    this.#process();
  }

  /** Runs `work` when all before it are answered; at once if that is so. */
  afterAll(work: () => void, tell: (error: Sqlite3Error) => boolean): void {
    this.#waiting.push({ kind: null, work, tell });
    this.#process();
  }

  /** Takes out what waits, which is not started then. */
  takeAll(): readonly { tell(error: Sqlite3Error): boolean }[] {
    const waiting = this.#waiting.takeAll();
    this.#tellDatabase();
    return waiting;
  }

  /** The caller of `call`, which was started here, has its answer. */
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

  /** What waits here comes before what waits for the database to be quiet: it follows on what is under way. */
  #tellDatabase(): void {
    const waits = this.#begun && !this.#waiting.empty;
    if (waits === this.#held) return;
    this.#held = waits;
    if (waits) this.#scheduler.hold();
    else this.#scheduler.unhold();
  }
}
