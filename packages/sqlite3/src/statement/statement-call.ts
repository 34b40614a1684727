import type { EventEmitter } from "node:events";
import type { Bindable } from "@sqlite-aio/core";
import { type Answer, report, tell } from "../calls/answer.js";
import type { Sqlite3Error } from "../calls/errors.js";
import { type CallQueue, QueuedCall } from "../scheduling/call-queue.js";

/** What a call of a statement does. */
export interface Operation<T> {
  readonly kind: number;
  /** It does not depend on how those before it ended. */
  readonly fresh: boolean;
  /** The callback for errors. */
  readonly answer: Answer | null;
  work(values: readonly Bindable[]): Promise<T>;
  /** What is done when it has succeeded. */
  succeeded(result: T): void;
  /** What is done when it has failed and that was told. */
  failed?(): void;
}

/** A call of a prepared statement, with the values that its parameters have by then. */
export class StatementCall<T> extends QueuedCall {
  readonly #statement: EventEmitter;
  readonly #operation: Operation<T>;
  readonly #values: readonly Bindable[];
  readonly #wrong: Sqlite3Error | null;

  constructor(
    queue: CallQueue,
    statement: EventEmitter,
    operation: Operation<T>,
    values: readonly Bindable[],
    wrong: Sqlite3Error | null = null,
  ) {
    super(queue, operation.kind, operation.fresh);
    this.#statement = statement;
    this.#operation = operation;
    this.#values = values;
    this.#wrong = wrong;
  }

  override start(): Promise<T> {
    return this.#wrong === null ? this.#operation.work(this.#values) : Promise.reject(this.#wrong);
  }

  override done(error: Sqlite3Error | null, result: unknown): void {
    const operation = this.#operation;
    if (error === null) {
      operation.succeeded(result as T);
      return;
    }
    try {
      report(this.#statement, operation.answer, error);
    } finally {
      operation.failed?.();
    }
  }

  override tell(error: Sqlite3Error): boolean {
    return tell(this.#statement, this.#operation.answer, error);
  }
}
