import type { DatabaseHandle } from "./database-handle.js";
import type { ReplyWriter } from "./reply-writer.js";
import type { Statement } from "./statement.js";
import { withoutKeys } from "../sql/redact-keys.js";
import type { SqlValue } from "../wire/protocol.js";

/** Reports the text of each statement before it runs, while a trace callback is set. */
export class StatementTrace {
  readonly #handle: DatabaseHandle;
  readonly #out: ReplyWriter;
  #on = false;

  constructor(handle: DatabaseHandle, out: ReplyWriter) {
    this.#handle = handle;
    this.#out = out;
  }

  get on(): boolean {
    return this.#on;
  }

  turn(on: boolean): void {
    this.#on = on;
  }

  statement(statement: Statement, values: SqlValue[]): void {
    if (this.#on) this.#out.trace(withoutKeys(statement.expanded(this.#handle.db, values)));
  }

  text(sql: string): void {
    if (this.#on) this.#out.trace(withoutKeys(sql));
  }
}
