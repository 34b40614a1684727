import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  begin,
  cancel,
  createControl,
  end,
  hasBegun,
  interruptInside,
  nextSequence,
  openControl,
  stop,
} from "../../dist/wire/index.js";

const LAST = 0x7fffffff;

describe("the number of an operation", () => {
  it("begins again at 1 after the last that there is", () => {
    expect([nextSequence(1), nextSequence(LAST - 1), nextSequence(LAST)]).toEqual([2, LAST, 1]);
  });

  it("is later than the last although it is smaller", () => {
    const control = openControl(createControl());
    expect(begin(control, LAST)).toBe(true);
    expect([hasBegun(control, LAST), hasBegun(control, 1), hasBegun(control, 2)]).toEqual([
      true,
      false,
      false,
    ]);
    expect(cancel(control, 1)).toBe(true);
    expect(begin(control, 1)).toBe(false);
    expect(begin(control, 2)).toBe(true);
  });
});

it("the mark of a cancelled operation is gone when a later one has its place", () => {
  const control = openControl(createControl());
  expect(cancel(control, 5)).toBe(true);
  expect(begin(control, 5)).toBe(false);
  const places = control.cancelled.length;
  expect([begin(control, 5 + places), begin(control, 5 + 2 * places)]).toEqual([true, true]);
});

it("a thread that is to stop begins nothing more", () => {
  const control = openControl(createControl());
  expect(begin(control, 1)).toBe(true);
  stop(control);
  expect([begin(control, 2), begin(control, 3)]).toEqual([false, false]);
});

describe("an interrupt that is on its way", () => {
  /** A thread that does `step` when `flags[0]` is set, and says when it begins and when it is done. */
  const source = (step: string): string => `
    import { workerData } from "node:worker_threads";
    import { begin, end, openControl } from ${JSON.stringify(new URL("../../dist/wire/index.js", import.meta.url).href)};
    const { block, flags } = workerData;
    const control = openControl(block);
    begin(control, 1);
    Atomics.store(flags, 1, 1);
    Atomics.notify(flags, 1);
    Atomics.wait(flags, 0, 0);
    Atomics.store(flags, 1, 2);
    Atomics.notify(flags, 1);
    ${step};
    Atomics.store(flags, 1, 3);
    Atomics.notify(flags, 1);`;

  it.each([
    ["the end of its operation", "end(control, 1)"],
    ["the next operation", "begin(control, 2)"],
  ])("holds up %s", async (_, step) => {
    const block = createControl();
    const control = openControl(block);
    const flags = new Int32Array(new SharedArrayBuffer(8));
    const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source(step))}`), {
      workerData: { block, flags },
    });
    onTestFinished(async () => void (await thread.terminate()));
    await once(thread, "online");
    Atomics.wait(flags, 1, 0, 10_000);
    const seen: number[] = [];
    interruptInside(control, 1, () => {
      Atomics.store(flags, 0, 1);
      Atomics.notify(flags, 0);
      Atomics.wait(flags, 1, 1, 10_000);
      // It has said that it goes on, and would have done so by now.
      Atomics.wait(flags, 1, 2, 50);
      seen.push(Atomics.load(flags, 1));
    });
    Atomics.wait(flags, 1, 2, 10_000);
    seen.push(Atomics.load(flags, 1));
    expect(seen).toEqual([2, 3]);
  });

  it("is none where the operation is over", () => {
    const control = openControl(createControl());
    begin(control, 1);
    end(control, 1);
    let interrupts = 0;
    interruptInside(control, 1, () => void interrupts++);
    expect(interrupts).toBe(0);
    begin(control, 2);
    interruptInside(control, 2, () => void interrupts++);
    expect([interrupts, end(control, 2)]).toEqual([1, 1]);
  });
});

it("the file of the thread says what it is for where it is imported by itself", async () => {
  const alone = await import("../../dist/entry.js").catch((error: unknown) => error);
  expect(alone).toMatchObject({
    message: "@sqlite-aio/worker/entry is started by @sqlite-aio/core in a thread",
  });
});
