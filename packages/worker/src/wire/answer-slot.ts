import type { TextBuffer } from "./text-buffer.js";

/** Values in one answer, and bytes of its texts: a row by its key takes about 15 and some tens. */
const CELLS = 64;
const TEXT_BYTES = 1024;

/** Words, each at the beginning of a cache line of its own: one side stores while the other polls. */
const LOOKING = 0;
const NUMBER = 16;
const LENGTH = 17;
const HEAD_BYTES = 128;

const Tag = { NULL: 0, NUMBER: 1, INT64: 2, ASCII: 3, UTF8: 4 } as const;

export function createAnswerSlot(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEAD_BYTES + CELLS * 9 + TEXT_BYTES);
}

/**
 * A place in shared memory for one small answer of the thread, used while the main side looks for it. A posted message
 * costs both sides more: it is serialized, goes through the port's lock, and wakes a loop that is awake.
 *
 * An answer has the number that it has among all that the thread has announced, so that it stays in order with those
 * that come by the port.
 */
export class AnswerSlot {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #cells: Float64Array<SharedArrayBuffer>;
  readonly #integers: BigInt64Array<SharedArrayBuffer>;
  readonly #tags: Uint8Array<SharedArrayBuffer>;
  readonly #text: TextBuffer;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, HEAD_BYTES / 4);
    this.#cells = new Float64Array(memory, HEAD_BYTES, CELLS);
    this.#integers = new BigInt64Array(memory, HEAD_BYTES, CELLS);
    this.#tags = new Uint8Array(memory, HEAD_BYTES + CELLS * 8, CELLS);
    this.#text = Buffer.from(memory, HEAD_BYTES + CELLS * 9, TEXT_BYTES) as TextBuffer;
  }

  /**
   * Main: whether it looks for answers. Who stops takes what is announced afterwards; what is announced later finds that
   * nobody looks.
   */
  set looking(looking: boolean) {
    Atomics.store(this.#words, LOOKING, looking ? 1 : 0);
  }

  get looking(): boolean {
    return Atomics.load(this.#words, LOOKING) !== 0;
  }

  /** Thread: stores the answer `number` to the call `id`. False if it does not fit, or if the one before is still there. */
  put(number: number, id: number, answer: readonly unknown[]): boolean {
    if (number === 0 || answer.length >= CELLS || Atomics.load(this.#words, NUMBER) !== 0) return false;
    this.#cells[0] = id;
    let textAt = 0;
    for (let i = 0; i < answer.length; ) {
      const value = answer[i++];
      switch (typeof value) {
        case "number":
          this.#tags[i] = Tag.NUMBER;
          this.#cells[i] = value;
          break;
        case "string": {
          if (value.length * 3 > TEXT_BYTES - textAt) return false;
          const bytes = this.#text.utf8Write(value, textAt);
          // UTF-8 has no half of a surrogate pair.
          if (bytes !== value.length && !value.isWellFormed()) return false;
          this.#tags[i] = bytes === value.length ? Tag.ASCII : Tag.UTF8;
          this.#cells[i] = bytes;
          textAt += bytes;
          break;
        }
        case "bigint":
          if (BigInt.asIntN(64, value) !== value) return false;
          this.#tags[i] = Tag.INT64;
          this.#integers[i] = value;
          break;
        default:
          if (value !== null) return false;
          this.#tags[i] = Tag.NULL;
      }
    }
    this.#words[LENGTH] = answer.length;
    Atomics.store(this.#words, NUMBER, number);
    return true;
  }

  /** Main: whether it holds the answer of this number. */
  has(number: number): boolean {
    return Atomics.load(this.#words, NUMBER) === number && number !== 0;
  }

  /** Main: takes the answer, as it would have been posted. */
  take(): [id: number, answer: unknown[]] {
    const answer: unknown[] = [];
    const length = this.#words[LENGTH]!;
    let textAt = 0;
    for (let i = 1; i <= length; i++) {
      const value = this.#cells[i]!;
      switch (this.#tags[i]) {
        case Tag.NUMBER:
          answer.push(value);
          break;
        case Tag.ASCII:
          answer.push(this.#text.latin1Slice(textAt, (textAt += value)));
          break;
        case Tag.UTF8:
          answer.push(this.#text.utf8Slice(textAt, (textAt += value)));
          break;
        case Tag.INT64:
          answer.push(this.#integers[i]!);
          break;
        default:
          answer.push(null);
      }
    }
    const id = this.#cells[0]!;
    Atomics.store(this.#words, NUMBER, 0);
    return [id, answer];
  }
}
