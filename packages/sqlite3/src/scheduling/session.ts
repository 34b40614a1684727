import { alreadyClosed } from "../calls/errors.js";
import type { Handle } from "../connection/handle.js";
import { Job, type JobParts } from "./job.js";
import type { Database } from "../declarations/sqlite3.js";
import { Scheduler } from "./scheduler.js";

/** What a Database, its statements and its backups have in common. */
export class Session {
  readonly scheduler = new Scheduler();
  /** The Database: what nobody else is told is an event of it. */
  readonly owner: Database;
  #handle: Handle | null = null;
  #statements = 0;
  #backups = 0;

  constructor(owner: Database) {
    this.owner = owner;
  }

  /** Of a database that is open. */
  get handle(): Handle {
    return this.#handle!;
  }

  /** SQLite does not close a database that statements or backups still use. */
  get inUse(): boolean {
    return this.#statements > 0 || this.#backups > 0;
  }

  opened(handle: Handle): void {
    this.#handle = handle;
    this.scheduler.opened();
  }

  /** Starts a job in its turn, or answers at once that it has none. */
  schedule(parts: JobParts): void {
    const { scheduler } = this;
    if (!scheduler.over) {
      scheduler.schedule(new Job(parts));
      return;
    }
    const error = alreadyClosed();
    // Of a database that could not be opened its opener knows.
    if (!parts.refuse(error) && scheduler.wasOpen) this.owner.emit("error", error);
  }

  /** A statement was compiled. Gives what is to be called, once, when it is finalized. */
  holdStatement(): () => void {
    this.#statements++;
    return () => void this.#statements--;
  }

  /** A backup was begun. Gives what is to be called, once, when it is over. */
  holdBackup(): () => void {
    this.#backups++;
    return () => void this.#backups--;
  }
}

const sessions = new WeakMap<object, Session>();

/** Makes `session` known as that of the Database `owner`. */
export function register(session: Session): void {
  sessions.set(session.owner, session);
}

/** The session of a Database; undefined for anything else. */
export function sessionOf(value: unknown): Session | undefined {
  return typeof value === "object" && value !== null ? sessions.get(value) : undefined;
}
