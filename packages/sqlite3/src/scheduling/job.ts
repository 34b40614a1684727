import type { Sqlite3Error } from "../calls/errors.js";

/** How a task combines with the others of its database. */
export const Kind = {
  /** One message to the thread. It may be sent before earlier ones are answered, and is answered after them. */
  MESSAGE: 0,
  /** Several messages; messages of other tasks may come between them. */
  LONG: 1,
  /** Nothing else runs at the same time. */
  ALONE: 2,
} as const;

/** How a task ended. */
interface Outcome {
  readonly error: Sqlite3Error | null;
  readonly result: unknown;
}

/** Work for the thread, and the handling of its outcome. */
export abstract class Task {
  readonly kind: number;
  #outcome: Outcome | null = null;

  constructor(kind: number) {
    this.kind = kind;
  }

  /** Null until it has ended. */
  get outcome(): Outcome | null {
    return this.#outcome;
  }

  /** Starts the work. */
  abstract start(): Promise<unknown>;

  /** Reports the outcome to the caller. */
  abstract done(error: Sqlite3Error | null, result: unknown): void;

  /** Called when the caller's callback has returned. */
  over(): void {}

  /** Notes its outcome. */
  settle(error: Sqlite3Error | null, result: unknown): void {
    this.#outcome = { error, result };
  }
}

/** A task that waits for its turn among the others of its database. */
export interface JobParts {
  readonly kind: number;
  /** It waits for running tasks even in parallel mode. */
  readonly exclusive?: boolean;
  start(): Promise<unknown>;
  done(error: Sqlite3Error | null, result: unknown): void;
  /** Reports to the caller that it never starts; false if there is no callback. */
  refuse(error: Sqlite3Error): boolean;
}

/** See {@link JobParts}. */
export class Job extends Task {
  readonly exclusive: boolean;
  readonly #parts: JobParts;

  constructor(parts: JobParts) {
    super(parts.kind);
    this.exclusive = parts.exclusive ?? false;
    this.#parts = parts;
  }

  override start(): Promise<unknown> {
    return this.#parts.start();
  }

  override done(error: Sqlite3Error | null, result: unknown): void {
    this.#parts.done(error, result);
  }

  refuse(error: Sqlite3Error): boolean {
    return this.#parts.refuse(error);
  }
}
