import { describe, expect, it } from "vitest";
import { BUSY_SLICE_MS } from "../../dist/engine/lock-codes.js";
import { LockWait } from "../../dist/handle/lock-wait.js";
import { cancel, createControl, openControl, stop } from "../../dist/wire/index.js";

const busy = Object.assign(new Error("database is locked"), { code: "SQLITE_BUSY" });
const stale = Object.assign(new Error("database is locked"), { code: "SQLITE_BUSY_SNAPSHOT" });

/** A wait of up to `timeout` ms, in a transaction or not, with so many cursors half read. */
function wait({ timeout = 1000, inTransaction = false, cursors = 0 } = {}) {
  const control = openControl(createControl());
  const lockWait = new LockWait({ inTransaction } as never, { size: cursors } as never, control);
  lockWait.opening(timeout);
  /** An attempt that took `ms` until it met the lock. */
  const attempt = (ms: number, first = false, sequence = 1): void =>
    lockWait.attempt(sequence, first, performance.now() - ms);
  return { lockWait, control, attempt };
}

describe("a lock that is met", () => {
  it("is tried again where the engine has waited for it, in a transaction too", () => {
    const { lockWait, attempt } = wait({ inTransaction: true });
    attempt(BUSY_SLICE_MS, true);
    expect(lockWait.mayRetry(busy)).toBe(true);
  });

  it("is given up at once where waiting could never end: the engine has not waited, and this side reads", () => {
    const reading = wait({ inTransaction: true });
    reading.attempt(0, true);
    expect(reading.lockWait.mayRetry(busy)).toBe(false);
    const halfRead = wait({ cursors: 1 });
    halfRead.attempt(0, true);
    expect(halfRead.lockWait.mayRetry(busy)).toBe(false);
    const free = wait();
    free.attempt(0, true);
    expect(free.lockWait.mayRetry(busy)).toBe(true);
  });

  it("is not worth another attempt once that was said, also when the transaction has been rolled back since", () => {
    const handle = { inTransaction: true };
    const lockWait = new LockWait(handle as never, { size: 0 } as never, openControl(createControl()));
    lockWait.opening(1000);
    lockWait.attempt(1, true, performance.now());
    expect(lockWait.mayRetry(busy)).toBe(false);
    handle.inTransaction = false;
    expect(lockWait.mayRetry(busy)).toBe(false);
    lockWait.attempt(1, false, performance.now());
    expect(lockWait.mayRetry(busy)).toBe(true);
  });

  it("is waited for until the timeout has passed, each lock of one operation by itself", () => {
    const { lockWait, attempt } = wait({ timeout: 3 * BUSY_SLICE_MS });
    attempt(BUSY_SLICE_MS, true);
    expect(lockWait.mayRetry(busy)).toBe(true);
    // Later: as far back as the wait began.
    const until = performance.now() + 3 * BUSY_SLICE_MS;
    while (performance.now() < until);
    attempt(BUSY_SLICE_MS);
    expect(lockWait.mayRetry(busy)).toBe(false);
    attempt(BUSY_SLICE_MS);
    expect(lockWait.mayRetry(busy, 1)).toBe(true);
    attempt(BUSY_SLICE_MS, true, 2);
    expect(lockWait.mayRetry(busy)).toBe(true);
  });

  it("is none where the error is another, or without a timeout", () => {
    const { lockWait, attempt } = wait();
    attempt(BUSY_SLICE_MS, true);
    expect(lockWait.mayRetry(new Error("no such table"))).toBe(false);
    const impatient = wait({ timeout: 0 });
    impatient.attempt(BUSY_SLICE_MS, true);
    expect(impatient.lockWait.mayRetry(busy)).toBe(false);
  });

  it("of a snapshot that is too old is tried again where the next attempt has another", () => {
    for (const [options, again] of [
      [{}, true],
      [{ inTransaction: true }, false],
      [{ cursors: 1 }, false],
    ] as const) {
      const { lockWait, attempt } = wait(options);
      attempt(BUSY_SLICE_MS, true);
      expect(lockWait.mayRetry(stale), JSON.stringify(options)).toBe(again);
    }
  });
});

it("an operation that is cancelled, or a thread that is to stop, waits for no lock", () => {
  const { lockWait, control, attempt } = wait();
  attempt(BUSY_SLICE_MS, true, 7);
  cancel(control, 7);
  expect([lockWait.interrupted, lockWait.mayRetry(busy)]).toEqual([true, false]);
  attempt(BUSY_SLICE_MS, true, 8);
  expect([lockWait.interrupted, lockWait.mayRetry(busy)]).toEqual([false, true]);
  stop(control);
  expect([lockWait.interrupted, lockWait.mayRetry(busy)]).toEqual([true, false]);
});
