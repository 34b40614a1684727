import type { Bindable, Cursor } from "@sqlite-aio/core";
import type { Handle, ObjectRow, RunOutcome } from "../connection/handle.js";
import type { StatementText } from "../connection/statement-text.js";

type Values = readonly Bindable[];

/** Where a prepared statement stands: before its first row, between two, or behind the last. */
export class Stepper {
  readonly #text: StatementText;
  readonly #handle: Handle;
  readonly #givesRows: boolean;
  /** The rows that no step has reached yet; null before the first step and behind the last row. */
  #cursor: Cursor | null = null;
  /** There is no next row until the statement starts anew. */
  #ended = false;

  constructor(text: StatementText, handle: Handle, givesRows: boolean) {
    this.#text = text;
    this.#handle = handle;
    this.#givesRows = givesRows;
  }

  /** The next step begins at the first row. */
  reset(): void {
    this.#stand(null, false);
  }

  /** The first step. */
  run(values: Values): Promise<RunOutcome> {
    if (this.#givesRows) return this.#step(values);
    this.#stand(null, true);
    return this.#handle.run(this.#text, values);
  }

  async #step(values: Values): Promise<RunOutcome> {
    this.reset();
    const { cursor, outcome, row } = await this.#handle.step(this.#text, values);
    this.#stand(cursor, row === undefined);
    return outcome;
  }

  /** The next step; the first one if `anew`. */
  async get(values: Values, anew: boolean): Promise<ObjectRow | undefined> {
    if (anew) this.#ended = false;
    if (this.#ended) return undefined;
    let cursor = this.#cursor;
    if (anew || cursor === null) {
      // It is this step's alone: another may begin before this one is answered.
      this.#cursor = null;
      cursor = await this.#handle.open(this.#text, values, cursor);
    }
    const row = (await cursor.fetchone<ObjectRow>()) ?? undefined;
    this.#stand(cursor, row === undefined);
    return row;
  }

  /** All steps from the first one on. */
  all(values: Values): Promise<ObjectRow[]> {
    this.#stand(null, true);
    return this.#handle.all(this.#text, values);
  }

  /** All steps, whose rows `onRows` is given some at a time. */
  each(values: Values, onRows: (rows: ObjectRow[]) => void): Promise<void> {
    this.#stand(null, true);
    return this.#handle.each(this.#text, values, onRows);
  }

  /** The first step once for each set of values; `onError` is told of those that fail. */
  many(sets: readonly Values[], onError: (error: unknown) => void): Promise<void> {
    this.#stand(null, true);
    return this.#handle.many(this.#text, sets, onError);
  }

  #stand(cursor: Cursor | null, ended: boolean): void {
    if (this.#cursor !== null && this.#cursor !== cursor) letGo(this.#cursor);
    this.#cursor = ended ? null : cursor;
    this.#ended = ended;
  }
}

/** The rows that are left are not wanted. Whether the connection is still there makes no difference to that. */
function letGo(cursor: Cursor): void {
  cursor.close().catch(() => {});
}
