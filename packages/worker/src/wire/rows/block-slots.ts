import { types } from "node:util";
import { malformed } from "../malformed.js";

/** Two replies are under way while a large result is read, one is being written, and one is to spare. */
const SLOTS = 4;
/** Room for a full packet, also where its texts take two bytes a character. */
const SLOT_BYTES = 512 * 1024;
/** The words that say which slots are taken; what follows begins at a line of the cache. */
const HEAD_BYTES = 64;

/** One place for a block in the memory that both sides see. */
export type Slot = Uint8Array<SharedArrayBuffer>;

/**
 * Memory that both sides see, in which blocks of rows travel. Memory that is allocated for a block and transferred has to be
 * cleared and mapped, page by page, which takes longer than to pack the rows. The thread takes the slot of a block that it
 * sends; the main side gives it back once it has made the rows.
 */
export class BlockSlots {
  readonly memory: SharedArrayBuffer;
  readonly #taken: Int32Array<SharedArrayBuffer>;
  readonly #slots: readonly Slot[];

  /** Without `memory` it is made here. Throws if it is none that was. */
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

  /** Thread: a slot that is not taken; null if all are. The first ones come first: the others' pages may never be touched. */
  free(): Slot | null {
    for (let at = 0; at < SLOTS; at++) if (Atomics.load(this.#taken, at) === 0) return this.#slots[at]!;
    return null;
  }

  /** Thread: takes `slot`, and gives its number; -1 for what is none. */
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
