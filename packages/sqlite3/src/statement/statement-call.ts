import type { EventEmitter } from "node:events";
import type { Bindable } from "@sqlite-aio/core";
import { type Answer, report, tell } from "../calls/answer.js";
import type { Sqlite3Error } from "../calls/errors.js";
import { type CallQueue, QueuedCall } from "../scheduling/call-queue.js";

/** The work of one call of a statement. */
export interface Operation<T> {
  readonly kind: number;
  /** Its effect does not depend on the results of earlier calls. */
  readonly fresh: boolean;
  /** The callback for errors. */
  readonly answer: Answer | null;
  work(values: readonly Bindable[]): Promise<T>;
  /** Called after success. */
  succeeded(result: T): void;
  /** Called after a failure was reported. */
  failed?(): void;
}

/** A call of a prepared statement, with the values that its parameters have when it starts. */
export class StatementCall<T> extends QueuedCall {
  readonly #statement: EventEmitter;
  readonly #operation: Operation<T>;
  readonly #values: readonly Bindable[];

  constructor(
    queue: CallQueue,
    statement: EventEmitter,
    operation: Operation<T>,
    values: readonly Bindable[],
  ) {
    super(queue, operation.kind, operation.fresh);
    this.#statement = statement;
    this.#operation = operation;
    this.#values = values;
  }

  override start(): Promise<T> {
    return this.#operation.work(this.#values);
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
