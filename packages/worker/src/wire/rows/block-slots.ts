import { types } from "node:util";
import { malformed } from "../malformed.js";

/** While a large result is read, two replies are under way and one is being written; one slot is spare. */
const SLOTS = 4;
/** Room for a full packet, even if its texts have two bytes per character. */
const SLOT_BYTES = 512 * 1024;
/** Size of the words that say which slots are taken. The slots begin at a new cache line. */
const HEAD_BYTES = 64;

/** The place of a block in the shared memory. */
export type Slot = Uint8Array<SharedArrayBuffer>;

/**
 * Shared memory for blocks of rows. Memory that is allocated and transferred for each block has to be cleared and
 * mapped page by page, which takes longer than packing the rows. The thread takes the slot of a block that it sends;
 * the main side frees it when it has built the rows.
 */
export class BlockSlots {
  readonly memory: SharedArrayBuffer;
  readonly #taken: Int32Array<SharedArrayBuffer>;
  readonly #slots: readonly Slot[];

  /** Without `memory` it is allocated here. Throws if `memory` is not of this kind. */
  constructor(memory: unknown = new SharedArrayBuffer(HEAD_BYTES + SLOTS * SLOT_BYTES)) {
    if (!types.isSharedArrayBuffer(memory) || memory.byteLength !== HEAD_BYTES + SLOTS * SLOT_BYTES)
      throw malformed("the memory for blocks");
    this.memory = memory;
    this.#taken = new Int32Array(memory, 0, SLOTS);
    this.#slots = Array.from(
      { length: SLOTS },
      (_, at) => new Uint8Array(memory, HEAD_BYTES + at * SLOT_BYTES, SLOT_BYTES),
    );
  }

  /**
   * Thread: a free slot; null if all are taken. Prefers the first ones, so that the others' pages may never be touched.
   */
  free(): Slot | null {
    for (let at = 0; at < SLOTS; at++) if (Atomics.load(this.#taken, at) === 0) return this.#slots[at]!;
    return null;
  }

  /** Thread: takes `slot` and returns its number; -1 if it is none. */
  take(slot: unknown): number {
    const at = this.#slots.indexOf(slot as Slot);
    if (at >= 0) Atomics.store(this.#taken, at, 1);
    return at;
  }

  /** Main: the slot of this number. Throws if there is none. */
  slot(at: number): Slot {
    const slot = this.#slots[at];
    if (slot === undefined) throw malformed("the slot of a block");
    return slot;
  }

  giveBack(at: number): void {
    Atomics.store(this.#taken, at, 0);
  }
}
