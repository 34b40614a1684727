import { Answer, BlockSlots, Op } from "@sqlite-aio/worker/wire";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Call } from "../../dist/thread/call.js";
import { ReplyRows } from "../../dist/thread/reply-rows.js";

/** A block with one column, all NULL, in the first slot that is free. */
function pack(slots: BlockSlots, rows: number): number {
  const slot = slots.free()!;
  new Int32Array(slot.buffer, slot.byteOffset, 10).set([rows, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
  return slots.take(slot);
}

function readers(): { slots: BlockSlots; rows: ReplyRows } {
  const slots = new BlockSlots();
  const rows = new ReplyRows();
  rows.memoryIs(slots.memory);
  return { slots, rows };
}

const fetch = (): Call => new Call(Op.FETCH, null, [1, -1]);

describe("the rows of replies", () => {
  it("are joined in the order in which they came, and each slot is free once its rows are made", () => {
    const { slots, rows } = readers();
    const call = fetch();
    rows.addCells(call, [0, 0, 0, Answer.ROWS, 0, 1, 1, "first"], 3);
    for (const count of [2, 3, 4]) {
      const slot = pack(slots, count);
      expect(slots.free()).not.toBe(slots.slot(slot));
      rows.addBlock(call, slot);
      expect(slots.free()).toBe(slots.slot(slot));
    }
    expect(call.rows).toEqual([["first"], ...Array.from({ length: 9 }, () => [null])]);
  });

  it("are joined once, however small answers and blocks take turns", () => {
    const { slots, rows } = readers();
    const call = fetch();
    const concat = vi.spyOn(Array.prototype, "concat");
    onTestFinished(() => concat.mockRestore());
    for (let at = 0; at < 50; at++) {
      rows.addCells(call, [0, 0, 0, Answer.ROWS, 1, 1, 1, at], 3);
      rows.addBlock(call, pack(slots, 300));
    }
    const before = concat.mock.calls.length;
    const { length } = call.rows;
    expect([before, concat.mock.calls.length, length]).toEqual([0, 1, 50 * 301]);
  });

  it("of a call that is settled are not made, and their slot is free all the same", () => {
    const { slots, rows } = readers();
    const call = fetch();
    call.promise.catch(() => {});
    call.reject(new Error("given up"));
    const slot = pack(slots, 1000);
    rows.addBlock(call, slot);
    expect(call.rows).toEqual([]);
    expect(slots.free()).toBe(slots.slot(slot));
  });

  it("cannot come in a slot of memory that was never told", () => {
    const call = fetch();
    expect(() => new ReplyRows().addBlock(call, 0)).toThrow(
      expect.objectContaining({ name: "UsageError", code: "PROTOCOL" }),
    );
  });
});
