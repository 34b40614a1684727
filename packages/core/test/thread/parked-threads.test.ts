import { expect, it } from "vitest";
import type { Host } from "../../dist/thread/host.js";
import { ParkedThreads } from "../../dist/thread/parked-threads.js";

/** Parked threads that never become too old, and those of them that were ended. */
function parking(max: number): { parked: ParkedThreads; thread: (name: string) => Host; ended: string[] } {
  const parked = new ParkedThreads();
  parked.limits = { max, idleTimeout: 0 };
  const ended: string[] = [];
  const thread = (name: string): Host => ({ kind: "all alike", end: () => void ended.push(name) }) as never;
  return { parked, thread, ended };
}

it("the thread that came last is taken first, and one too many ends the oldest", () => {
  const { parked, thread, ended } = parking(2);
  const [first, second, third] = ["first", "second", "third"].map(thread) as [Host, Host, Host];
  for (const host of [first, second, third]) parked.add(host);
  expect(ended).toEqual(["first"]);
  expect(parked.take("all alike")).toBe(third);
  expect(parked.take("another kind")).toBeUndefined();
  expect(parked.take("all alike")).toBe(second);
  expect(parked.take("all alike")).toBeUndefined();
});

it("places that are reserved hold threads until they are given back, once", () => {
  const { parked, thread, ended } = parking(1);
  const giveBack = parked.reserve(2);
  const other = parked.reserve(1);
  for (const name of ["a", "b", "c", "d"]) parked.add(thread(name));
  expect(ended).toEqual([]);
  giveBack();
  expect(ended).toEqual(["a", "b"]);
  giveBack();
  expect(ended).toEqual(["a", "b"]);
  other();
  expect(ended).toEqual(["a", "b", "c"]);
  expect(parked.count).toBe(1);
});
