import type { Sqlite3Error } from "../calls/errors.js";

/** How a task goes together with the others of its database. */
export const Kind = {
  /** One message to the thread: it may be sent before those ahead of it are answered, and is answered after them. */
  MESSAGE: 0,
  /** Several messages, between which those of others may come. */
  LONG: 1,
  /** Nothing else is under way while it runs. */
  ALONE: 2,
} as const;

/** How a task ended. */
interface Outcome {
  readonly error: Sqlite3Error | null;
  readonly result: unknown;
}

/** Work for the thread, and what is done with its outcome. */
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

  /** Does the work, or sends for it. */
  abstract start(): Promise<unknown>;

  /** Tells the caller how it ended. */
  abstract done(error: Sqlite3Error | null, result: unknown): void;

  /** Its caller is told, and has done in his callback what he wanted. */
  over(): void {}

  /** Notes how it ended. */
  settle(error: Sqlite3Error | null, result: unknown): void {
    this.#outcome = { error, result };
  }
}

/** A task that waits for its turn among the others of its database. */
export interface JobParts {
  readonly kind: number;
  /** Waits for what is under way even where calls run side by side. */
  readonly exclusive?: boolean;
  start(): Promise<unknown>;
  done(error: Sqlite3Error | null, result: unknown): void;
  /** Tells the caller that it will never start; false if there is nobody to tell. */
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
