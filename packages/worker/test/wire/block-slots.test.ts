import { describe, expect, it, test } from "vitest";
import { ReplyWriter } from "../../dist/handle/reply-writer.js";
import { Answer, answerEnd, BlockSlots } from "../../dist/wire/index.js";

/** The head and the one column, all NULL, of a block with this many rows. */
function nulls(into: Uint8Array, rows: number): void {
  new Int32Array(into.buffer, into.byteOffset, 10).set([rows, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
}

/** A sender whose block was large enough to create the slots. */
function writer(): ReplyWriter {
  const out = new ReplyWriter();
  expect(out.freeSlot()).toBeNull();
  const block = new ArrayBuffer(32 * 1024);
  nulls(new Uint8Array(block), 300);
  out.block(block, 0);
  expect(out.take(0, 0, 0)).toEqual({ reply: [0, 0, 0, Answer.BLOCK, 0, block], transfer: [block] });
  return out;
}

/** Writes a block into the next slot and answers with it; null where no slot is free. */
function answer(out: ReplyWriter, rows = 300): Uint8Array | null {
  const slot = out.freeSlot();
  if (slot === null) return null;
  nulls(slot, rows);
  out.block(slot, 0);
  return slot;
}

/** The numbers of the slots that a reply names. */
function slotsIn(reply: unknown[]): unknown[] {
  const slots: unknown[] = [];
  for (let at = 3; at < reply.length; at = answerEnd(reply, at))
    if (reply[at] === Answer.BLOCK) slots.push(reply[at + 2]);
  return slots;
}

describe("the slots for blocks of rows", () => {
  it("are taken one after the other, and used again when the other side has given them back", () => {
    const out = writer();
    const taken = Array.from({ length: 5 }, () => answer(out));
    expect(new Set(taken.slice(0, 4)).size).toBe(4);
    expect(taken[4]).toBeNull();
    const { reply, transfer } = out.take(0, 0, 0);
    expect(transfer).toEqual([]);
    expect(reply.slice(3, 5)).toEqual([Answer.MEMORY, taken[0]!.buffer]);
    expect(slotsIn(reply)).toEqual([0, 1, 2, 3]);

    const main = new BlockSlots(reply[4]);
    expect(main.slot(2).byteOffset).toBe(taken[2]!.byteOffset);
    main.giveBack(2);
    expect(answer(out)).toBe(taken[2]);
    const next = out.take(0, 0, 0).reply;
    // The memory is sent only once.
    expect(next.includes(Answer.MEMORY)).toBe(false);
    expect(slotsIn(next)).toEqual([2]);
  });

  it("are free again where answers are taken back", () => {
    const out = writer();
    const first = answer(out);
    const { mark } = out;
    const second = answer(out);
    expect(second).not.toBe(first);
    out.rewind(mark);
    expect(out.freeSlot()).toBe(second);
    expect(slotsIn(out.take(0, 0, 0).reply)).toEqual([0]);
  });

  it("are not made for small blocks: a connection that reads no large result has none", () => {
    const out = new ReplyWriter();
    const block = new ArrayBuffer(32 * 1024 - 8);
    nulls(new Uint8Array(block), 300);
    out.block(block, 0);
    expect(out.freeSlot()).toBeNull();
  });

  it("are not taken by few rows, which travel as values", () => {
    const out = writer();
    const slot = answer(out, 2);
    expect(out.freeSlot()).toBe(slot);
    expect(out.take(0, 0, 0).reply).toEqual([0, 0, 0, Answer.ROWS, 0, 2, 1, null, null]);
  });
});

test.each([
  ["memory of another size", () => new BlockSlots(new SharedArrayBuffer(64))],
  ["memory that is not shared", () => new BlockSlots(new ArrayBuffer(64))],
  ["a number that is no slot's", () => new BlockSlots().slot(4)],
  ["a fraction", () => new BlockSlots().slot(0.5)],
])("%s is refused", (_, call) => {
  expect(call).toThrow(expect.objectContaining({ name: "UsageError", code: "PROTOCOL" }));
});
