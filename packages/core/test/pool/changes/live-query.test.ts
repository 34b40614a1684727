import { execFile } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  capabilities,
  type Change,
  type Pool,
  type PoolOptions,
  type PoolTransaction,
} from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { openEngine, rejection, temporaryPath } from "../../support/database.ts";
import { endless } from "../../support/endless.ts";
import { gate } from "../../support/gate.ts";
import { holds, openPoolOf, quiet } from "../../support/pool-support.ts";
import { random } from "../../support/random.ts";

const run = promisify(execFile);

/**
 * A pool whose writer reports what it changes already. Where it does not, a query whose writer takes long to answer that it
 * will is read once more.
 */
async function openReporting(schema: string, options: PoolOptions = {}): Promise<Pool & { path: string }> {
  const pool = await openPoolOf("", options);
  pool.on("change", () => {});
  await pool.exec(schema);
  return pool;
}

describe.runIf(capabilities.changes)("watch()", () => {
  it("gives the result at once, and again after each commit that changed a table it reads", async () => {
    const pool = await openReporting("CREATE TABLE t (x); CREATE TABLE other (y); INSERT INTO t VALUES (1)");
    const found: unknown[] = [];
    for await (const rows of pool.watch("SELECT x FROM t WHERE x < ? ORDER BY x", [10])) {
      found.push(rows.map(({ x }) => x));
      if (found.length === 1) {
        await pool.run("INSERT INTO other VALUES (1)");
        await pool.run("INSERT INTO t VALUES (2)");
      } else if (found.length === 2) {
        await rejection(
          pool.transaction(async (tx) => {
            await tx.run("INSERT INTO t VALUES (3)");
            throw new Error("undo");
          }),
        );
        // Nothing to see for this query, but its table.
        await pool.run("INSERT INTO t VALUES (99)");
      } else if (found.length === 3) await pool.transaction((tx) => tx.run("DELETE FROM t"));
      else break;
    }
    expect(found).toEqual([[1], [1, 2], [1, 2], []]);
  });

  it("gives nothing for commits to other tables and for what is rolled back", async () => {
    const pool = await openReporting("CREATE TABLE t (x); CREATE TABLE other (y)");
    await using rows = pool.watch("SELECT count(*) AS n FROM t");
    expect(await rows.next()).toEqual({ done: false, value: [{ n: 0 }] });
    const next = rows.next();
    await pool.run("INSERT INTO other VALUES (1)");
    await rejection(
      pool.transaction(async (tx) => {
        await tx.run("INSERT INTO t VALUES (3)");
        throw new Error("undo");
      }),
    );
    // A result of those would be there.
    await quiet(pool);
    await pool.run("INSERT INTO t VALUES (1)");
    expect(await next).toEqual({ done: false, value: [{ n: 1 }] });
  });

  it("runs one query at a time, and of a burst of commits sees the end", async () => {
    const pool = await openReporting("CREATE TABLE t (x)", { readers: 2 });
    const held = await holds(pool);
    let queries = 0;
    await pool.createFunction("queried", 0, () => ++queries);
    await using rows = pool.watch("SELECT queried(), hold(?), (SELECT count(*) FROM t) AS n", [held.name(0)]);
    const results = [rows.next(), rows.next()];
    await held.entered(0);
    await Promise.all(Array.from({ length: 500 }, (_, x) => pool.run("INSERT INTO t VALUES (?)", [x])));
    // A second query would be before these on the other reader.
    for (let i = 0; i < 3; i++) await pool.get("SELECT 1");
    expect(queries).toBe(1);
    await held.release(0);
    expect((await Promise.all(results)).map(({ value }) => value?.[0]?.["n"])).toEqual([0, 500]);
    expect(queries).toBe(2);
  });

  it("finds the tables behind views, subqueries, common table expressions, triggers and foreign keys", async () => {
    const pool = await openReporting(`
      CREATE TABLE a (x); CREATE TABLE b (x); CREATE TABLE c (x); CREATE TABLE log (x);
      INSERT INTO a VALUES (5); INSERT INTO b VALUES (1);
      CREATE VIEW v AS SELECT x FROM a WHERE x IN (SELECT x FROM b);
      CREATE TRIGGER noted AFTER INSERT ON c BEGIN INSERT INTO log VALUES (new.x); END;
      CREATE TABLE parent (id INTEGER PRIMARY KEY); INSERT INTO parent VALUES (1);
      CREATE TABLE child (p INTEGER REFERENCES parent ON DELETE CASCADE); INSERT INTO child VALUES (1);
      CREATE TABLE w (k PRIMARY KEY) WITHOUT ROWID;
      CREATE VIRTUAL TABLE f USING fts5 (x); CREATE VIRTUAL TABLE terms USING fts5vocab (f, row)`);
    for (const [query, write] of [
      ["SELECT count(*) FROM v", "INSERT INTO a VALUES (1)"],
      ["SELECT count(*) FROM v", "INSERT INTO b VALUES (5)"],
      ["WITH n AS (SELECT * FROM a) SELECT count(*) FROM n", "INSERT INTO a VALUES (2)"],
      ["SELECT (SELECT max(x) FROM b)", "INSERT INTO b VALUES (9)"],
      ["SELECT count(*) FROM log", "INSERT INTO c VALUES (4)"],
      ["SELECT count(*) FROM child", "DELETE FROM parent"],
      ["SELECT count(*) FROM w", "INSERT INTO w VALUES (1)"],
      ["SELECT count(*) FROM f WHERE f MATCH 'word'", "INSERT INTO f VALUES ('a word')"],
      ["SELECT count(*) FROM terms", "INSERT INTO f VALUES ('another')"],
      ["SELECT count(*) FROM sqlite_schema", "CREATE TABLE late (x)"],
    ] as const) {
      await using rows = pool.watch(query);
      const before = await rows.next();
      await pool.run(write);
      const after = await rows.next();
      expect(after.done, `${query} after ${write}`).toBe(false);
      expect(after.value, `${query} after ${write}`).not.toEqual(before.value);
    }
  });

  it("finds its tables again when the schema has changed", async () => {
    const pool = await openReporting(`
      CREATE TABLE a (x); CREATE TABLE b (x); CREATE VIEW v AS SELECT * FROM a; INSERT INTO b VALUES (7)`);
    await using rows = pool.watch("SELECT * FROM v");
    expect((await rows.next()).value).toEqual([]);
    await pool.run("ALTER TABLE a ADD COLUMN y DEFAULT 5");
    expect((await rows.next()).value).toEqual([]);
    await pool.run("INSERT INTO a (x) VALUES (1)");
    expect((await rows.next()).value).toEqual([{ x: 1, y: 5 }]);
    await pool.transaction((tx) => tx.exec("DROP VIEW v; CREATE VIEW v AS SELECT * FROM b"));
    expect((await rows.next()).value).toEqual([{ x: 7 }]);
    const next = rows.next();
    await pool.run("INSERT INTO a (x) VALUES (2)");
    await quiet(pool);
    await pool.run("INSERT INTO b (x) VALUES (8)");
    expect((await next).value).toEqual([{ x: 7 }, { x: 8 }]);
    await pool.exec("DROP VIEW v");
    expect(await rejection(rows.next())).toMatchObject({ message: "no such table: v" });
    expect(await rows.next()).toEqual({ done: true, value: undefined });
  });

  it("is ended by break, by return() and by the end of its block, also while it waits", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    onTestFinished(() => void vi.useRealTimers());
    const pool = await openPoolOf("CREATE TABLE t (x)", { changePollInterval: 5 });
    const timers = vi.getTimerCount();
    const rows = pool.watch("SELECT x FROM t");
    await rows.next();
    expect(vi.getTimerCount()).toBe(timers + 1);
    const waiting = [rows.next(), rows.next()];
    expect(await rows.return()).toEqual({ done: true, value: undefined });
    for (const next of waiting) expect(await next).toEqual({ done: true, value: undefined });
    expect(await rows.next()).toEqual({ done: true, value: undefined });
    const unused = pool.watch("SELECT x FROM t");
    await unused.return();
    expect(await unused.next()).toEqual({ done: true, value: undefined });
    // There is no listener any more.
    expect(vi.getTimerCount()).toBe(timers);
    await pool.run("INSERT INTO t VALUES (1)");
    const { executed } = pool.stats();
    await pool.run("INSERT INTO t VALUES (1)");
    expect(pool.stats().executed).toBe(executed + 1);
  });

  it("is ended by its signal: before it begins, while it waits, and while the query runs", async () => {
    const pool = await openReporting("CREATE TABLE t (x)");
    const reason = new Error("enough");
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = pool.watch("SELECT x FROM t", [], { signal });
    await waiting.next();
    const next = rejection(waiting.next());
    const inside = gate();
    await pool.createFunction("enter", 0, () => {
      inside.open();
      return 1;
    });
    const running = rejection(
      pool.watch(`${endless} WHERE i > 1 OR (SELECT enter() + count(*) FROM t)`, [], { signal }).next(),
    );
    await inside.opened;
    controller.abort(reason);
    expect(await next).toBe(reason);
    expect(await running).toBe(reason);
    expect(await waiting.next()).toEqual({ done: true, value: undefined });
    expect(await rejection(pool.watch("SELECT x FROM t", [], { signal }).next())).toBe(reason);
    expect(() => pool.watch("SELECT x FROM t", [], { signal: {} as never })).toThrow(TypeError);
  });

  it("is ended by the pool's close", async () => {
    const pool = await openReporting("CREATE TABLE t (x)");
    const rows = pool.watch("SELECT x FROM t");
    await rows.next();
    const next = rows.next();
    const unused = pool.watch("SELECT x FROM t");
    const controller = new AbortController();
    const stoppable = pool.watch("SELECT x FROM t", [], { signal: controller.signal });
    await pool.close();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(await rows.next()).toEqual({ done: true, value: undefined });
    expect(await unused.next()).toEqual({ done: true, value: undefined });
    expect(await stoppable.next()).toEqual({ done: true, value: undefined });
    controller.abort(new Error("enough"));
    const aborted = pool.watch("SELECT x FROM t", [], { signal: controller.signal });
    expect(await rejection(aborted.next())).toBe(controller.signal.reason);
  });

  it("rejects after its first result where the writer cannot report what it changes", async () => {
    const extra = await temporaryPath("extra.db");
    const other = openEngine(extra);
    other.exec("CREATE TABLE e (x)");
    const connected: unknown[] = [];
    const pool = await openPoolOf("CREATE TABLE t (x); INSERT INTO t VALUES (1)", {
      timeout: 200,
      // The writer is the first.
      onConnect: async (db) => {
        if (connected.push(db) === 1) await db.execute("ATTACH ? AS extra", [extra]);
      },
    });
    // Opens a reader.
    await pool.get("SELECT 1");
    // The rollback also drops the schemas that the writer knew, and one of them cannot be read for now.
    await rejection(
      pool.transaction(async (tx) => {
        await tx.run("CREATE TABLE undone (x)");
        throw new Error("undo");
      }),
    );
    other.exec("BEGIN EXCLUSIVE");
    const warned = once(process, "warning");
    const rows = pool.watch("SELECT x FROM t");
    // Its patience is over before the thread can say anything.
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    const first = rows.next();
    await Promise.resolve();
    vi.runAllTimers();
    vi.useRealTimers();
    expect(await first).toEqual({ done: false, value: [{ x: 1 }] });
    expect(await rejection(rows.next())).toMatchObject({ code: "SQLITE_BUSY", name: "OperationalError" });
    expect(await rows.next()).toEqual({ done: true, value: undefined });
    expect(await warned).toMatchObject([{ message: "there will be no change events: database is locked" }]);
    other.exec("COMMIT");
  });

  it("rejects what is no query, and wrong parameters, and what writes is not run", async () => {
    const pool = await openReporting("CREATE TABLE t (x)");
    for (const [sql, parameters, error] of [
      ["SELECT missing FROM t", [], { code: "SQLITE_ERROR", message: "no such column: missing" }],
      ["SELECT x FROM t WHERE x = ?", [], { name: "ProgrammingError" }],
      ["SELECT 1; SELECT 2", [], { name: "ProgrammingError" }],
      ["INSERT INTO t VALUES (1) RETURNING x", [], { name: "ProgrammingError" }],
      ["DELETE FROM t", [], { name: "ProgrammingError" }],
    ] as const) {
      const rows = pool.watch(sql, parameters);
      expect(await rejection(rows.next()), sql).toMatchObject(error);
      expect(await rows.next(), sql).toEqual({ done: true, value: undefined });
    }
    expect(() => pool.watch(5 as never)).toThrow(TypeError);
    expect(await pool.all("SELECT * FROM t")).toEqual([]);
  });

  it("keeps the bytes that it was given", async () => {
    const pool = await openReporting("CREATE TABLE t (x)");
    const bytes = Buffer.from([1, 2]);
    const view = new DataView(new ArrayBuffer(1));
    const memory = new ArrayBuffer(2);
    await using one = pool.watch("SELECT hex(?) AS a, hex(?) AS b, hex(?) AS c, count(*) AS n FROM t", [
      bytes,
      view,
      memory,
    ]);
    await using other = pool.watch("SELECT hex(:a) AS a, count(*) AS n FROM t", { a: bytes });
    for (const n of [0, 1]) {
      bytes.fill(9);
      view.setUint8(0, 9);
      new Uint8Array(memory).fill(9);
      expect((await one.next()).value).toEqual([{ a: "0102", b: "00", c: "0000", n }]);
      expect((await other.next()).value).toEqual([{ a: "0102", n }]);
      await pool.run("INSERT INTO t VALUES (1)");
    }
  });

  it("keeps the parameters that it was given", async () => {
    const pool = await openReporting("CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)");
    const list = [1];
    const named = { x: 1 };
    await using one = pool.watch("SELECT x FROM t WHERE x = ?", list);
    await using other = pool.watch("SELECT x FROM t WHERE x = :x", named);
    list[0] = named.x = 2;
    expect([(await one.next()).value, (await other.next()).value]).toEqual([[{ x: 1 }], [{ x: 1 }]]);
    await pool.run("INSERT INTO t VALUES (3)");
    expect([(await one.next()).value, (await other.next()).value]).toEqual([[{ x: 1 }], [{ x: 1 }]]);
  });

  it("gives its first result although the writer is busy, and sees later what that has done", async () => {
    const pool = await openPoolOf("CREATE TABLE t (x)");
    const held = await holds(pool);
    const written = pool.run("INSERT INTO t SELECT hold(?)", [held.name(0)]);
    await held.entered(0);
    await using rows = pool.watch("SELECT count(*) AS n FROM t");
    expect(await rows.next()).toEqual({ done: false, value: [{ n: 0 }] });
    await held.release(0);
    await written;
    let last = await rows.next();
    // Perhaps it was read once more before the commit, when the writer had not said yet that it reports.
    if (last.value?.[0]?.["n"] === 0) last = await rows.next();
    expect(last.value).toEqual([{ n: 1 }]);
  });

  it("refreshes when another process has committed", async () => {
    const pool = await openReporting("CREATE TABLE t (x)", { changePollInterval: 10 });
    const commit = fileURLToPath(new URL("../../fixtures/commit.mjs", import.meta.url));
    const found: unknown[] = [];
    for await (const rows of pool.watch("SELECT x FROM t ORDER BY x")) {
      found.push(rows.map(({ x }) => x));
      if (found.length === 3) break;
      await run(process.execPath, [commit, pool.path, `INSERT INTO t VALUES (${found.length})`]);
    }
    expect(found).toEqual([[], [1], [1, 2]]);
  });

  it("refreshes when another process has committed to an attached database, or changed its schema", async () => {
    const extra = await temporaryPath();
    openEngine(extra)
      .exec("PRAGMA journal_mode = WAL; CREATE TABLE note (x); CREATE TABLE other (x)")
      .close();
    const pool = await openReporting("CREATE TABLE t (x)", {
      changePollInterval: 10,
      onConnect: async (db) => {
        await db.execute("ATTACH ? AS extra", [extra]);
      },
    });
    await using rows = pool.watch("SELECT count(*) AS n FROM extra.note");
    expect((await rows.next()).value).toEqual([{ n: 0 }]);
    const elsewhere = openEngine(extra);
    const next = rows.next();
    elsewhere.exec("INSERT INTO note VALUES (1)");
    expect((await next).value).toEqual([{ n: 1 }]);
    const further = rows.next();
    elsewhere.exec("DROP TABLE note; CREATE VIEW note AS SELECT x FROM other");
    let [{ n: seen } = { n: -1 }] = (await further).value as { n: number }[];
    while (seen !== 0) [{ n: seen } = { n: -1 }] = (await rows.next()).value as { n: number }[];
    // The pool itself changes the table behind the new view.
    const last = rows.next();
    await pool.run("INSERT INTO extra.other VALUES (1)");
    expect((await last).value).toEqual([{ n: 1 }]);
  });

  it("refreshes when the schema of an attached database has changed", async () => {
    const extra = await temporaryPath();
    const pool = await openReporting("CREATE TABLE t (x)", {
      onConnect: async (db) => {
        await db.execute("ATTACH ? AS extra", [extra]);
      },
    });
    await pool.exec(`
      CREATE TABLE extra.a (x); CREATE TABLE extra.b (x); INSERT INTO extra.a VALUES (1);
      CREATE VIEW extra.v AS SELECT x FROM a`);
    await using rows = pool.watch("SELECT x FROM extra.v");
    expect((await rows.next()).value).toEqual([{ x: 1 }]);
    const next = rows.next();
    await pool.exec("DROP VIEW extra.v; CREATE VIEW extra.v AS SELECT x FROM b");
    expect((await next).value).toEqual([]);
    const last = rows.next();
    await pool.run("INSERT INTO extra.b VALUES (2)");
    expect((await last).value).toEqual([{ x: 2 }]);
  });

  it("finds what tables of modules show that no statement creates, and knows those that show their arguments", async () => {
    const pool = await openReporting("CREATE TABLE t (id INTEGER PRIMARY KEY, x); CREATE TABLE other (x)");
    for (const [query, write] of [
      ["SELECT sum(pgsize) FROM dbstat", "INSERT INTO t (x) VALUES (zeroblob(100000))"],
      ["SELECT page_count FROM pragma_page_count", "INSERT INTO t (x) VALUES (zeroblob(100000))"],
      ["SELECT user_version FROM pragma_user_version", "PRAGMA user_version = 5"],
      ["SELECT count(*) FROM pragma_table_info('t')", "ALTER TABLE t ADD COLUMN y"],
      ["SELECT freelist_count FROM pragma_freelist_count", "DELETE FROM t"],
      ["SELECT page_count FROM pragma_page_count", "VACUUM"],
    ] as const) {
      await using rows = pool.watch(query);
      const before = JSON.stringify((await rows.next()).value);
      if (/^(?:PRAGMA|VACUUM)/.test(write)) await pool.exec(write);
      else await pool.run(write);
      // Perhaps it is read once more before, when the writer has said late that it reports.
      while (JSON.stringify((await rows.next()).value) === before);
    }
    await using each = pool.watch("SELECT count(*) AS n FROM t, json_each('[1]')");
    expect((await each.next()).value).toEqual([{ n: 0 }]);
    const next = each.next();
    await pool.run("INSERT INTO other VALUES (1)");
    await quiet(pool);
    await pool.run("INSERT INTO t (x) VALUES (1)");
    expect((await next).value).toEqual([{ n: 1 }]);
  });

  it.each([
    ["readers", {}],
    ["a single connection", { readers: 0 }],
    ["equal connections", { readers: 0, writers: 2 }],
    ["a database in memory", {}, ":memory:"],
  ])("makes the pool report what it changes, also with %s", async (_title, options, database?: string) => {
    const pool = await openPoolOf("CREATE TABLE t (x)", options, database);
    await using rows = pool.watch("SELECT count(*) AS n FROM t");
    expect((await rows.next()).value).toEqual([{ n: 0 }]);
    await pool.run("INSERT INTO t VALUES (1)");
    let last = await rows.next();
    // Perhaps it was read once more before, when the writer had said late that it reports.
    if (last.value?.[0]?.["n"] === 0) last = await rows.next();
    expect(last.value).toEqual([{ n: 1 }]);
  });
});

describe.runIf(capabilities.changes)("1,000 random transactions", () => {
  const SCHEMA = `
    CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER);
    CREATE TABLE u (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t ON DELETE CASCADE);
    CREATE TABLE w (k INTEGER PRIMARY KEY, v) WITHOUT ROWID;
    CREATE TABLE log (what);
    CREATE TRIGGER noted AFTER DELETE ON u BEGIN INSERT INTO log VALUES (old.id); END;
    CREATE VIEW pairs AS SELECT t.id, t.x, count(u.id) AS n FROM t LEFT JOIN u ON u.t = t.id GROUP BY t.id;
    CREATE VIRTUAL TABLE f USING fts5 (body)`;
  const QUERIES = [
    "SELECT * FROM t ORDER BY id",
    "SELECT * FROM pairs ORDER BY id",
    "SELECT k, v FROM w ORDER BY k",
    "SELECT rowid, body FROM f WHERE f MATCH 'one OR two' ORDER BY rowid",
    "SELECT count(*) AS n, max(what) AS last FROM log",
    "SELECT (SELECT count(*) FROM w) + (SELECT count(*) FROM t) AS n",
  ];

  function statement(pick: (below: number) => number): string {
    const id = pick(30);
    const statements = [
      `INSERT OR REPLACE INTO t VALUES (${id}, ${pick(100)})`,
      `INSERT OR IGNORE INTO u VALUES (${pick(100)}, ${id})`,
      `UPDATE t SET x = x + 1 WHERE id % 3 = ${pick(3)}`,
      `DELETE FROM t WHERE id = ${id}`,
      `DELETE FROM u WHERE id % 5 = ${pick(5)}`,
      `INSERT OR REPLACE INTO w VALUES (${id}, ${pick(100)})`,
      `DELETE FROM w WHERE k < ${id}`,
      `UPDATE w SET v = ${pick(9)} WHERE k = ${id}`,
      `INSERT INTO f VALUES ('${["one", "two", "three"][pick(3)]} ${pick(50)}')`,
      `DELETE FROM f WHERE rowid = ${id}`,
      ...(pick(10) === 0 ? [`DELETE FROM ${["t", "u", "w", "f", "log"][pick(5)]}`] : []),
      ...(pick(10) === 0 ? ["INSERT INTO u VALUES (1, 999)"] : []),
    ];
    return statements[pick(statements.length)]!;
  }

  const undo = new Error("undo");

  /** Some statements, some in savepoints that are rolled back; gives whether the transaction was. */
  async function transaction(pool: Pool, pick: (below: number) => number): Promise<boolean> {
    const some = async (tx: PoolTransaction, depth: number): Promise<void> => {
      for (let left = 1 + pick(3); left > 0; left--) {
        if (depth < 2 && pick(4) === 0) {
          await tx
            .transaction(async (inner) => {
              await some(inner, depth + 1);
              if (pick(2) === 0) throw undo;
            })
            .catch(() => {});
        } else await tx.run(statement(pick)).catch(() => {});
      }
    };
    const rolledBack = pick(3) === 0;
    const work = pool.transaction(async (tx) => {
      await some(tx, 0);
      if (rolledBack) throw undo;
    });
    if (rolledBack) expect(await rejection(work)).toBe(undo);
    else await work;
    return rolledBack;
  }

  it("leave the last rows equal to a fresh query's, and give no result for what was rolled back", async () => {
    const pool = await openReporting(SCHEMA, { pragmas: { synchronous: "OFF" } });
    const pick = random(5);
    const changes: Change[] = [];
    pool.on("change", (told) => changes.push(told));
    const latest = new Map<string, string>();
    const results = new Map<string, number>();
    const controller = new AbortController();
    const loops = QUERIES.map(async (sql) => {
      for await (const rows of pool.watch(sql, [], { signal: controller.signal })) {
        latest.set(sql, JSON.stringify(rows));
        results.set(sql, (results.get(sql) ?? 0) + 1);
      }
    });
    let undone = 0;
    for (let i = 1; i <= 1000; i++) {
      const before = changes.length;
      if (pick(5) === 0) {
        // Several callers, each with a statement of his own; those that fail have nothing to tell.
        await Promise.allSettled(Array.from({ length: 1 + pick(4) }, () => pool.run(statement(pick))));
      } else if (await transaction(pool, pick)) {
        undone++;
        expect(changes.length, `transaction ${i} was rolled back`).toBe(before);
      }
      if (i % 50 !== 0) continue;
      await quiet(pool);
      const fresh = new Map<string, string>();
      for (const sql of QUERIES) fresh.set(sql, JSON.stringify(await pool.all(sql)));
      expect(latest, `after ${i}`).toEqual(fresh);
    }
    expect(undone).toBeGreaterThan(150);
    // Quiet, as the database is.
    const settled = new Map(results);
    for (let i = 0; i < 50; i++) {
      await rejection(
        pool.transaction(async (tx) => {
          await tx.run(statement(pick)).catch(() => {});
          throw undo;
        }),
      );
    }
    await quiet(pool);
    expect(results).toEqual(settled);
    controller.abort(undo);
    for (const loop of loops) expect(await rejection(loop)).toBe(undo);
    expect(openEngine(pool.path).pragma("integrity_check", { simple: true })).toBe("ok");
  });
});

describe.runIf(!capabilities.changes)("without the native companion watch()", () => {
  it("rejects with an error that names the package", async () => {
    const pool = await openPoolOf("CREATE TABLE t (x)");
    const error = await rejection(async () => {
      for await (const rows of pool.watch("SELECT x FROM t")) expect(rows).toBe("never");
    });
    expect(error).toMatchObject({ name: "NotSupportedError" });
    expect((error as Error).message).toContain("@sqlite-aio/native");
  });
});
