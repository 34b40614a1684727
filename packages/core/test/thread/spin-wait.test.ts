import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { AdaptiveSpin } from "@sqlite-aio/worker/wire";
import { SpinWait } from "../../dist/thread/spin-wait.js";

/** Milliseconds: longer than an answer may take that the loop turns for. */
const LATE = 1;
/** Far enough ahead that the loop turns for as long as it is let. */
const soon = (): number => performance.now() + 200;

/** Waits for an answer that never comes, and counts how often that is looked for. */
function counted(): { spin: SpinWait; looks: () => number } {
  let looks = 0;
  const look = (): boolean => {
    looks++;
    return false;
  };
  const spin = new SpinWait({ look, looking: false }, new AdaptiveSpin());
  return { spin, looks: () => looks };
}

it("the loop turns for an answer until that has come", async () => {
  const { spin, looks } = counted();
  spin.posted(soon());
  await turn();
  await turn();
  expect(looks()).toBeGreaterThan(0);
  spin.answered(0, 0);
  const before = looks();
  for (let i = 0; i < 5; i++) await turn();
  expect(looks()).toBe(before);
});

it("the loop turns on while further answers are due", async () => {
  const { spin, looks } = counted();
  spin.posted(soon());
  spin.answered(0, 1);
  for (let i = 0; i < 3; i++) await turn();
  expect(looks()).toBeGreaterThan(0);
  spin.answered(0, 0);
});

it("the thread is told that it is looked for while the loop turns, and that it is not when the loop stops", async () => {
  const mailbox = { look: () => false, looking: false };
  const spin = new SpinWait(mailbox, new AdaptiveSpin());
  spin.posted(soon());
  expect(mailbox.looking).toBe(true);
  spin.answered(0, 0);
  expect(mailbox.looking).toBe(false);
  // The turning is over before the answer comes.
  spin.posted(performance.now() - 1);
  expect(mailbox.looking).toBe(true);
  while (mailbox.looking) await turn();
  spin.answered(LATE, 0);
  expect(mailbox.looking).toBe(false);
});

it("the loop does not turn for a thread that has died", async () => {
  const { spin, looks } = counted();
  spin.posted(soon());
  spin.gone();
  for (let i = 0; i < 5; i++) await turn();
  expect(looks()).toBe(0);
});

it("the loop turns for the one whose answer is due, and not for the other", async () => {
  const [first, second] = [counted(), counted()];
  first.spin.posted(soon());
  second.spin.posted(soon());
  first.spin.answered(0, 0);
  for (let i = 0; i < 3; i++) await turn();
  expect(first.looks()).toBe(0);
  expect(second.looks()).toBeGreaterThan(0);
  second.spin.answered(0, 0);
});

it("after answers that came late the loop turns once in 32 times, and always again when it turned for one that came soon", async () => {
  const { spin, looks } = counted();
  const turned = async (): Promise<boolean> => {
    const before = looks();
    spin.posted(soon());
    for (let i = 0; i < 2; i++) await turn();
    return looks() > before;
  };
  for (let i = 0; i < 4; i++) {
    expect(await turned()).toBe(true);
    spin.answered(LATE, 0);
  }
  const times: boolean[] = [];
  for (let i = 0; i < 32; i++) {
    times.push(await turned());
    // On a busy machine the answer for a parked loop is soon there: that is no reason to turn.
    spin.answered(times.at(-1) ? LATE : 0, 0);
  }
  expect(times.filter(Boolean)).toEqual([true]);
  for (let i = 0; i < 63; i++) {
    expect(await turned()).toBe(false);
    spin.answered(0, 0);
  }
  for (let i = 0; i < 2; i++) {
    expect(await turned()).toBe(true);
    spin.answered(0, 0);
  }
});

it("of the answers to one message only the first tells whether turning pays off", async () => {
  const { spin, looks } = counted();
  for (let i = 0; i < 8; i++) {
    spin.posted(soon());
    spin.answered(0, 1);
    spin.answered(LATE, 0);
  }
  spin.posted(soon());
  for (let i = 0; i < 2; i++) await turn();
  expect(looks()).toBeGreaterThan(0);
  spin.answered(0, 0);
});
