import { AsyncResource } from "node:async_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Connection } from "@sqlite-aio/core";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { stopTheClock } from "../support/pool-support.ts";

const INSERT = "INSERT INTO t (x) VALUES (?)";
const reason = new Error("enough");
const INTERRUPTED = { name: "OperationalError", code: "SQLITE_INTERRUPT" };

let path: string;
let db: Connection;

beforeEach(async () => {
  path = await temporaryPath();
  db = await open(path, { isolationLevel: null, pragmas: { synchronous: "OFF" } });
  await db.executescript("CREATE TABLE t (x INTEGER)");
});

/** What a second connection reads from the file. */
function stored(): unknown[] {
  return openEngine(path).prepare("SELECT x FROM t ORDER BY x").pluck().all();
}

/** Runs `work` as code that is no part of the transaction it is called in. */
const elsewhere = new AsyncResource("elsewhere");
function outside<T>(work: () => T): T {
  return elsewhere.runInAsyncScope(work);
}

/** SQL that calls `fn` for each of `n` numbers, while the statement runs. */
async function calling(fn: (i: number) => void, n = 1000): Promise<string> {
  await db.createFunction("tick", 1, (i: number) => {
    fn(i);
    return i;
  });
  return `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${n}) SELECT tick(i) AS v FROM n`;
}

describe("a signal", () => {
  it("that is aborted already keeps the call from being queued", async () => {
    const options = { signal: AbortSignal.abort(reason) };
    for (const call of [
      () => db.execute(INSERT, [1], options),
      () => db.executeFetchall("INSERT INTO t (x) VALUES (1) RETURNING x", [], options),
      () => db.executeInsert(INSERT, [1], options),
      () => db.executemany(INSERT, [[1]], options),
      () => db.executescript("INSERT INTO t (x) VALUES (1)", options),
      () => db.commit(options),
      () => db.rollback(options),
      () => db.serialize(options),
    ]) {
      expect(await rejection(call), String(call)).toBe(reason);
    }
    expect(stored()).toEqual([]);
  });

  it("aborted in the same tick means that nothing ran", async () => {
    const controller = new AbortController();
    const aborted = rejection(db.execute(INSERT, [1], { signal: controller.signal }));
    const other = db.execute(INSERT, [2]);
    controller.abort(reason);
    expect(await aborted).toBe(reason);
    await other;
    expect(stored()).toEqual([2]);
  });

  it("keeps a call from running that waits in the thread behind a running one", async () => {
    const controller = new AbortController();
    const aborted: Promise<unknown>[] = [];
    const slow = db.executeFetchall(
      await calling((i) => {
        // The thread is in the middle of the first statement, and holds the others in the same frame.
        if (i === 3) controller.abort(reason);
      }, 5),
    );
    const { signal } = controller;
    aborted.push(rejection(db.execute(INSERT, [1], { signal })));
    aborted.push(rejection(db.executemany(INSERT, [[2], [3]], { signal })));
    const kept = db.execute(INSERT, [4]);
    aborted.push(rejection(db.executescript("INSERT INTO t (x) VALUES (5)", { signal })));
    aborted.push(rejection(db.executeInsert(INSERT, [6], { signal })));
    for (const error of await Promise.all(aborted)) expect(error).toBe(reason);
    expect(await slow).toHaveLength(5);
    await kept;
    expect(stored()).toEqual([4]);
  });

  it("keeps a call from running that waits for somebody's transaction", async () => {
    const controller = new AbortController();
    await db.transaction(async (tx) => {
      await tx.execute(INSERT, [1]);
      const { signal } = controller;
      const aborted = outside(() => [
        rejection(db.execute(INSERT, [2], { signal })),
        rejection(db.executemany(INSERT, [[3]], { signal })),
        rejection(db.executescript("INSERT INTO t (x) VALUES (4)", { signal })),
        rejection(db.transaction((other) => other.execute(INSERT, [5]), { signal })),
      ]);
      const late = outside(() => [
        rejection(db.execute(INSERT, [6], { timeout: 20 })),
        rejection(db.executemany(INSERT, [[7]], { timeout: 20 })),
      ]);
      controller.abort(reason);
      for (const error of await Promise.all(aborted)) expect(error).toBe(reason);
      for (const error of await Promise.all(late)) expect(error).toMatchObject(INTERRUPTED);
    });
    expect(stored()).toEqual([1]);
  });

  it("rejects the caller of a running statement at once, and the connection is usable after it", async () => {
    const controller = new AbortController();
    const order: string[] = [];
    const sql = await calling((i) => {
      if (i === 2) {
        controller.abort(reason);
        order.push("aborted");
      }
      if (i === 900) order.push("still running");
    });
    const aborted = rejection(
      db.executeFetchall(`SELECT sum(v) FROM (${sql})`, [], { signal: controller.signal }),
    ).then((error) => {
      order.push("answered");
      return error;
    });
    const next = db.execute(INSERT, [1]);
    expect(await aborted).toBe(reason);
    await next;
    expect(order.slice(0, 2)).toEqual(["aborted", "answered"]);
    expect(stored()).toEqual([1]);
  });

  it("stops a result between two rows", async () => {
    for (const run of [
      (sql: string, signal: AbortSignal) => db.executeFetchall(sql, [], { signal }),
      async (sql: string, signal: AbortSignal) => (await db.execute(sql)).fetchall({ signal }),
      async (sql: string, signal: AbortSignal) => {
        const cursor = await db.cursor();
        cursor.iterChunkSize = 1000;
        await cursor.execute(sql, [], { signal });
      },
    ]) {
      const controller = new AbortController();
      let calls = 0;
      const sql = await calling((i) => {
        calls = i;
        if (i === 200) controller.abort(reason);
      });
      expect(await rejection(run(sql, controller.signal)), String(run)).toBe(reason);
      expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
      expect(calls, String(run)).toBeLessThan(210);
    }
  });

  it("stops executemany between two sets, and a script between two statements", async () => {
    let controller = new AbortController();
    await calling((i) => {
      if (i === 3) controller.abort(reason);
    });
    const insert = "INSERT INTO t (x) VALUES (tick(?))";
    const sets = Array.from({ length: 1500 }, (_, i) => [i + 1]);
    expect(await rejection(db.executemany(insert, sets, { signal: controller.signal }))).toBe(reason);
    expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[1], [2], [3]]);
    controller = new AbortController();
    const script = "DELETE FROM t; SELECT tick(3); INSERT INTO t (x) VALUES (9)";
    expect(await rejection(db.executescript(script, { signal: controller.signal }))).toBe(reason);
    expect(await db.executeFetchall("SELECT x FROM t")).toEqual([]);
  });

  it("aborted after the answer changes nothing", async () => {
    const controller = new AbortController();
    const options = { signal: controller.signal };
    await db.execute(INSERT, [1], options);
    const cursor = await db.execute("SELECT x FROM t", [], options);
    controller.abort(reason);
    expect(await cursor.fetchall()).toEqual([[1]]);
    for (let x = 2; x < 40; x++) await db.execute(INSERT, [x]);
    expect(stored()).toHaveLength(39);
  });

  it("leaves no listener behind", async () => {
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };
    await db.execute(INSERT, [1], { signal });
    await rejection(db.execute("INSERT INTO nowhere VALUES (1)", [], { signal }));
    await db.transaction(() => {}, { signal });
    await db.close();
    await rejection(db.execute(INSERT, [1], { signal }));
    expect(listeners).toBe(0);
  });

  it("must be an AbortSignal, and a timeout a whole number of milliseconds", async () => {
    expect(await rejection(db.execute(INSERT, [1], { signal: {} as never }))).toBeInstanceOf(TypeError);
    expect(await rejection(db.execute(INSERT, [1], { timeout: "1" as never }))).toBeInstanceOf(TypeError);
    expect(await rejection(db.execute(INSERT, [1], { timeout: 1.5 }))).toBeInstanceOf(TypeError);
    expect(await rejection(db.execute(INSERT, [1], { timeout: -1 }))).toBeInstanceOf(RangeError);
    expect(await rejection(db.execute(INSERT, [1], 5 as never))).toBeInstanceOf(TypeError);
    expect(stored()).toEqual([]);
  });
});

describe("fetching with a signal", () => {
  it("gives up the chunk that was asked for ahead as well, and the cursor with it", async () => {
    const controller = new AbortController();
    const cursor = await db.execute(
      await calling((i) => {
        if (i === 100) controller.abort(reason);
      }),
    );
    let rows = 0;
    const error = await rejection(async () => {
      while ((await cursor.fetchone({ signal: controller.signal })) !== null) rows++;
    });
    expect(error).toBe(reason);
    expect(rows).toBe(64);
    expect(await cursor.fetchone()).toBe(null);
  });
});

describe("iterating with a signal", () => {
  const numbers =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i FROM n";

  it("ends between two rows, also of those that are here already, and lets go of the cursor", async () => {
    const controller = new AbortController();
    let rows = 0;
    const error = await rejection(async () => {
      for await (const row of db.execute(numbers, [], { signal: controller.signal })) {
        rows += row.length;
        if (rows === 10) controller.abort(reason);
      }
    });
    expect(error).toBe(reason);
    expect(rows).toBe(10);
    await db.createFunction("f", 0, () => 1);
  });

  it("ends while rows are waited for", async () => {
    const controller = new AbortController();
    const sql = await calling((i) => {
      if (i === 150) controller.abort(reason);
    });
    let rows = 0;
    const error = await rejection(async () => {
      for await (const row of db.execute(sql, [], { signal: controller.signal })) rows += row.length;
    });
    expect(error).toBe(reason);
    expect(rows).toBeLessThan(150);
    for await (const row of db.execute(numbers, [], { signal: new AbortController().signal }))
      rows += row.length;
    expect(rows).toBeGreaterThanOrEqual(1000);
  });
});

describe("a timeout", () => {
  it("gives up a running statement and those that wait, which never run", async () => {
    let reached = 0;
    const sql = await calling((i) => {
      reached = i;
      const until = performance.now() + 5;
      while (performance.now() < until);
    }, 400);
    const running = rejection(db.executeFetchall(`SELECT sum(v) FROM (${sql})`, [], { timeout: 40 }));
    const waiting = rejection(db.execute(INSERT, [1], { timeout: 20 }));
    const patient = db.execute(INSERT, [2], { timeout: 10_000 });
    expect(await running).toMatchObject(INTERRUPTED);
    expect(await waiting).toMatchObject({ ...INTERRUPTED, sql: INSERT });
    expect(reached).toBeLessThan(400);
    await patient;
    expect(stored()).toEqual([2]);
  });

  it("is for the whole of executemany and of fetchall, not for each of their parts", async () => {
    async function* slowly(): AsyncGenerator<[number]> {
      for (let x = 0; x < 4000; x++) {
        // Each part takes less than the timeout, and all of them take more.
        if (x % 1000 === 999) {
          await new Promise((resolve) => {
            setTimeout(resolve, 40);
          });
        }
        yield [x];
      }
    }
    expect(await rejection(db.executemany(INSERT, slowly(), { timeout: 100 }))).toMatchObject(INTERRUPTED);
    const cursor = await db.execute(
      await calling(() => {
        const until = performance.now() + 1;
        while (performance.now() < until);
      }, 1000),
    );
    await cursor.fetchone();
    expect(await rejection(cursor.fetchall({ timeout: 80 }))).toMatchObject(INTERRUPTED);
  });

  it("and a signal are answered while the sets of executemany are waited for", async () => {
    let returned = false;
    let release!: () => void;
    async function* stuck(): AsyncGenerator<[number]> {
      try {
        yield [1];
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        yield [2];
        yield [3];
      } finally {
        returned = true;
      }
    }
    expect(await rejection(db.executemany(INSERT, stuck(), { timeout: 20 }))).toMatchObject(INTERRUPTED);
    release();
    await nextTurn();
    expect(returned).toBe(true);
    const controller = new AbortController();
    const aborted = rejection(db.executemany(INSERT, stuck(), { signal: controller.signal }));
    await nextTurn();
    controller.abort(reason);
    expect(await aborted).toBe(reason);
    expect(stored()).toEqual([]);
  });

  it("of 0 is none", async () => {
    await db.execute(INSERT, [1], { timeout: 0 });
    expect(stored()).toEqual([1]);
  });

  it("that has been refused leaves nothing that could reject later", async () => {
    stopTheClock();
    await db.transaction(async () => {
      expect(await rejection(db.execute(INSERT, [1], { timeout: 5 }))).toMatchObject({
        name: "ProgrammingError",
      });
    });
    vi.advanceTimersByTime(20);
    expect(stored()).toEqual([]);
  });
});

describe("interrupt()", () => {
  it("gives up what runs and what waits; what waits never runs", async () => {
    const calls: Promise<unknown>[] = [];
    const sql = await calling((i) => {
      if (i === 2) void db.interrupt();
    });
    calls.push(rejection(db.executeFetchall(`SELECT sum(v) FROM (${sql})`)));
    calls.push(rejection(db.execute(INSERT, [1])));
    calls.push(rejection(db.executemany(INSERT, [[2], [3]])));
    calls.push(rejection(db.executescript("INSERT INTO t (x) VALUES (4)")));
    for (const error of await Promise.all(calls)) expect(error).toMatchObject(INTERRUPTED);
    await db.execute(INSERT, [5]);
    expect(stored()).toEqual([5]);
  });

  it("leaves a commit() and a rollback() that wait behind what it stops", async () => {
    for (const [end, x] of [
      ["commit", 1],
      ["rollback", 2],
    ] as const) {
      const sql = await calling((i) => {
        if (i === 2) void db.interrupt();
      });
      await db.execute("BEGIN");
      await db.execute(INSERT, [x]);
      const running = rejection(db.executeFetchall(`SELECT sum(v) FROM (${sql})`));
      const ended = db[end]();
      expect(await running, end).toMatchObject(INTERRUPTED);
      await ended;
      expect(db.inTransaction, end).toBe(false);
      expect(stored(), end).toEqual([1]);
    }
  });

  it("gives up those who wait for a transaction, and the transaction rolls back", async () => {
    let waiting: Promise<unknown>[] = [];
    const failed = rejection(
      db.transaction(async (tx) => {
        await tx.execute(INSERT, [1]);
        waiting = outside(() => [
          rejection(db.execute(INSERT, [2])),
          rejection(db.transaction((other) => other.execute(INSERT, [3]))),
          rejection(db.executemany(INSERT, [[4]])),
        ]);
        const inner = rejection(tx.executeFetchall("SELECT x FROM t"));
        await tx.interrupt();
        throw await inner;
      }),
    );
    expect(await failed).toMatchObject(INTERRUPTED);
    for (const error of await Promise.all(waiting)) expect(error).toMatchObject(INTERRUPTED);
    expect(db.inTransaction).toBe(false);
    await db.execute(INSERT, [5]);
    expect(stored()).toEqual([5]);
  });

  it("ends a cursor that is half read, and not one that is opened later", async () => {
    const numbers =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i FROM n";
    const cursor = await db.execute(numbers);
    expect(await cursor.fetchmany(3)).toEqual([[1], [2], [3]]);
    await db.interrupt();
    expect(await rejection(cursor.fetchall())).toMatchObject(INTERRUPTED);
    const later = await db.execute(numbers);
    expect(await later.fetchall()).toHaveLength(1000);
    await cursor.execute("SELECT 7");
    expect(await cursor.fetchone()).toEqual([7]);
  });

  it("changes nothing when nothing is under way, and rejects when the connection is closed, as in aiosqlite", async () => {
    await db.interrupt();
    await db.execute(INSERT, [1]);
    expect(stored()).toEqual([1]);
    await db.close();
    expect(await rejection(db.interrupt())).toMatchObject({ name: "ConnectionClosedError" });
    expect(await rejection(db.interrupt({ waiting: 1 as never }))).toBeInstanceOf(TypeError);
  });

  it("with { waiting: false } gives up what runs and leaves what waits", async () => {
    const calls: Promise<unknown>[] = [];
    const sql = await calling((i) => {
      if (i === 2) void db.interrupt({ waiting: false });
    });
    const running = rejection(db.executeFetchall(`SELECT sum(v) FROM (${sql})`));
    calls.push(db.executemany(INSERT, [[2], [3]]));
    calls.push(db.commit());
    calls.push(db.executescript("INSERT INTO t (x) VALUES (4)"));
    expect(await running).toMatchObject(INTERRUPTED);
    await Promise.all(calls);
    expect(stored()).toEqual([2, 3, 4]);
  });

  it("with { waiting: false } leaves calls alone that have not begun", async () => {
    const calls = [db.executeFetchall("SELECT 1"), db.executeFetchall("SELECT 2")];
    void db.interrupt({ waiting: false });
    expect(await Promise.all(calls)).toEqual([[[1]], [[2]]]);
  });
});

describe("the marks of cancelled operations", () => {
  it("meet no later statement, over several rounds of the ring", async () => {
    let controller = new AbortController();
    await calling(() => controller.abort(reason));
    for (let round = 0; round < 5; round++) {
      controller = new AbortController();
      const { signal } = controller;
      const running = rejection(db.execute("SELECT tick(1)", [], { signal }));
      const waiting = Array.from({ length: 50 }, (_, x) => rejection(db.execute(INSERT, [-x], { signal })));
      expect(await running).toBe(reason);
      for (const error of await Promise.all(waiting)) expect(error).toBe(reason);
      await Promise.all(Array.from({ length: 4500 }, (_, x) => db.execute(INSERT, [round * 10_000 + x])));
    }
    const rows = stored() as number[];
    expect(rows).toHaveLength(5 * 4500);
    expect(rows[0]).toBe(0);
  });

  it("meet no earlier statement, however many are under way", async () => {
    const controller = new AbortController();
    let ready!: () => void;
    const answered = new Promise<void>((resolve) => {
      ready = resolve;
    });
    // Statements that are answered one by one let the frames behind them pile up in the thread.
    await calling(() => {});
    const singles = Array.from({ length: 12 }, (_, i) => db.executeFetchall(`SELECT tick(${i}), ${i}`));
    void singles.at(-2)?.then(() => ready());
    const inserts: Promise<unknown>[] = [];
    for (let x = 0; x < 12_000; x++) {
      const aborted = x % 2 === 1 && x > 4096;
      const call = db.execute(INSERT, [x], aborted ? { signal: controller.signal } : undefined);
      inserts.push(aborted ? rejection(call) : call);
    }
    await answered;
    controller.abort(reason);
    await Promise.all(inserts);
    const rows = new Set(stored());
    const wanted = Array.from({ length: 12_000 }, (_, x) => x).filter((x) => x % 2 === 0 || x <= 4096);
    expect(wanted.filter((x) => !rows.has(x))).toEqual([]);
  });

  it("agree with the file after hundreds of aborts at random moments", async () => {
    const random = generator(42);
    const answered = new Set<number>();
    const neverSent = new Set<number>();
    const calls: Promise<void>[] = [];
    for (let x = 0; x < 1000; x++) {
      const controller = new AbortController();
      const aborts = x % 2 === 0;
      calls.push(
        db.execute(INSERT, [x], { signal: controller.signal }).then(
          () => void answered.add(x),
          (error: unknown) => {
            expect(aborts).toBe(true);
            expect(error).toBe(reason);
          },
        ),
      );
      // So that every stage that a call can be in meets an abort.
      const moment = random();
      if (aborts && moment < 0.2) {
        neverSent.add(x);
        controller.abort(reason);
      } else if (aborts && moment < 0.5) queueMicrotask(() => controller.abort(reason));
      else if (aborts && moment < 0.8) setImmediate(() => controller.abort(reason));
      else if (aborts) setTimeout(() => controller.abort(reason), random() * 3);
      if (random() < 0.1) await nextTurn();
    }
    await Promise.all(calls);
    await db.executeFetchall("SELECT 1");
    const rows = stored() as number[];
    const found = new Set(rows);
    expect(rows).toHaveLength(found.size);
    expect([...answered].filter((x) => !found.has(x))).toEqual([]);
    expect([...neverSent].filter((x) => found.has(x))).toEqual([]);
    expect(answered.size).toBeGreaterThanOrEqual(500);
  });
});

/** The same numbers between 0 and 1 for the same seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
