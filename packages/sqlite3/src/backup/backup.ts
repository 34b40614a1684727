import { EventEmitter } from "node:events";
import { Answer, report, tell } from "../calls/answer.js";
import { type Callback, optionalCallback } from "../calls/arguments.js";
import { BackupCopy } from "./backup-copy.js";
import { nativeLike } from "../calls/constructor.js";
import type { Database } from "../declarations/sqlite3.js";
import { fromCore, sqlite3Error, type Sqlite3Error } from "../calls/errors.js";
import { Kind } from "../scheduling/job.js";
import { type Session, sessionOf } from "../scheduling/session.js";
import { CallQueue, QueuedCall } from "../scheduling/call-queue.js";

/** Result code of `sqlite3_backup_step()` with nothing left to copy: neither an error nor an ordinary success. */
const DONE = 101;

export class BackupClass extends EventEmitter {
  readonly #session: Session;
  readonly #copy: BackupCopy;
  readonly #queue: CallQueue;
  readonly #filename: string;
  readonly #sourceName: string;
  readonly #destName: string;
  readonly #filenameIsDest: boolean;
  #retryErrors: number[] = [];
  #begun = false;
  #completed = false;
  #failed = false;
  #finished = false;
  /** Allows the database to be closed; null before the backup has begun and after it has ended. */
  #release: (() => void) | null = null;
  /** The error that ended it before it was finished. */
  #fatal: Sqlite3Error | null = null;

  /** Begins to copy; `callback` is called then, or with the error. */
  constructor(
    db: Database,
    filename: string,
    sourceName: string,
    destName: string,
    filenameIsDest: boolean,
    callback?: Callback,
  ) {
    const session = sessionOf(db);
    if (session === undefined) throw new TypeError("Database object expected");
    if (typeof filename !== "string") throw new TypeError("Filename expected");
    if (typeof sourceName !== "string") throw new TypeError("Source database name expected");
    if (typeof destName !== "string") throw new TypeError("Destination database name expected");
    if (typeof filenameIsDest !== "boolean") throw new TypeError("Direction flag expected");
    if (callback !== undefined && typeof callback !== "function") throw new TypeError("Callback expected");
    super();
    this.#session = session;
    this.#filename = filename;
    this.#sourceName = sourceName;
    this.#destName = destName;
    this.#filenameIsDest = filenameIsDest;
    this.#copy = new BackupCopy({ filename, sourceName, destName, filenameIsDest });
    this.#queue = new CallQueue(session.scheduler);
    this.#begin(Answer.of(callback, "sqlite3.Backup.Initialize"));
  }

  /** The file. */
  get filename(): string {
    return this.#filename;
  }

  /** The name of the database that is copied. */
  get sourceName(): string {
    return this.#sourceName;
  }

  /** The name of the database that it is copied to. */
  get destName(): string {
    return this.#destName;
  }

  /** Whether the file is written; else it is read. */
  get filenameIsDest(): boolean {
    return this.#filenameIsDest;
  }

  /** It has begun, and no call of it waits, runs, or is in its callback. */
  get idle(): boolean {
    return this.#queue.idle;
  }

  /** Everything is copied. */
  get completed(): boolean {
    return this.#completed;
  }

  /** It has ended, and not everything was copied. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Remaining pages, as of the last step. */
  get remaining(): number {
    return this.#copy.remaining;
  }

  /** All pages, as of the last step. */
  get pageCount(): number {
    return this.#copy.pageCount;
  }

  /** Result codes of a step that do not end the backup. If the list is empty, none does. */
  get retryErrors(): number[] {
    return this.#retryErrors;
  }

  set retryErrors(errors: number[]) {
    if (!Array.isArray(errors)) throw new Error("retryErrors must be an array");
    this.#retryErrors = errors;
  }

  /** Copies this many pages; all that remain if the number is negative. */
  step(pages: number, callback?: Callback): this {
    if (typeof pages !== "number") throw new TypeError("Argument 0 must be an integer");
    const answer = Answer.of(optionalCallback(callback, 1), "sqlite3.Backup.Step");
    const retried = [...this.#retryErrors];
    this.#add(answer, {
      start: () => this.#step(pages | 0, retried),
      done: (error, completed) => {
        if (error === null) answer?.call(this, null, completed);
        else report(this, answer, error);
      },
    });
    return this;
  }

  /** Ends it, whether everything is copied or not. */
  finish(callback?: Callback): this {
    const answer = Answer.of(optionalCallback(callback), "sqlite3.Backup.Finish");
    this.#add(answer, {
      start: async () => this.#end(),
      done: () => {
        this.#finish();
        answer?.call(this);
      },
    });
    return this;
  }

  #begin(answer: Answer | null): void {
    this.#session.schedule({
      kind: Kind.MESSAGE,
      start: () => {
        this.#queue.begun();
        return this.#copy.begin(this.#session.handle);
      },
      done: (error) => {
        if (error !== null) {
          this.#failed = this.#finished = true;
          this.#queue.takeAll();
          report(this, answer, error);
          return;
        }
        this.#begun = true;
        this.#release = this.#session.holdBackup();
        try {
          answer?.call(this, null);
        } finally {
          this.#queue.ready();
        }
      },
      refuse: (error) => {
        this.#failed = this.#finished = true;
        return tell(this, answer, error);
      },
    });
  }

  #add(answer: Answer | null, parts: BackupParts): void {
    if (this.#finished) {
      // If the backup could not begin, the constructor's caller knows already.
      if (this.#begun) report(this, answer, alreadyFinished());
      return;
    }
    this.#queue.add(new BackupCall(this.#queue, this, answer, parts));
  }

  async #step(pages: number, retried: readonly number[]): Promise<boolean> {
    const endsWith = (code: number): boolean => retried.length > 0 && !retried.includes(code);
    if (this.#fatal !== null) throw this.#fatal;
    if (this.#completed) return true;
    try {
      this.#completed = await this.#copy.step(this.#session.handle, pages);
      if (this.#completed && endsWith(DONE)) this.#end();
      return this.#completed;
    } catch (error) {
      const known = fromCore(error);
      if (endsWith(known.errno)) {
        this.#fatal = known;
        this.#failed = true;
        this.#end();
      }
      throw known;
    }
  }

  /** Releases the database, although the backup is not finished. */
  #end(): void {
    this.#release?.();
    this.#release = null;
  }

  #finish(): void {
    this.#finished = true;
    if (!this.#completed) this.#failed = true;
    const waiting = this.#queue.takeAll();
    const error = alreadyFinished();
    const told = waiting.reduce((before, one) => one.tell(error) || before, waiting.length === 0);
    if (!told) this.emit("error", error);
  }
}

/** What a call of a backup does. */
interface BackupParts {
  start(): Promise<unknown>;
  done(error: Sqlite3Error | null, result: unknown): void;
}

class BackupCall extends QueuedCall {
  readonly #backup: EventEmitter;
  readonly #answer: Answer | null;
  readonly #parts: BackupParts;

  constructor(queue: CallQueue, backup: EventEmitter, answer: Answer | null, parts: BackupParts) {
    super(queue, Kind.LONG, false);
    this.#backup = backup;
    this.#answer = answer;
    this.#parts = parts;
  }

  override start(): Promise<unknown> {
    return this.#parts.start();
  }

  override done(error: Sqlite3Error | null, result: unknown): void {
    this.#parts.done(error, result);
  }

  override tell(error: Sqlite3Error): boolean {
    return tell(this.#backup, this.#answer, error);
  }
}

function alreadyFinished(): Sqlite3Error {
  return sqlite3Error("MISUSE", "Backup is already finished");
}

/** A copy of a database from or into a file, one step at a time. */
export const Backup: typeof BackupClass = nativeLike(BackupClass, "Backup");
export type Backup = BackupClass;
