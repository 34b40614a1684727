import { encodeColumns, type Packet, sizeOf, type SqlValue } from "@sqlite-aio/worker/wire";

/** Limits of one batch: what the main loop packs in about a millisecond. */
const MAX_SETS = 1000;
const MAX_BYTES = 256 * 1024;

/**
 * Parameter sets that are sent together. They are stored by columns: one array per set would be one more object for the
 * garbage collector to copy.
 */
export class Batch {
  readonly #columns: SqlValue[][];
  #sets = 0;
  #bytes = 0;

  /** `count` is the number of parameters. */
  constructor(count: number) {
    this.#columns = Array.from({ length: count }, () => []);
  }

  get sets(): number {
    return this.#sets;
  }

  /** Adds one set. True when the batch is full. */
  add(values: readonly SqlValue[]): boolean {
    const columns = this.#columns;
    let bytes = 0;
    for (let c = 0; c < columns.length; c++) {
      const value = values[c]!;
      columns[c]!.push(value);
      bytes += sizeOf(value);
    }
    this.#bytes += bytes;
    return ++this.#sets >= MAX_SETS || this.#bytes >= MAX_BYTES;
  }

  /** The batch in the form that is sent, and the buffers to transfer. */
  pack(): { packed: Packet | SqlValue[][]; transfer: ArrayBuffer[] } {
    const transfer: ArrayBuffer[] = [];
    const packed =
      this.#columns.length === 0
        ? Array.from({ length: this.#sets }, (): SqlValue[] => [])
        : encodeColumns(this.#sets, this.#columns, "auto", transfer);
    return { packed, transfer };
  }
}
