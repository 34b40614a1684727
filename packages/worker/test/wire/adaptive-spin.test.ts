import { expect, it } from "vitest";
import { AdaptiveSpin } from "../../dist/wire/index.js";

/** How many times it is not looked before it is. */
function skippedBy(spin: AdaptiveSpin): number {
  for (let skipped = 0; ; skipped++) if (spin.begins()) return skipped;
}

/** Polls, and finds a message as `found` says. */
function look(spin: AdaptiveSpin, ...found: readonly boolean[]): void {
  for (const one of found) {
    skippedBy(spin);
    spin.ended(one);
  }
}

it("looks always as long as four looks of five find something", () => {
  const spin = new AdaptiveSpin();
  for (let i = 0; i < 1000; i++) {
    expect(skippedBy(spin)).toBe(0);
    spin.ended(i % 5 !== 0);
  }
});

it("stops looking where every second look is in vain, though none are in vain one after the other", () => {
  const spin = new AdaptiveSpin();
  let skipped = 0;
  for (let i = 0; i < 20; i++) {
    skipped += skippedBy(spin);
    spin.ended(i % 2 !== 0);
  }
  expect(skipped).toBeGreaterThan(31);
});

it("tries again after 31 times, and after twice as many each time that the try was in vain, up to 1023", () => {
  const spin = new AdaptiveSpin();
  look(spin, false, false, false, false);
  const skipped = [];
  for (let i = 0; i < 7; i++) {
    skipped.push(skippedBy(spin));
    spin.ended(false);
  }
  expect(skipped).toEqual([31, 63, 127, 255, 511, 1023, 1023]);
});

it("looks on after a try that found something, and stops at the next look in vain", () => {
  const spin = new AdaptiveSpin();
  look(spin, false, false, false, false, true);
  expect(skippedBy(spin)).toBe(0);
  spin.ended(false);
  expect(skippedBy(spin)).toBe(31);
});

it("is as patient as at first once looks have paid off for long enough", () => {
  const spin = new AdaptiveSpin();
  look(spin, false, false, false, false, false, ...new Array<boolean>(16).fill(true));
  for (let i = 0; i < 4; i++) {
    expect(skippedBy(spin)).toBe(0);
    spin.ended(false);
  }
  expect(skippedBy(spin)).toBe(31);
});
