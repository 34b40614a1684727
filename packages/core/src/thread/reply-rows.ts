import {
  appendBlock,
  appendCells,
  appendPacket,
  blockColumns,
  BlockSlots,
  malformed,
  type Packet,
  type Reply,
} from "@sqlite-aio/worker/wire";
import type { Call } from "./call.js";

/** Builds the rows of replies, and adds them to their calls. */
export class ReplyRows {
  /** The shared memory for blocks. */
  #slots: BlockSlots | null = null;

  memoryIs(memory: unknown): void {
    this.#slots = new BlockSlots(memory);
  }

  /** Frees the memory when no more rows come: a closed connection may be kept for long. */
  end(): void {
    this.#slots = null;
  }

  /** Adds the rows of the answer ROWS at `at`. */
  addCells(call: Call, reply: Reply, at: number): void {
    if (call.settled) return;
    const rows = reply[at + 2] as number;
    const columns = reply[at + 3] as number;
    const made: unknown[] = [];
    appendCells(made, reply, at + 4, rows, columns, namesOf(call, rows === 0 ? null : columns));
    call.addRows(made);
  }

  addPacket(call: Call, packet: Packet): void {
    if (call.settled) return;
    const rows: unknown[] = [];
    appendPacket(rows, packet, namesOf(call, packet.length - 1));
    call.addRows(rows);
  }

  /**
   * Adds the rows of a block, which has its own memory, or is in the slot of this number. The slot is free afterwards.
   */
  addBlock(call: Call, where: unknown): void {
    const slots = typeof where === "number" ? this.#slots : null;
    const block: unknown = slots === null ? where : slots.slot(where as number);
    if (!call.settled) {
      const rows: unknown[] = [];
      appendBlock(rows, block, namesOf(call, blockColumns(block)));
      call.addRows(rows);
    }
    slots?.giveBack(where as number);
  }
}

/** The column names of a call that builds objects, known with its first rows; null for arrays. */
function namesOf(call: Call, columns: number | null): readonly string[] | null {
  const shape = call.getsRows();
  const names = (call.objects ? shape?.names : null) ?? null;
  if (columns !== null && names !== null && names.length !== columns) throw malformed("a shape");
  return names;
}
