import { MessageChannel } from "node:worker_threads";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { Poller } from "../../dist/loop/poller.js";
import { AdaptiveSpin, announce, createControl, openControl, Side } from "../../dist/wire/index.js";

/** The clock: each look at it takes 10 us, however busy the machine is. */
let now = 0;

beforeEach(() => {
  const clock = vi.spyOn(performance, "now").mockImplementation(() => (now += 0.01));
  onTestFinished(() => clock.mockRestore());
});

/** A poller whose event loop has just turned, and what is posted to it. `limit`: how many threads may poll. */
function polling(limit = 1): {
  poller: Poller;
  delivered: unknown[];
  pollers: Int32Array<SharedArrayBuffer>;
  post: (message: unknown) => void;
} {
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port1.close());
  const control = openControl(createControl());
  const pollers = new Int32Array(new SharedArrayBuffer(4));
  const delivered: unknown[] = [];
  const poller = new Poller(
    port2,
    control,
    (message) => delivered.push(message),
    pollers,
    limit,
    new AdaptiveSpin(),
  );
  // The message that is counted by that.
  announce(control, Side.MAIN);
  poller.turned();
  const post = (message: unknown): void => {
    port1.postMessage(message);
    announce(control, Side.MAIN);
  };
  return { poller, delivered, pollers, post };
}

/** The duration of polling without a message. */
function timeOf(work: () => void): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

describe("a thread that polls", () => {
  it("takes a message that is there, and waits in vain for one that is not", () => {
    const { poller, delivered, post } = polling();
    post("first");
    poller.poll();
    expect(delivered).toEqual(["first"]);
    expect(timeOf(() => poller.poll())).toBeGreaterThanOrEqual(0.2);
    post("second");
    poller.poll();
    expect(delivered).toEqual(["first", "second"]);
  });

  it("is counted while it polls, and no longer", () => {
    const { poller, pollers, post } = polling();
    for (let i = 0; i < 10; i++) {
      if (i % 2 === 0) post(i);
      poller.poll();
      expect(pollers[0]).toBe(0);
    }
  });

  it("parks where as many others poll as may, and does not count then", () => {
    const { poller, delivered, pollers, post } = polling(2);
    pollers[0] = 2;
    post("waits");
    poller.poll();
    expect(delivered).toEqual([]);
    expect(pollers[0]).toBe(2);
    pollers[0] = 1;
    poller.poll();
    expect(delivered).toEqual(["waits"]);
    expect(pollers[0]).toBe(1);
  });

  it("parks at once after four times in vain, but for one time in 32", () => {
    const { poller, delivered, post } = polling();
    for (let i = 0; i < 4; i++) poller.poll();
    post("late");
    for (let i = 0; i < 31; i++) poller.poll();
    expect(delivered).toEqual([]);
    poller.poll();
    expect(delivered).toEqual(["late"]);
  });

  it("goes on parking though messages come soon after it did: another look has to find one", () => {
    const { poller, delivered, post } = polling();
    for (let i = 0; i < 4; i++) poller.poll();
    poller.turned();
    post("late");
    poller.poll();
    expect(delivered).toEqual([]);
  });

  it("parks when the event loop has not turned for ten milliseconds", () => {
    const { poller, delivered, post } = polling();
    now += 11;
    post("waits for a turn");
    poller.poll();
    expect(delivered).toEqual([]);
  });
});
