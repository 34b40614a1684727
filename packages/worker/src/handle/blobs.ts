import { native, needsNative } from "../engine/native.js";
import { codeOf, UsageError } from "../wire/fault.js";

/** The database, the table and the column of a value. */
type Place = readonly [string, string, string];

interface OpenBlob {
  /** The native companion's number of the blob. */
  id: number;
  readonly place: Place;
  readonly rowid: bigint;
  readonly writable: boolean;
  written: boolean;
  /** Why it could not be opened again; null if it is open. */
  failure: { readonly error: unknown } | null;
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
  open(number: number, place: Place, rowid: bigint, writable: boolean): number {
    if (native === null || this.#token === 0) throw needsNative("blobopen()");
    const { id, bytes } = native.blobOpen(this.#token, ...place, rowid, writable);
    this.#open.set(number, { id, place, rowid, writable, written: false, failure: null });
    return bytes;
  }

  /** Reads `size` bytes in pieces of `most` bytes, each in a buffer of its own. */
  read(number: number, offset: number, size: number, most: number): Uint8Array<ArrayBuffer>[] {
    const { id } = this.#blob(number);
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for (let at = 0; at < size; at += most) {
      const bytes = new Uint8Array(Math.min(most, size - at));
      native!.blobRead(this.#token, id, bytes, offset + at);
      pieces.push(bytes);
    }
    return pieces;
  }

  write(number: number, offset: number, bytes: Uint8Array): void {
    const blob = this.#blob(number);
    native!.blobWrite(this.#token, blob.id, bytes, offset);
    // No bytes change nothing, but a blob that cannot be written has refused them.
    if (bytes.length === 0) return;
    blob.written = true;
    // Outside a transaction the write is committed when the blob is closed.
    if (this.#inTransaction()) this.#tell(blob);
  }

  close(number: number): void {
    const blob = this.#open.get(number);
    if (blob === undefined) return;
    this.#open.delete(number);
    if (blob.failure !== null) throw blob.failure.error;
    this.#close(blob);
  }

  #close(blob: OpenBlob): void {
    native!.blobClose(this.#token, blob.id);
    if (blob.written && !this.#inTransaction()) this.#tell(blob);
    blob.written = false;
  }

  #tell({ place: [database, table] }: OpenBlob): void {
    this.#changed(database, table);
  }

  /**
   * Closes all blobs and opens them again at their values: to SQLite, an open blob is a statement under way. A blob that
   * cannot be opened again gives the error when it is used.
   */
  reopen(): void {
    const live = [...this.#open.values()].filter((blob) => blob.failure === null && !this.#expired(blob));
    const attempt = (blob: OpenBlob, work: () => void): void => {
      try {
        if (blob.failure === null) work();
      } catch (error) {
        blob.failure = { error };
      }
    };
    for (const blob of live) attempt(blob, () => this.#close(blob));
    for (const blob of live) {
      attempt(blob, () => {
        blob.id = native!.blobOpen(this.#token, ...blob.place, blob.rowid, blob.writable).id;
      });
    }
  }

  /** Its row was changed by other means, so it gives an error for ever, and is no statement under way. */
  #expired({ id }: OpenBlob): boolean {
    try {
      native!.blobRead(this.#token, id, new Uint8Array(1), 0);
      return false;
    } catch (error) {
      // An empty value has no first byte, which is another error.
      return codeOf(error) === "SQLITE_ABORT";
    }
  }

  /** {@link close} without errors, for a blob that is not used any more. */
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
    if (blob.failure !== null) throw blob.failure.error;
    return blob;
  }
}
