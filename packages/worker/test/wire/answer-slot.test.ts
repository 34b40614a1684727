import { expect, it } from "vitest";
import { AnswerSlot, createAnswerSlot } from "../../dist/wire/answer-slot.js";

/** The two sides of a slot. */
function sides(): { thread: AnswerSlot; main: AnswerSlot } {
  const memory = createAnswerSlot();
  return { thread: new AnswerSlot(memory), main: new AnswerSlot(memory) };
}

it("an answer is taken as it would have been posted", () => {
  const { thread, main } = sides();
  const numbers = [0, -0, 1.5, Number.NaN, Number.NEGATIVE_INFINITY, Number.MAX_SAFE_INTEGER, -1e300];
  const texts = ["", "a", "Zürich", "日本😀", "a\0b", "\ud83d\ude00", "x".repeat(200)];
  const answer = [...numbers, null, 2n ** 63n - 1n, -(2n ** 63n), 0n, ...texts];
  expect(thread.put(7, 3, answer)).toBe(true);
  expect(main.has(7)).toBe(true);
  expect(main.take()).toStrictEqual(structuredClone([3, answer]));
});

it("what cannot be stored exactly is refused, and leaves the slot free", () => {
  const { thread, main } = sides();
  const refused: unknown[] = [
    undefined,
    true,
    {},
    [1],
    new Uint8Array(1),
    "\ud83d",
    2n ** 63n,
    -(2n ** 63n) - 1n,
  ];
  for (const value of refused) expect(thread.put(1, 1, ["text", value])).toBe(false);
  expect(thread.put(1, 1, ["x".repeat(342)])).toBe(false);
  expect(thread.put(1, 1, ["x".repeat(341), "x".repeat(228)])).toBe(false);
  expect(
    thread.put(
      1,
      1,
      Array.from({ length: 64 }, () => 0),
    ),
  ).toBe(false);
  expect(main.has(1)).toBe(false);
  const most = Array.from({ length: 63 }, (_, i) => i);
  expect(thread.put(1, 1, most)).toBe(true);
  expect(main.take()).toEqual([1, most]);
});

it("a slot holds one answer until that is taken, for who asks by its number", () => {
  const { thread, main } = sides();
  expect(thread.put(0, 1, [1])).toBe(false);
  expect([main.has(0), main.has(5)]).toEqual([false, false]);
  expect(thread.put(5, 1, [1])).toBe(true);
  expect(thread.put(6, 2, [2])).toBe(false);
  expect([main.has(4), main.has(6), main.has(5)]).toEqual([false, false, true]);
  expect(main.take()).toEqual([1, [1]]);
  expect(main.has(5)).toBe(false);
  expect(thread.put(-(2 ** 31), 2, [2])).toBe(true);
  expect(main.has(-(2 ** 31))).toBe(true);
});

it("the thread sees whether the main side looks", () => {
  const { thread, main } = sides();
  expect(thread.looking).toBe(false);
  main.looking = true;
  expect(thread.looking).toBe(true);
  main.looking = false;
  expect(thread.looking).toBe(false);
});
