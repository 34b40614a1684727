import { native, needsNative } from "../engine/native.js";
import { UsageError } from "../wire/fault.js";

interface OpenBlob {
  /** The native companion's number of the blob. */
  readonly id: number;
  readonly database: string;
  readonly table: string;
  written: boolean;
}

/** Open blobs, by the numbers that the main side has given them. */
export class Blobs {
  readonly #inTransaction: () => boolean;
  readonly #changed: (database: string, table: string) => void;
  readonly #open = new Map<number, OpenBlob>();
  #token = 0;

  /** `changed` is called with a table whose value has changed, once only a rollback could undo that. */
  constructor(inTransaction: () => boolean, changed: (database: string, table: string) => void) {
    this.#inTransaction = inTransaction;
    this.#changed = changed;
  }

  /** Call it when a handle was opened. */
  attached(token: number): void {
    this.#token = token;
  }

  /** Call it before the handle closes. */
  detached(): void {
    this.closeAll();
    this.#token = 0;
  }

  /** Opens the value of a column in a row. Returns its length in bytes. */
  open(
    number: number,
    [database, table, column]: readonly [string, string, string],
    rowid: bigint,
    writable: boolean,
  ): number {
    if (native === null || this.#token === 0) throw needsNative("blobopen()");
    const { id, bytes } = native.blobOpen(this.#token, database, table, column, rowid, writable);
    this.#open.set(number, { id, database, table, written: false });
    return bytes;
  }

  read(number: number, offset: number, size: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(size);
    native!.blobRead(this.#token, this.#blob(number).id, bytes, offset);
    return bytes;
  }

  write(number: number, offset: number, bytes: Uint8Array): void {
    const blob = this.#blob(number);
    native!.blobWrite(this.#token, blob.id, bytes, offset);
    blob.written = true;
    // Outside a transaction the write is committed when the blob is closed.
    if (this.#inTransaction()) this.#changed(blob.database, blob.table);
  }

  close(number: number): void {
    const blob = this.#open.get(number);
    if (blob === undefined) return;
    this.#open.delete(number);
    native!.blobClose(this.#token, blob.id);
    if (blob.written && !this.#inTransaction()) this.#changed(blob.database, blob.table);
  }

  /** {@link close} without errors, for a blob that nobody uses any more. */
  release(number: number): void {
    try {
      this.close(number);
    } catch {
      // The write could not be committed, and no caller waits for the error.
    }
  }

  closeAll(): void {
    for (const number of this.#open.keys()) this.release(number);
  }

  #blob(number: number): OpenBlob {
    const blob = this.#open.get(number);
    if (blob === undefined)
      throw new UsageError("SQLITE_ABORT", "the blob was closed with its transaction or lease");
    return blob;
  }
}
