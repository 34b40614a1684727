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

/** Makes the rows that replies bring, and gives them to the calls that wait for them. */
export class ReplyRows {
  /** What the thread packs rows in. */
  #slots: BlockSlots | null = null;

  memoryIs(memory: unknown): void {
    this.#slots = new BlockSlots(memory);
  }

  /** No rows come any more: who keeps a closed connection need not keep the memory. */
  end(): void {
    this.#slots = null;
  }

  /** The rows of the answer ROWS at `at`. */
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

  /** The block is in memory of its own, or in the slot of this number, which is free then. */
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

/** The column names of a call that builds objects, which are known when its first rows are; null for arrays. */
function namesOf(call: Call, columns: number | null): readonly string[] | null {
  const shape = call.getsRows();
  const names = (call.objects ? shape?.names : null) ?? null;
  if (columns !== null && names !== null && names.length !== columns) throw malformed("a shape");
  return names;
}
