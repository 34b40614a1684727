import type { Bindable, Cursor } from "@sqlite-aio/core";
import type { Handle, ObjectRow, OnRows, RunOutcome } from "../connection/handle.js";
import type { StatementText } from "../connection/statement-text.js";

type Values = readonly Bindable[];

/** The position of a prepared statement: before its first row, between two rows, or behind the last. */
export class Stepper {
  readonly #text: StatementText;
  readonly #handle: Handle;
  readonly #givesRows: boolean;
  /** The rows that were not stepped to yet; null before the first step and behind the last row. */
  #cursor: Cursor | null = null;
  /** There is no next row until the statement starts over. */
  #ended = false;
  /** The latest run of all steps. */
  #whole: Promise<unknown> | null = null;

  constructor(text: StatementText, handle: Handle, givesRows: boolean) {
    this.#text = text;
    this.#handle = handle;
    this.#givesRows = givesRows;
  }

  /** The next step begins at the first row. */
  reset(): void {
    this.#stand(null, false);
  }

  /** Runs the first step. */
  run(values: Values): Promise<RunOutcome> {
    if (this.#givesRows) return this.#step(values);
    return this.#toTheEnd(() => this.#handle.run(this.#text, values));
  }

  async #step(values: Values): Promise<RunOutcome> {
    this.reset();
    const { cursor, outcome, row } = await this.#handle.step(this.#text, values);
    this.#stand(cursor, row === undefined);
    return outcome;
  }

  /** Runs the next step; the first one if `anew`. */
  async get(values: Values, anew: boolean): Promise<ObjectRow | undefined> {
    if (anew) this.#ended = false;
    if (this.#ended) return undefined;
    let cursor = this.#cursor;
    if (anew || cursor === null) {
      // It is this step's alone: another may begin before this one is answered.
      this.#cursor = null;
      cursor = await this.#handle.open(this.#text, values, cursor);
    }
    try {
      const row = (await cursor.fetchone<ObjectRow>()) ?? undefined;
      this.#stand(cursor, row === undefined);
      return row;
    } catch (error) {
      this.#cursor = cursor;
      this.reset();
      throw error;
    }
  }

  /** Runs all steps from the first one on. */
  all(values: Values): Promise<ObjectRow[]> {
    return this.#toTheEnd(() => this.#handle.all(this.#text, values));
  }

  /** Runs all steps and calls `onRows` with several rows at a time. */
  each(values: Values, onRows: OnRows): Promise<void> {
    return this.#toTheEnd(() => this.#handle.each(this.#text, values, onRows));
  }

  /** Runs the first step once for each set of values; `onError` gets the errors. */
  many(sets: readonly Values[], onError: (error: unknown) => void): Promise<void> {
    return this.#toTheEnd(() => this.#handle.many(this.#text, sets, onError));
  }

  /** There is no next row after all steps. But if one of them failed, the next step starts over. */
  #toTheEnd<T>(work: () => Promise<T>): Promise<T> {
    this.#stand(null, true);
    const whole = work();
    this.#whole = whole;
    whole.catch(() => {
      if (this.#whole === whole) this.#ended = false;
    });
    return whole;
  }

  #stand(cursor: Cursor | null, ended: boolean): void {
    if (this.#cursor !== null && this.#cursor !== cursor) letGo(this.#cursor);
    this.#cursor = ended ? null : cursor;
    this.#ended = ended;
  }
}

/** Drops the remaining rows. It does not matter whether the connection still exists. */
function letGo(cursor: Cursor): void {
  cursor.close().catch(() => {});
}
