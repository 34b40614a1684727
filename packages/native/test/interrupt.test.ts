import { expect, test } from "vitest";
import { codeOf, native, open } from "./engine.ts";
import { Thread } from "./thread.ts";
import { timeFactor } from "../../core/test/support/time-factor.ts";

const billions = 4_000_000_000;

test("an interrupt from the main thread stops a statement of billions of steps and the handle stays usable", async () => {
  await using thread = new Thread();
  const token = (await thread.order({ kind: "open" })) as number;
  const delays: number[] = [];
  for (let round = 0; round < 5; round++) {
    const { result } = await thread.begin(billions);
    const asked = performance.now();
    expect(native.interrupt(token)).toBe(true);
    expect(await result).toEqual({ code: "SQLITE_INTERRUPT" });
    delays.push(performance.now() - asked);
    expect(await thread.order({ kind: "count", steps: 1_000 })).toBe(1_000);
  }
  expect(delays.toSorted((a, b) => a - b)[2]).toBeLessThan(20 * timeFactor());
});

test("an interrupt with nothing running has no effect on the next statement", async () => {
  await using thread = new Thread();
  const token = (await thread.order({ kind: "open" })) as number;
  expect(native.interrupt(token)).toBe(true);
  expect(await thread.order({ kind: "count", steps: 100_000 })).toBe(100_000);
});

test("an interrupt reaches only the handle of its token", async () => {
  await using one = new Thread();
  await using other = new Thread();
  const token = (await one.order({ kind: "open" })) as number;
  await other.order({ kind: "open" });
  const stopped = await one.begin(billions);
  const left = await other.begin(300_000);
  native.interrupt(token);
  expect(await stopped.result).toEqual({ code: "SQLITE_INTERRUPT" });
  expect(await left.result).toBe(300_000);
});

test("the token of a closed handle is dead and never means a later handle", () => {
  const seen = new Set<number>();
  for (let round = 0; round < 100; round++) {
    const { db, token } = open();
    expect(seen.has(token)).toBe(false);
    for (const old of seen) expect(native.interrupt(old)).toBe(false);
    seen.add(token);
    expect(native.interrupt(token)).toBe(true);
    db.close();
  }
});

test("the tokens of many handles open at once are apart and stay right while others close", () => {
  const handles = Array.from({ length: 50 }, () => open());
  expect(new Set(handles.map(({ token }) => token)).size).toBe(50);
  for (const { db } of handles.filter((_, i) => i % 2 === 0)) db.close();
  expect(handles.map(({ token }) => native.interrupt(token))).toEqual(handles.map((_, i) => i % 2 === 1));
  for (const { db } of handles) db.close();
});

test("loading the extension again into a handle gives the same token", () => {
  using handle = open();
  using other = open();
  expect(native.attach(handle.db)).toBe(handle.token);
  expect(native.lastToken()).toBe(handle.token);
  expect(other.token).not.toBe(handle.token);
});

test("a thread without a handle has no last token", () => {
  expect(native.lastToken()).toBeNull();
});

test("a handle that its thread left open is dead when the thread has ended", async () => {
  const thread = new Thread();
  const token = (await thread.order({ kind: "open" })) as number;
  expect(native.interrupt(token)).toBe(true);
  await thread.terminate();
  expect(native.interrupt(token)).toBe(false);
});

test("a terminated thread ends at once when its statement is interrupted", async () => {
  const thread = new Thread();
  const token = (await thread.order({ kind: "open" })) as number;
  const { result } = await thread.begin(billions);
  void result.catch(() => undefined);
  const asked = performance.now();
  const ended = thread.terminate();
  native.interrupt(token);
  await ended;
  expect(performance.now() - asked).toBeLessThan(1_000 * timeFactor());
  expect(native.interrupt(token)).toBe(false);
});

test("1,000 handles are opened and closed while another thread interrupts them without pause", async () => {
  await using owner = new Thread();
  await using other = new Thread(owner.words);
  const storm = other.order({ kind: "storm" }) as Promise<{ alive: number; dead: number }>;
  // The thread may take longer to start than all rounds take.
  await Atomics.waitAsync(owner.words, 0, 0n).value;
  const churn = (await owner.order({ kind: "churn", rounds: 1_000 })) as Record<string, number>;
  const { alive, dead } = await storm;
  expect(churn["tokens"]).toBe(1_000);
  expect(churn["finished"]! + churn["interrupted"]!).toBe(1_000);
  expect(churn["interrupted"]).toBeGreaterThan(0);
  expect(alive).toBeGreaterThan(0);
  expect(dead).toBeGreaterThan(0);
});

test("a statement that was interrupted in a transaction takes the transaction with it only if it wrote", () => {
  using handle = open();
  const { db, token } = handle;
  db.function("stop", {}, () => Number(native.interrupt(token)));
  db.exec("create table t (a); begin; insert into t values (1)");
  const counting =
    "with recursive n(i) as (select stop() union all select i + 1 from n limit 100000) select i from n";
  expect(codeOf(() => db.prepare(counting).pluck().all())).toBe("SQLITE_INTERRUPT");
  expect(db.inTransaction).toBe(true);
  expect(codeOf(() => db.exec(`insert into t ${counting}`))).toBe("SQLITE_INTERRUPT");
  expect(db.inTransaction).toBe(false);
  expect(db.prepare("select count(*) from t").pluck().get()).toBe(0);
});

test("what is no token is refused or means no handle", () => {
  for (const token of [Number.NaN, Number.POSITIVE_INFINITY, -1, 0, 0.5, 2 ** 52, 2 ** 53, 1e300]) {
    expect(native.interrupt(token)).toBe(false);
  }
  for (const token of [undefined, null, "1", 1n, {}]) {
    expect(codeOf(() => native.interrupt(token as number))).toBe("ERR_INVALID_ARG_TYPE");
  }
});

test("a transaction that an interrupt would not leave is rolled back, and no other", () => {
  using handle = open();
  const { db, token } = handle;
  db.exec("create table t (a); create virtual table r using rtree (id, low, high)");
  const rows = db.prepare("select (select count(*) from t) + (select count(*) from r)").pluck();
  db.exec("begin; insert into t values (1)");
  native.interrupt(token);
  expect([native.undoInterrupted(token), db.inTransaction, rows.get()]).toEqual([false, true, 1]);
  // The R-tree has a statement under way from here on.
  db.exec("insert into r values (1, 2, 3)");
  expect([native.undoInterrupted(token), db.inTransaction]).toEqual([false, true]);
  native.interrupt(token);
  expect(codeOf(() => db.exec("rollback"))).toBe("SQLITE_INTERRUPT");
  expect([native.undoInterrupted(token), db.inTransaction, rows.get()]).toEqual([true, false, 0]);
  expect(native.undoInterrupted(token)).toBe(false);
});
