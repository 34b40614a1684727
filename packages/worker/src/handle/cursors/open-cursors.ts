import type { ResultCursor } from "./cursors.js";
import { UsageError } from "../../wire/fault.js";

/** Maximum bytes of one half-read cursor's rows that are kept in memory for work that the engine refuses beside it. */
const REST_BYTES = 16 * 1024 * 1024;

/** The half-read results of a handle, by the numbers that the main side has given them. */
export class OpenCursors {
  readonly #cursors = new Map<number, ResultCursor>();

  get size(): number {
    return this.#cursors.size;
  }

  get(id: number): ResultCursor | undefined {
    return this.#cursors.get(id);
  }

  keep(id: number, cursor: ResultCursor): void {
    this.#cursors.set(id, cursor);
  }

  /** Removes a cursor that has no more rows. */
  forget(id: number): void {
    this.#cursors.delete(id);
  }

  close(id: number): void {
    this.#cursors.get(id)?.close();
    this.#cursors.delete(id);
  }

  closeAll(): void {
    for (const cursor of this.#cursors.values()) cursor.close();
    this.#cursors.clear();
  }

  /** Makes every cursor throw an error in place of its remaining rows. */
  interrupt(): void {
    for (const cursor of this.#cursors.values()) cursor.interrupt();
  }

  /** Reads the remaining rows first, for work that the engine refuses beside an open iterator. */
  readRest(what: string): void {
    if ([...this.#cursors.values()].every((cursor) => cursor.readRest(REST_BYTES))) return;
    throw new UsageError(
      "SQLITE_BUSY",
      `${what} while a cursor is half read that has more than 16 MB of rows left`,
    );
  }
}
