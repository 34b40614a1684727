import { Readable, Writable } from "node:stream";
import { inspect, type InspectOptionsStylized, types } from "node:util";
import { capabilities, needsNative } from "../capabilities.js";
import { ProgrammingError } from "../errors/errors.js";
import { boolean, type CallOptions, checkOptions } from "../options/connect-options.js";
import { Deadline } from "../options/deadline.js";
import { inspected } from "../tracing/inspected.js";
import type { Connection } from "./connection.js";
import type { Caller, Handle } from "./handle.js";

/** Options of `blobopen()`. */
export interface BlobOptions {
  /** Refuse to write. Default false. */
  readonly?: boolean | undefined;
  /** Which database: `"main"`, the default, `"temp"` or the name of an attached one. */
  name?: string | undefined;
}

/** Options of a stream of a blob. */
export interface BlobStreamOptions {
  /**
   * Close the blob with the stream: at its end, where it fails, and where it is destroyed, cancelled or aborted.
   * Default false.
   */
  autoClose?: boolean | undefined;
}

/**
 * Bytes of a stream's chunks. The memory of chunks that were read is freed by the garbage collector, which counts objects
 * rather than their buffers: with chunks of 64 KB, a process that reads much grows by 14 to 39 MB, with these by 6 MB.
 */
const CHUNK = 32 * 1024;
/** Bytes that a stream reads by one message, and writes if it has them: half the processor time of 64 KB. */
const MESSAGE = 8 * CHUNK;
/** A buffer of at most this many bytes is kept for the next write. */
const MOST_SPARE = 1024 * 1024;

/**
 * The value of one column in one row, read and written in pieces. Its length cannot change. A position moves along, as
 * in a file. Outside a transaction, writes are committed when the blob is closed; until then no other connection can
 * write.
 *
 * @example
 * await using blob = await db.blobopen("picture", "bytes", 1);
 * await pipeline(blob.createReadStream(), createWriteStream("picture.jpg"));
 */
export class Blob {
  readonly #connection: Connection;
  readonly #handle: Handle;
  readonly #number: number;
  readonly #length: number;
  #position = 0;
  /** A buffer that the thread has returned. */
  #spare: ArrayBuffer | null = null;
  #closing: Promise<void> | null = null;

  /** @internal Use `connection.blobopen()`. */
  constructor(connection: Connection, handle: Handle, number: number, length: number) {
    this.#connection = connection;
    this.#handle = handle;
    this.#number = number;
    this.#length = length;
  }

  /** The connection that opened the blob. */
  get connection(): Connection {
    return this.#connection;
  }

  /** Bytes of the blob. Throws once it is closed. */
  get length(): number {
    this.#check();
    return this.#length;
  }

  /** Reads `size` bytes from the position on, fewer at the end. A negative size reads all that are left. */
  async read(size = -1, options?: CallOptions): Promise<Buffer> {
    this.#check();
    if (!Number.isInteger(size)) throw new TypeError("the size must be an integer");
    const from = this.#position;
    const count = size < 0 ? this.#length - from : Math.min(size, this.#length - from);
    if (count === 0) return Buffer.alloc(0);
    const [bytes] = await this.#read(count, count, options, this.read);
    return bytes!;
  }

  /** Reads `count` bytes in pieces of `most` bytes, each in a buffer of its own. */
  async #read(
    count: number,
    most: number,
    options?: CallOptions,
    caller: Caller | null = null,
  ): Promise<Buffer[]> {
    const method = this.#handle.method("blobRead", this.#number, this.#position, count, most);
    const { value } = await this.#moving(count, this.#handle.perform(method, options, caller));
    return (value as Uint8Array<ArrayBuffer>[]).map(({ buffer }) => Buffer.from(buffer));
  }

  /** The next chunks of a stream; none at the end. */
  async #chunks(): Promise<Buffer[]> {
    this.#check();
    const count = Math.min(MESSAGE, this.#length - this.#position);
    return count === 0 ? [] : await this.#read(count, CHUNK);
  }

  /**
   * Overwrites the bytes from the position on. The given bytes are copied. Rejects with a RangeError if they do not
   * fit.
   */
  async write(bytes: Uint8Array | ArrayBuffer, options?: CallOptions): Promise<void> {
    this.#check();
    await this.#write([bytesOf(bytes)], options, this.write);
  }

  async #write(
    pieces: readonly Uint8Array[],
    options?: CallOptions,
    caller: Caller | null = null,
  ): Promise<void> {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (length > this.#length - this.#position) throw new RangeError("data longer than blob length");
    const copy = this.#copy(pieces, length);
    const method = this.#handle.methodWith([copy.buffer], "blobWrite", this.#number, this.#position, copy);
    const { value } = await this.#moving(length, this.#handle.perform(method, options, caller));
    const { buffer } = value as Uint8Array<ArrayBuffer>;
    if (buffer.byteLength <= MOST_SPARE) this.#spare = buffer;
  }

  /** Reuses the last buffer. The thread's garbage collector would let the buffers of many small writes pile up. */
  #copy(pieces: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
    const spare = this.#spare;
    this.#spare = null;
    const fits = spare !== null && spare.byteLength >= length;
    const copy = fits ? new Uint8Array(spare, 0, length) : new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      copy.set(piece, at);
      at += piece.length;
    }
    return copy;
  }

  /**
   * Moves the position, at once, and gives the new one. `origin` is 0 for the start, 1 for the position, 2 for the end.
   * Rejects with a RangeError outside the blob.
   */
  async seek(offset: number, origin = 0): Promise<number> {
    this.#check();
    if (!Number.isInteger(offset)) throw new TypeError("the offset must be an integer");
    if (origin !== 0 && origin !== 1 && origin !== 2)
      throw new RangeError("the origin must be 0 (the start), 1 (the position) or 2 (the end)");
    const from = origin === 0 ? 0 : origin === 1 ? this.#position : this.#length;
    const position = from + offset;
    if (position < 0 || position > this.#length) throw new RangeError("offset out of blob range");
    this.#position = position;
    return position;
  }

  /** The position, in bytes from the start. Throws once the blob is closed. */
  tell(): number {
    this.#check();
    return this.#position;
  }

  /**
   * A Web stream of the bytes from the position on. It reads only when asked, up to 256 KB by one message, and leaves the
   * blob open.
   */
  readable(options: BlobStreamOptions = {}): ReadableStream<Uint8Array> {
    const closing = this.#closingWith(options);
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const chunks = await orElse(this.#chunks(), closing);
        for (const chunk of chunks) controller.enqueue(chunk);
        if (chunks.length > 0) return;
        await closing();
        controller.close();
      },
      cancel: closing,
    });
  }

  /** A Web stream that writes into the blob, from the position on. It leaves the blob open. */
  writable(options: BlobStreamOptions = {}): WritableStream<Uint8Array> {
    const closing = this.#closingWith(options);
    return new WritableStream<Uint8Array>({
      write: (chunk) => orElse(this.write(chunk), closing),
      close: closing,
      abort: closing,
    });
  }

  /** Like {@link readable}, but as a stream of `node:stream`. */
  createReadStream(options: BlobStreamOptions = {}): Readable {
    const closing = this.#closingWith(options);
    const next = (): Promise<Buffer[]> => this.#chunks();
    return new Readable({
      highWaterMark: CHUNK,
      read() {
        next().then(
          (chunks) => {
            for (const chunk of chunks) this.push(chunk);
            if (chunks.length === 0) this.push(null);
          },
          (error: Error) => this.destroy(error),
        );
      },
      destroy: (error, done) => void told(closing(), (failed) => done(error ?? failed)),
    });
  }

  /** Like {@link writable}, but as a stream of `node:stream`. */
  createWriteStream(options: BlobStreamOptions = {}): Writable {
    const closing = this.#closingWith(options);
    return new Writable({
      highWaterMark: MESSAGE,
      // What has come during a write goes to the thread in one message.
      writev: (chunks, done) => void told(this.#writeTogether(chunks), done),
      // A commit that fails is told before the stream is said to have finished.
      final: (done) => void told(closing(), done),
      destroy: (error, done) => void told(closing(), (failed) => done(error ?? failed)),
    });
  }

  async #writeTogether(chunks: readonly { readonly chunk: unknown }[]): Promise<void> {
    this.#check();
    await this.#write(chunks.map(({ chunk }) => chunk as Uint8Array));
  }

  /** What a stream does at its end. Throws TypeError for wrong options, and for a closed blob. */
  #closingWith(options: BlobStreamOptions): () => Promise<void> {
    this.#check();
    const { autoClose } = checkOptions(options, ["autoClose"]);
    return boolean(autoClose, "autoClose") ? () => this.close() : async () => {};
  }

  /**
   * Closes the blob, and commits what was written outside a transaction. A second call returns the first one's promise.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Closes the blob at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal What `console.log()` shows. */
  [inspect.custom](depth: number, options: InspectOptionsStylized): string {
    const state = this.#closing !== null || this.#handle.closed ? "closed" : "open";
    return inspected(this, { state, length: this.#length, position: this.#position }, depth, options);
  }

  async #close(): Promise<void> {
    // The end of its connection, its transaction or its lease has closed it already.
    if (!this.#handle.cursors.delete(this.#number) || this.#handle.closed) return;
    await this.#handle.perform(this.#handle.method("blobClose", this.#number), undefined, this.close);
  }

  /**
   * Moves the position before the answer comes, so that the next call continues behind this one. If this call fails,
   * the position moves back, unless another call has moved it since.
   */
  async #moving<T>(count: number, call: Promise<T>): Promise<T> {
    const from = this.#position;
    const to = from + count;
    this.#position = to;
    try {
      return await call;
    } catch (error) {
      if (this.#position === to) this.#position = from;
      throw error;
    }
  }

  #check(): void {
    this.#handle.check();
    if (this.#closing !== null)
      throw new ProgrammingError("Cannot operate on a closed blob.", { code: "SQLITE_MISUSE" });
  }
}

/** Calls `done` when the work is, with what it failed with, or null. */
async function told(work: Promise<void>, done: (error: Error | null) => void): Promise<void> {
  let error: Error | null = null;
  try {
    await work;
  } catch (thrown) {
    error = thrown as Error;
  }
  done(error);
}

/** What `work` gives. If it fails, `cleanup` is done before it is told. */
async function orElse<T>(work: Promise<T>, cleanup: () => Promise<void>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    await cleanup().catch(() => {});
    throw error;
  }
}

/** Opens a blob. Throws for wrong arguments. */
export async function openBlob(
  connection: Connection,
  handle: Handle,
  names: readonly [table: string, column: string],
  row: number | bigint,
  options: BlobOptions & CallOptions,
  caller: Caller,
): Promise<Blob> {
  checkOptions(options, ["readonly", "name", "signal", "timeout"]);
  const { name = "main", signal, timeout } = options;
  const writable = !boolean(options.readonly, "readonly");
  const all = [name, ...names].map((text, i) => checkName(text, ["name", "table", "column"][i]!));
  const number = handle.nextNumber();
  const method = handle.method("blobOpen", number, all, rowid(row), writable);
  Deadline.of({ signal, timeout });
  if (!capabilities.blobs) throw needsNative("blobopen()");
  const { value } = await handle.perform(method, { signal, timeout }, caller);
  const blob = new Blob(connection, handle, number, value as number);
  // If the transaction has ended meanwhile, the thread has closed its blobs already.
  if (handle.closed) handle.release(number);
  else handle.cursors.add(number, blob);
  return blob;
}

function checkName(name: string, what: string): string {
  if (typeof name !== "string" || name.includes("\0"))
    throw new TypeError(`the ${what} of a blob must be a string`);
  return name;
}

function rowid(row: number | bigint): bigint {
  if (typeof row !== "bigint" && !Number.isSafeInteger(row))
    throw new TypeError("the row must be a rowid: an integer or a bigint");
  const id = BigInt(row);
  if (BigInt.asIntN(64, id) !== id) throw new RangeError("a rowid has 64 bits at the most");
  return id;
}

function bytesOf(bytes: Uint8Array | ArrayBuffer): Uint8Array {
  if (ArrayBuffer.isView(bytes)) return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (types.isAnyArrayBuffer(bytes)) return new Uint8Array(bytes);
  throw new TypeError("the bytes must be a Uint8Array or an ArrayBuffer");
}
