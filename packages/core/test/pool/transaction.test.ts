import { fork } from "node:child_process";
import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import {
  IntegrityError,
  OperationalError,
  type Pool,
  type PoolTransaction,
  ProgrammingError,
  type ReadTransaction,
} from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { endsWithTest } from "../support/child.ts";
import { openEngine, rejection, temporaryPath } from "../support/database.ts";
import { gate } from "../support/gate.ts";
import { holds, openPool, outcomes, until } from "../support/pool-support.ts";

const ACCOUNTS = 20;
const TOTAL = ACCOUNTS * 1000;

async function bank(pool: Pool): Promise<void> {
  await pool.exec(
    "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL); CREATE TABLE note (text)",
  );
  await pool.run(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO account SELECT i, 1000 FROM n",
    [ACCOUNTS],
  );
}

/** Moves some money; throws in the middle if told so. */
async function transfer(tx: PoolTransaction, n: number, fails: boolean): Promise<void> {
  const from = 1 + (n % ACCOUNTS);
  const to = 1 + ((n * 7 + 3) % ACCOUNTS);
  const row = await tx.get<{ balance: number }>("SELECT balance FROM account WHERE id = ?", [from]);
  await tx.run("UPDATE account SET balance = ? WHERE id = ?", [row!.balance - 5, from]);
  if (fails) throw new RangeError(`no transfer ${n}`);
  await tx.run("UPDATE account SET balance = balance + 5 WHERE id = ?", [to]);
}

it("50 callers x 40 transfers, a third of them failing, with other writes between: no snapshot shows a wrong sum", async () => {
  const pool = await openPool({ readers: 4, pragmas: { synchronous: "OFF" } });
  await bank(pool);
  const state = { over: false };
  let snapshots = 0;
  const audit = async (): Promise<void> => {
    while (!state.over) {
      await pool.read(async (tx) => {
        const sums: unknown[] = [];
        for (let i = 0; i < 3; i++) sums.push(await tx.get("SELECT sum(balance) AS total FROM account"));
        expect(sums).toEqual([{ total: TOTAL }, { total: TOTAL }, { total: TOTAL }]);
      });
      snapshots++;
      await turn();
    }
  };
  const audits = [audit(), audit(), audit(), audit()];
  let failed = 0;
  let notes = 0;
  await Promise.all(
    Array.from({ length: 50 }, async (_, caller) => {
      for (let i = 0; i < 40; i++) {
        const n = caller * 40 + i;
        const fails = n % 3 === 0;
        const work = outcomes([pool.transaction((tx) => transfer(tx, n, fails))]);
        if (i % 4 === 0) {
          notes++;
          await pool.run("INSERT INTO note VALUES (?)", [n]);
        }
        if (fails) failed++;
        expect(await work).toEqual([fails ? new RangeError(`no transfer ${n}`) : undefined]);
      }
    }),
  );
  state.over = true;
  await Promise.all(audits);
  expect(snapshots).toBeGreaterThan(10);
  expect(failed).toBe(667);
  expect(await pool.get("SELECT sum(balance) AS total FROM account")).toEqual({ total: TOTAL });
  expect(await pool.get("SELECT count(*) AS n FROM note")).toEqual({ n: notes });
  // The expected balance of each account; the order of the transfers does not matter.
  const expected = new Map(Array.from({ length: ACCOUNTS }, (_, i) => [i + 1, 1000]));
  for (let n = 0; n < 2000; n++) {
    if (n % 3 === 0) continue;
    const from = 1 + (n % ACCOUNTS);
    const to = 1 + ((n * 7 + 3) % ACCOUNTS);
    expected.set(from, expected.get(from)! - 5);
    expected.set(to, expected.get(to)! + 5);
  }
  const rows = await pool.all<{ id: number; balance: number }>("SELECT id, balance FROM account");
  expect(new Map(rows.map(({ id, balance }) => [id, balance]))).toEqual(expected);
  expect(pool.stats()).toMatchObject({ pending: 0, waiting: 0, respawned: 0 });
  // The connection of the last transaction may still be cleaned.
  await until(() => pool.stats().busy === 0);
});

it("two processes that increment one counter 1,000 times each lose nothing", async () => {
  const path = await temporaryPath();
  const pool = await openPool({ pragmas: { synchronous: "OFF" } }, path);
  await pool.exec("CREATE TABLE counter (n); INSERT INTO counter VALUES (0)");
  const script = new URL("../fixtures/increment.mjs", import.meta.url);
  const processes = [1, 2].map(() => endsWithTest(fork(script, [path, "1000"])));
  const codes = await Promise.all(processes.map((child) => once(child, "exit")));
  expect(codes).toEqual([
    [0, null],
    [0, null],
  ]);
  expect(await pool.get("SELECT n FROM counter")).toEqual({ n: 2000 });
});

describe("transaction()", () => {
  it("commits when its callback returns, and gives what that gives", async () => {
    const pool = await openPool();
    await bank(pool);
    expect(await pool.transaction((tx) => transfer(tx, 1, false).then(() => "done"))).toBe("done");
    expect(await pool.all("SELECT id, balance FROM account WHERE balance <> 1000")).toEqual([
      { id: 2, balance: 995 },
      { id: 11, balance: 1005 },
    ]);
  });

  it("rolls back when its callback throws, at once or later, and passes on what it threw", async () => {
    const pool = await openPool();
    await bank(pool);
    const thrown = { not: "even an error" };
    const late = pool.transaction(async (tx) => {
      await tx.run("DELETE FROM account");
      throw thrown;
    });
    expect(await rejection(late)).toBe(thrown);
    const error = new Error("at once");
    expect(
      await rejection(
        pool.transaction((tx) => {
          tx.run("DELETE FROM account").catch(() => {});
          throw error;
        }),
      ),
    ).toBe(error);
    expect(await pool.get("SELECT count(*) AS n FROM account")).toEqual({ n: ACCOUNTS });
  });

  it("sees its own writes, which nobody else sees before the commit", async () => {
    const pool = await openPool({ readers: 1 });
    await bank(pool);
    const inside = gate();
    const seen = gate();
    const work = pool.transaction(async (tx) => {
      await tx.exec("DELETE FROM account WHERE id > 3; INSERT INTO note VALUES ('a')");
      expect(await tx.all("SELECT id FROM account")).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
      const rows: unknown[] = [];
      for await (const row of tx.iterate("SELECT id FROM account ORDER BY id DESC")) rows.push(row);
      expect(rows).toEqual([{ id: 3 }, { id: 2 }, { id: 1 }]);
      expect(await tx.get("INSERT INTO note VALUES ('b') RETURNING text")).toEqual({ text: "b" });
      inside.open();
      await seen.opened;
    });
    await inside.opened;
    expect(await pool.get("SELECT count(*) AS n FROM account")).toEqual({ n: ACCOUNTS });
    seen.open();
    await work;
    expect(await pool.get("SELECT count(*) AS n FROM account")).toEqual({ n: 3 });
  });

  it("nests as savepoints", async () => {
    const pool = await openPool();
    await bank(pool);
    const inner = new Error("inner");
    await pool.transaction(async (tx) => {
      await tx.run("INSERT INTO note VALUES ('kept')");
      expect(
        await rejection(
          tx.transaction(async (nested) => {
            await nested.run("INSERT INTO note VALUES ('undone')");
            await nested.transaction((deep) => deep.run("INSERT INTO note VALUES ('undone, too')"));
            throw inner;
          }),
        ),
      ).toBe(inner);
      await tx.transaction((nested) => nested.run("INSERT INTO note VALUES ('kept, too')"));
    });
    expect(await pool.all("SELECT text FROM note")).toEqual([{ text: "kept" }, { text: "kept, too" }]);
  });

  it("says so and rolls back when COMMIT fails", async () => {
    const pool = await openPool();
    await pool.exec(`
      CREATE TABLE parent (id INTEGER PRIMARY KEY);
      CREATE TABLE child (parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED)`);
    const error = await rejection(pool.transaction((tx) => tx.run("INSERT INTO child VALUES (1)")));
    expect(error).toBeInstanceOf(IntegrityError);
    expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_FOREIGNKEY", rolledBack: true });
    expect(await pool.get("SELECT count(*) AS n FROM child")).toEqual({ n: 0 });
    expect(await pool.run("INSERT INTO parent VALUES (1)")).toMatchObject({ changes: 1 });
  });

  it("runs nothing more of itself after an error that ended it", async () => {
    const pool = await openPool();
    await pool.exec("CREATE TABLE t (a UNIQUE ON CONFLICT ROLLBACK); INSERT INTO t VALUES (1)");
    const after: unknown[] = [];
    const error = await rejection(
      pool.transaction(async (tx) => {
        await tx.run("INSERT INTO t VALUES (2)");
        after.push(await rejection(tx.run("INSERT INTO t VALUES (1)")));
        after.push(await rejection(tx.run("INSERT INTO t VALUES (3)")));
      }),
    );
    expect(after[0]).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE", rolledBack: true });
    expect(after[1]).toBeInstanceOf(OperationalError);
    expect(error).toBeInstanceOf(OperationalError);
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 1 }]);
  });

  it("hands out a handle that is dead when it is over", async () => {
    const pool = await openPool();
    await bank(pool);
    let kept: PoolTransaction | undefined;
    await pool.transaction((tx) => {
      kept = tx;
    });
    for (const call of [
      () => kept!.run("DELETE FROM account"),
      () => kept!.get("SELECT 1"),
      () => kept!.exec("DELETE FROM account"),
      () => kept!.transaction(() => 1),
      () => kept!.iterate("SELECT 1").next(),
    ]) {
      expect(await rejection(call), String(call)).toBeInstanceOf(ProgrammingError);
    }
    let snapshot: ReadTransaction | undefined;
    await pool.read((tx) => {
      snapshot = tx;
    });
    expect(await rejection(snapshot!.get("SELECT 1"))).toBeInstanceOf(ProgrammingError);
    expect(await pool.get("SELECT count(*) AS n FROM account")).toEqual({ n: ACCOUNTS });
  });

  it("refuses what would end it from inside", async () => {
    const pool = await openPool();
    await bank(pool);
    await pool.transaction(async (tx) => {
      await tx.run("INSERT INTO note VALUES (1)");
      for (const sql of ["COMMIT", "END", "ROLLBACK"]) {
        expect(await rejection(tx.run(sql)), sql).toBeInstanceOf(ProgrammingError);
        expect(await rejection(tx.exec(`${sql}; DELETE FROM account`)), sql).toBeInstanceOf(ProgrammingError);
      }
    });
    expect(await pool.get("SELECT count(*) AS n FROM note")).toEqual({ n: 1 });
  });

  it("rejects wrong options and a wrong callback", async () => {
    const pool = await openPool();
    expect(await rejection(pool.transaction("BEGIN" as never))).toBeInstanceOf(TypeError);
    expect(await rejection(pool.transaction(() => 1, null as never))).toBeInstanceOf(TypeError);
    expect(await rejection(pool.transaction(() => 1, { mode: "quick" as never }))).toBeInstanceOf(RangeError);
    expect(await rejection(pool.transaction(() => 1, { retries: -1 }))).toBeInstanceOf(RangeError);
    expect(await rejection(pool.transaction(() => 1, { signal: 1 as never }))).toBeInstanceOf(TypeError);
    expect(await pool.transaction(() => 1)).toBe(1);
  });
});

describe("another process that holds the lock", () => {
  it("makes it fail once its timeout is over, whatever its mode, with nothing done", async () => {
    const path = await temporaryPath();
    const pool = await openPool({ timeout: 50 }, path);
    await bank(pool);
    const other = openEngine(path);
    other.exec("BEGIN IMMEDIATE");
    let runs = 0;
    for (const mode of ["immediate", "exclusive", "deferred"] as const) {
      const error = await rejection(
        pool.transaction(
          (tx) => {
            runs++;
            return tx.run("INSERT INTO note VALUES (1)");
          },
          { mode },
        ),
      );
      expect(error, mode).toMatchObject({ name: "OperationalError", code: "SQLITE_BUSY" });
    }
    // Only the deferred one got to its callback.
    expect(runs).toBe(1);
    other.exec("ROLLBACK");
    expect(await pool.get("SELECT count(*) AS n FROM note")).toEqual({ n: 0 });
    expect(await pool.transaction((tx) => tx.run("INSERT INTO note VALUES (1)"))).toMatchObject({
      changes: 1,
    });
  });

  it("makes it run again as a whole, as often as it was told", async () => {
    const path = await temporaryPath();
    const pool = await openPool({ timeout: 5000 }, path);
    await bank(pool);
    const other = openEngine(path);
    let runs = 0;
    // A transaction that has read before it writes cannot wait for what was written since.
    const work = (tx: PoolTransaction): Promise<unknown> =>
      tx.get<{ balance: number }>("SELECT balance FROM account WHERE id = 1").then(async (row) => {
        if (++runs < 3) other.exec("UPDATE account SET balance = balance + 1 WHERE id = 1");
        return await tx.run("UPDATE account SET balance = ? WHERE id = 1", [row!.balance + 100]);
      });
    expect(await rejection(pool.transaction(work, { mode: "deferred" }))).toMatchObject({
      code: "SQLITE_BUSY_SNAPSHOT",
    });
    expect(runs).toBe(1);
    runs = 0;
    expect(await rejection(pool.transaction(work, { mode: "deferred", retries: 1 }))).toMatchObject({
      code: "SQLITE_BUSY_SNAPSHOT",
    });
    expect(runs).toBe(2);
    runs = 0;
    await pool.transaction(work, { mode: "deferred", retries: 2 });
    expect(runs).toBe(3);
    expect(await pool.get("SELECT balance FROM account WHERE id = 1")).toEqual({ balance: 1105 });
  });

  it("is waited for by single calls, which are not run twice", async () => {
    const path = await temporaryPath();
    const pool = await openPool({ timeout: 10_000 }, path);
    await bank(pool);
    const other = openEngine(path);
    other.exec("BEGIN IMMEDIATE");
    const calls = [
      ...Array.from({ length: 20 }, (_, i) => pool.run("INSERT INTO note VALUES (?)", [i])),
      pool.exec("INSERT INTO note VALUES ('script'); INSERT INTO note VALUES ('script')"),
      pool.transaction((tx) => tx.run("INSERT INTO note VALUES ('transaction')")),
    ];
    await pool.get("SELECT 1");
    other.exec("INSERT INTO note VALUES ('other'); COMMIT");
    await Promise.all(calls);
    expect(await pool.get("SELECT count(*) AS n FROM note")).toEqual({ n: 24 });
  });
});

describe("using the pool inside its own callback", () => {
  it.each(["transaction", "read"] as const)("of %s() is refused rather than waited for", async (kind) => {
    const pool = await openPool({ readers: 1 });
    await bank(pool);
    const calls: [string, () => Promise<unknown>][] = [
      ["run", () => pool.run("INSERT INTO note VALUES (1)")],
      ["get", () => pool.get("SELECT 1")],
      ["all", () => pool.all("SELECT 1")],
      ["iterate", () => pool.iterate("SELECT 1").next()],
      ["exec", () => pool.exec("SELECT 1")],
      ["execute", () => pool.execute("SELECT 1")],
      ["transaction", () => pool.transaction(() => 1)],
      ["read", () => pool.read(() => 1)],
      ["acquire", () => pool.acquire()],
      ["createFunction", () => pool.createFunction("f", 0, () => 1)],
      ["close", () => pool.close()],
    ];
    const inside = async (tx: ReadTransaction): Promise<void> => {
      for (const [name, call] of calls) {
        const error = await rejection(call);
        expect(error, name).toBeInstanceOf(ProgrammingError);
        expect((error as Error).message, name).toContain("inside its own");
      }
      await tx.get("SELECT 1");
      // Also where the call comes out of a timer, or of a transaction of another pool.
      const other = await openPool({}, ":memory:");
      expect(await rejection(other.transaction(() => pool.run("DELETE FROM note")))).toBeInstanceOf(
        ProgrammingError,
      );
    };
    await (kind === "read" ? pool.read(inside) : pool.transaction(inside));
    expect(await pool.get("SELECT count(*) AS n FROM note")).toEqual({ n: 0 });
  });

  it("is allowed to what the callback has started, once the callback is over", async () => {
    const pool = await openPool();
    await bank(pool);
    const over = gate();
    let later: Promise<unknown> | undefined;
    await pool.transaction(() => {
      later = over.opened.then(() => pool.run("INSERT INTO note VALUES (1)"));
    });
    over.open();
    await later;
    expect(await pool.get("SELECT count(*) AS n FROM note")).toEqual({ n: 1 });
  });

  it("is refused to what an inner callback has started, as long as the outer one runs", async () => {
    const outer = await openPool();
    const inner = await openPool();
    const over = gate();
    let later: Promise<unknown> | undefined;
    await outer.transaction(async () => {
      await inner.transaction(() => {
        // Its own pool takes it, and knows what is around that.
        const calls = [outer, inner].map((pool) => () => pool.get("SELECT 1 AS one"));
        later = over.opened.then(() =>
          inner.transaction(async (tx) => [
            ...(await outcomes(calls.map(async (call) => await call()))),
            await tx.get("SELECT 2 AS two"),
          ]),
        );
      });
      over.open();
      const [first, second, third] = (await later) as unknown[];
      expect([first, second]).toMatchObject([{ name: "ProgrammingError" }, { name: "ProgrammingError" }]);
      expect(third).toEqual({ two: 2 });
    });
    expect(await outer.get("SELECT 1 AS one")).toEqual({ one: 1 });
  });

  it("waits there for somebody else's like any other call", async () => {
    const pool = await openPool();
    await bank(pool);
    const over = gate();
    const asked = gate();
    let later: Promise<unknown> | undefined;
    await pool.transaction(() => {
      later = over.opened.then(() => {
        const written = pool.run("INSERT INTO note SELECT count(*) FROM note");
        asked.open();
        return written;
      });
    });
    await pool.transaction(async (tx) => {
      over.open();
      await asked.opened;
      await tx.run("INSERT INTO note VALUES ('first')");
    });
    await later;
    expect(await pool.all("SELECT text FROM note")).toEqual([{ text: "first" }, { text: 1 }]);
  });

  it("through a lease's transaction() is refused where nobody else could answer", async () => {
    const pool = await openPool({ readers: 1 });
    await bank(pool);
    await using conn = await pool.acquire();
    await conn.transaction(async (tx) => {
      await tx.execute("INSERT INTO note VALUES (1)");
      expect(await rejection(pool.run("INSERT INTO note VALUES (2)"))).toBeInstanceOf(ProgrammingError);
      expect(await rejection(pool.transaction(() => 1))).toBeInstanceOf(ProgrammingError);
      // A reader can.
      expect(await pool.get("SELECT count(*) AS n FROM note")).toEqual({ n: 0 });
    });
    expect(await pool.get("SELECT count(*) AS n FROM note")).toEqual({ n: 1 });
  });
});

describe("the signal of a transaction", () => {
  it("is answered at once while it waits for the writer, and while its callback runs", async () => {
    const pool = await openPool();
    await bank(pool);
    const reason = new Error("no longer wanted");
    const controller = new AbortController();
    const inside = gate();
    const first = pool.transaction(
      async (tx) => {
        await tx.run("INSERT INTO note VALUES (1)");
        inside.open();
        await new Promise(() => {});
      },
      { signal: controller.signal },
    );
    await inside.opened;
    const second = new AbortController();
    const waiting = pool.transaction(() => 1, { signal: second.signal });
    const third = pool.transaction((tx) => tx.get("SELECT count(*) AS n FROM note"));
    second.abort(reason);
    expect(await rejection(waiting)).toBe(reason);
    controller.abort(reason);
    expect(await rejection(first)).toBe(reason);
    expect(await third).toEqual({ n: 0 });
    await until(() => pool.stats().pending === 0);
    expect(pool.stats()).toMatchObject({ idle: 1, respawned: 0 });
  });

  it("costs a database in memory nothing", async () => {
    const pool = await openPool({}, ":memory:");
    await bank(pool);
    for (let i = 0; i < 20; i++) {
      const controller = new AbortController();
      const work = pool.transaction(
        async (tx) => {
          await tx.run("DELETE FROM account");
          if (i % 2 === 0) controller.abort();
          await tx.get("SELECT 1");
        },
        { signal: controller.signal },
      );
      if (i % 2 === 1) queueMicrotask(() => controller.abort());
      expect(await rejection(work)).toBe(controller.signal.reason);
      expect(await pool.get("SELECT count(*) AS n FROM account")).toEqual({ n: ACCOUNTS });
    }
    expect(pool.stats().respawned).toBe(0);
  });

  it("gives up waiting for another process's lock", async () => {
    const path = await temporaryPath();
    const pool = await openPool({ timeout: 600_000 }, path);
    await bank(pool);
    const other = openEngine(path);
    other.exec("BEGIN IMMEDIATE");
    const reason = new Error("no longer wanted");
    const controllers = Array.from({ length: 4 }, () => new AbortController());
    const [a, b, c, d] = controllers.map(({ signal }) => ({ signal }));
    const calls = outcomes([
      pool.transaction(() => 1, a),
      pool.run("INSERT INTO note VALUES (1)", [], b),
      pool.run("INSERT INTO note VALUES (2)", [], c),
      pool.exec("INSERT INTO note VALUES (3)", d),
    ]);
    for (const controller of controllers) controller.abort(reason);
    expect(await calls).toEqual([reason, reason, reason, reason]);
    other.exec("ROLLBACK");
    expect(await pool.get("SELECT count(*) AS n FROM note")).toEqual({ n: 0 });
    expect(await pool.run("INSERT INTO note VALUES (4)")).toMatchObject({ changes: 1 });
  });

  it("ends a statement that runs, and those of others go on", async () => {
    const pool = await openPool();
    await bank(pool);
    const held = await holds(pool);
    const reason = new Error("no longer wanted");
    const controller = new AbortController();
    const work = pool.transaction((tx) => tx.run("INSERT INTO note SELECT hold(?)", [held.name(0)]), {
      signal: controller.signal,
    });
    await held.entered(0);
    controller.abort(reason);
    expect(await rejection(work)).toBe(reason);
    const next = pool.run("INSERT INTO note VALUES ('next')");
    await held.release(0);
    await next;
    expect(await pool.all("SELECT text FROM note")).toEqual([{ text: "next" }]);
  });
});
