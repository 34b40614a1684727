import { alreadyClosed } from "../calls/errors.js";
import type { Handle } from "../connection/handle.js";
import { Job, type JobParts } from "./job.js";
import type { Database } from "../declarations/sqlite3.js";
import { Scheduler } from "./scheduler.js";

/** The common state of a Database, its statements and its backups. */
export class Session {
  readonly scheduler = new Scheduler();
  /** The Database. Errors without a callback are events of it. */
  readonly owner: Database;
  #handle: Handle | null = null;
  #statements = 0;
  #backups = 0;

  constructor(owner: Database) {
    this.owner = owner;
  }

  /** The handle; the database must be open. */
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

  /** Starts a job in its turn, or refuses it at once. */
  schedule(parts: JobParts): void {
    const { scheduler } = this;
    if (!scheduler.over) {
      scheduler.schedule(new Job(parts));
      return;
    }
    const error = alreadyClosed();
    // If the database could not be opened, its opener knows already.
    if (!parts.refuse(error) && scheduler.wasOpen) this.owner.emit("error", error);
  }

  /** Notes a compiled statement. The returned function must be called once when it is finalized. */
  holdStatement(): () => void {
    this.#statements++;
    return () => void this.#statements--;
  }

  /** Notes a backup. The returned function must be called once when it has ended. */
  holdBackup(): () => void {
    this.#backups++;
    return () => void this.#backups--;
  }
}

const sessions = new WeakMap<object, Session>();

/** Registers the session of its Database. */
export function register(session: Session): void {
  sessions.set(session.owner, session);
}

/** The session of a Database; undefined for anything else. */
export function sessionOf(value: unknown): Session | undefined {
  return typeof value === "object" && value !== null ? sessions.get(value) : undefined;
}
