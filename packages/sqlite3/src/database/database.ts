import { EventEmitter } from "node:events";
import { Answer, report, tell } from "../calls/answer.js";
import { type Callback, optionalCallback, requiredString } from "../calls/arguments.js";
import { Backup } from "../backup/backup.js";
import { enumerable, nativeLike } from "../calls/constructor.js";
import { closedWhileWaiting, fromCore, type Sqlite3Error, sqlite3Error } from "../calls/errors.js";
import { isWatchable, Watching } from "./events.js";
import type { Handle, ObjectRow } from "../connection/handle.js";
import { Kind } from "../scheduling/job.js";
import { OneShots } from "./one-shot.js";
import { OPEN_CREATE, OPEN_FULLMUTEX, OPEN_READWRITE } from "../constants/open-flags.js";
import { openHandle } from "../connection/opening.js";
import { BUSY, LOCKED } from "../constants/result-codes.js";
import { mapOf } from "../statement/rows.js";
import { untilNul } from "../connection/statement-text.js";
import { register, Session } from "../scheduling/session.js";
import { Statement } from "../statement/statement.js";

const DEFAULT_MODE = OPEN_READWRITE | OPEN_CREATE | OPEN_FULLMUTEX;

/** Closes a Database that was garbage-collected without close(), silently, as sqlite3 does. */
const forgotten = new FinalizationRegistry<Handle>((handle) => void handle.close().catch(() => {}));

export class DatabaseClass extends EventEmitter {
  readonly #session: Session;
  readonly #shots: OneShots;
  readonly #watching: Watching;
  readonly #filename: string;
  readonly #mode: number;
  #closing = false;

  /** Opens a database; `callback` is called when it is open, or with the error. */
  constructor(filename: string, mode?: number | Callback, callback?: Callback) {
    if (typeof filename !== "string") throw new TypeError("String expected");
    super();
    const flags = Number.isInteger(mode) ? (mode as number) : undefined;
    const opened = flags === undefined && typeof mode === "function" ? mode : callback;
    this.#filename = filename;
    this.#mode = flags ?? DEFAULT_MODE;
    this.#session = new Session(this);
    this.#shots = new OneShots(this.#session);
    this.#watching = new Watching(this);
    register(this.#session);
    this.#open(Answer.of(typeof opened === "function" ? opened : undefined, "sqlite3.Database.Open"));
  }

  /** The name that it was opened with. */
  get filename(): string {
    return this.#filename;
  }

  /** The flags it was opened with. */
  get mode(): number {
    return this.#mode;
  }

  /** Whether it is open. */
  get open(): boolean {
    return this.#session.scheduler.open;
  }

  /** Prepares a statement, and binds values if there are any. */
  prepare(sql: string, ...given: unknown[]): Statement {
    const callback = given.at(-1);
    if (given.length === 0) return new Statement(this, sql);
    if (given.length === 1 && typeof callback === "function")
      return new Statement(this, sql, callback as Callback);
    const failed = (error: Error | null): void => {
      if (error && typeof callback === "function") callback(error);
    };
    return new Statement(this, sql, typeof callback === "function" ? failed : undefined).bind(...given);
  }

  /** Runs a statement's first step. `this.lastID` and `this.changes` are set for the callback. */
  run(sql: string, ...given: unknown[]): this {
    this.#shots.run(sql, given);
    return this;
  }

  /** Gives a statement's first row. */
  get(sql: string, ...given: unknown[]): this {
    this.#shots.get(sql, given);
    return this;
  }

  /** Gives all rows of a statement. */
  all(sql: string, ...given: unknown[]): this {
    this.#shots.all(sql, given);
    return this;
  }

  /** Calls the first function for each row of a statement, and the second one with their number at the end. */
  each(sql: string, ...given: unknown[]): this {
    this.#shots.each(sql, given);
    return this;
  }

  /**
   * Gives an object. Its keys are the first column; its values are the second one, or the rows if there are more
   * columns.
   */
  map(sql: string, ...given: unknown[]): this {
    const callback = given.at(-1);
    if (typeof callback !== "function") throw new TypeError(`Argument ${given.length} must be a function`);
    const mapped = (error: Error | null, rows: ObjectRow[]): void => {
      if (error) callback(error);
      else callback(null, mapOf(rows));
    };
    // Not all(): a subclass may have its own, and verbose() names the method that was called.
    this.#shots.all(sql, [...given.slice(0, -1), mapped]);
    return this;
  }

  /** Runs all statements of a text. */
  exec(sql: string, callback?: Callback): this {
    const script = untilNul(requiredString(sql));
    return this.#exclusive("Exec", optionalCallback(callback, 1), (handle) => handle.script(script));
  }

  /** Loads a SQLite extension. */
  loadExtension(filename: string, callback?: Callback): this {
    const path = untilNul(requiredString(filename));
    return this.#exclusive("LoadExtension", optionalCallback(callback, 1), (handle) =>
      handle.loadExtension(path),
    );
  }

  /** Calls back when all earlier calls are answered; at once if they are. */
  wait(callback?: Callback): this {
    const answer = Answer.of(optionalCallback(callback), "sqlite3.Database.Wait");
    if (this.#session.scheduler.idle) {
      answer?.call(this, null);
      return this;
    }
    this.#session.schedule({
      kind: Kind.ALONE,
      exclusive: true,
      start: () => Promise.resolve(),
      done: () => answer?.call(this, null),
      refuse: (error) => tell(this, answer, error),
    });
    return this;
  }

  /** Closes the database when all earlier calls are answered. Fails while statements or backups are not finished. */
  close(callback?: Callback): this {
    const answer = Answer.of(optionalCallback(callback), "sqlite3.Database.Close");
    this.#session.schedule({
      kind: Kind.ALONE,
      exclusive: true,
      start: () => this.#close(),
      done: (error) => {
        this.#closing = false;
        if (error === null) this.#closed(answer);
        else report(this, answer, error);
      },
      refuse: (error) => tell(this, answer, error),
    });
    return this;
  }

  /** From now on, or within `callback`, each call starts when the earlier ones are answered. */
  serialize(callback?: Callback): this {
    return this.#inMode(true, optionalCallback(callback));
  }

  /** From now on, or within `callback`, calls do not wait for each other. */
  parallelize(callback?: Callback): this {
    return this.#inMode(false, optionalCallback(callback));
  }

  /** Sets the busy timeout in milliseconds, sets a limit, or turns an event on or off. */
  configure(option: string, value: unknown, extra?: unknown): this {
    // A missing value differs from undefined.
    if (arguments.length < 2) throw new TypeError("Expected 2arguments");
    if (option === "busyTimeout") {
      const ms = number(value, "Value must be an integer");
      this.#configure((handle) => handle.setBusyTimeout(ms));
    } else if (option === "limit") {
      if (arguments.length < 3) throw new TypeError("Expected 3arguments");
      const id = number(value, "limit id must be an integer");
      const limit = number(extra, "limit value must be an integer");
      this.#configure((handle) => handle.setLimit(id, limit));
    } else if (isWatchable(option))
      this.#configure((handle) => this.#watching.watch(handle, option, Boolean(value)));
    else throw new TypeError(`${option} is not a valid configuration option`);
    return this;
  }

  /** Stops the running statement. Its callback gets SQLITE_INTERRUPT. */
  interrupt(): this {
    if (!this.open) throw new Error("Database is not open");
    if (this.#closing) throw new Error("Database is closing");
    this.#session.handle.interrupt();
    return this;
  }

  /** Copies databases from or into a file, one step at a time. */
  backup(filename: string, ...given: unknown[]): Backup {
    const [sourceName, destName, filenameIsDest, callback] =
      given.length <= 1 ? ["main", "main", true, given[0]] : given;
    const backup = new Backup(
      this,
      filename,
      sourceName as string,
      destName as string,
      filenameIsDest as boolean,
      callback as Callback | undefined,
    );
    backup.retryErrors = [BUSY, LOCKED];
    return backup;
  }

  override on(type: string | symbol, listener: Callback): this {
    return this.#listen(type, () => super.on(type, listener));
  }

  override addListener(type: string | symbol, listener: Callback): this {
    return this.on(type, listener);
  }

  override removeListener(type: string | symbol, listener: Callback): this {
    return this.#listen(type, () => super.removeListener(type, listener));
  }

  override off(type: string | symbol, listener: Callback): this {
    return this.removeListener(type, listener);
  }

  override removeAllListeners(type?: string | symbol): this {
    return this.#listen(type, () => super.removeAllListeners(type));
  }

  /** Changes the listeners. An event without listeners costs nothing. */
  #listen(type: string | symbol | undefined, change: () => this): this {
    change();
    if (typeof type === "string" && isWatchable(type)) this.configure(type, this.listenerCount(type) > 0);
    return this;
  }

  #open(answer: Answer | null): void {
    const { scheduler } = this.#session;
    const opened = (handle: Handle): void => {
      this.#session.opened(handle);
      forgotten.register(this, handle, this);
      try {
        answer?.call(this, null);
        this.emit("open");
      } finally {
        scheduler.process();
      }
    };
    const failed = (error: unknown): void => {
      scheduler.failed();
      try {
        report(this, answer, openError(error));
      } finally {
        scheduler.refuseWaiting(closedWhileWaiting);
      }
    };
    // An error that a callback throws is an uncaught exception, not a rejection.
    openHandle(this.#filename, this.#mode).then(
      (handle) => queueMicrotask(() => opened(handle)),
      (error: unknown) => queueMicrotask(() => failed(error)),
    );
  }

  async #close(): Promise<void> {
    this.#closing = true;
    if (this.#session.inUse) {
      throw sqlite3Error("BUSY", "unable to close due to unfinalized statements or unfinished backups");
    }
    await this.#session.handle.close();
  }

  #closed(answer: Answer | null): void {
    const { scheduler } = this.#session;
    scheduler.closed();
    forgotten.unregister(this);
    try {
      answer?.call(this, null);
      this.emit("close");
    } finally {
      const error = scheduler.refuseWaiting(closedWhileWaiting);
      if (error !== null) this.emit("error", error);
    }
  }

  #inMode(serialized: boolean, callback: Callback | undefined): this {
    const { scheduler } = this.#session;
    const before = scheduler.serialized;
    scheduler.serialized = serialized;
    try {
      callback?.call(this);
    } finally {
      if (callback !== undefined) scheduler.serialized = before;
      scheduler.process();
    }
    return this;
  }

  /** Schedules a call that runs alone. */
  #exclusive(name: string, callback: Callback | undefined, work: (handle: Handle) => Promise<void>): this {
    const answer = Answer.of(callback, `sqlite3.Database.${name}`);
    this.#session.schedule({
      kind: Kind.MESSAGE,
      exclusive: true,
      start: () => work(this.#session.handle),
      done: (error) => {
        if (error === null) answer?.call(this, null);
        else report(this, answer, error);
      },
      refuse: (error) => tell(this, answer, error),
    });
    return this;
  }

  #configure(work: (handle: Handle) => Promise<void>): void {
    this.#session.schedule({
      kind: Kind.MESSAGE,
      start: () => work(this.#session.handle),
      done: (error) => {
        if (error !== null) report(this, null, error);
      },
      refuse: () => false,
    });
  }
}

function number(value: unknown, complaint: string): number {
  if (typeof value !== "number") throw new TypeError(complaint);
  return value | 0;
}

/** SQLite's message only says that a file cannot be opened, or is no database; the cause has the path and the reason. */
function openError(error: unknown): Sqlite3Error {
  const known = fromCore(error);
  const { name } = error as { name?: unknown };
  if (known.code === "SQLITE_NOTADB") return sqlite3Error("NOTADB", "file is not a database", error);
  return known.code === "SQLITE_CANTOPEN" || name === "TypeError" || name === "RangeError"
    ? sqlite3Error("CANTOPEN", "unable to open database file", error)
    : known;
}

enumerable(DatabaseClass.prototype, [
  "prepare",
  "run",
  "get",
  "all",
  "each",
  "map",
  "backup",
  "on",
  "addListener",
  "removeListener",
  "removeAllListeners",
]);

/** One database, with a thread of its own. */
export const Database: typeof DatabaseClass = nativeLike(DatabaseClass, "Database");
export type Database = DatabaseClass;
