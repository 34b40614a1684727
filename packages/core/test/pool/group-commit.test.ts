import { OperationalError, type Pool, type PoolOptions } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { openEngine, rejection, temporaryPath } from "../support/database.ts";
import { lockMet, tellsOfLocks } from "../support/lock-met.ts";
import { holds, openPool, outcomes } from "../support/pool-support.ts";

/** The results of a pool and of the engine itself for the same statements, in a comparable form. */
type Answer =
  | { changes: number; lastInsertRowid: number }
  | { rows: unknown }
  | { code: string; message: string };

interface Statement {
  readonly sql: string;
  readonly parameters: unknown[];
  readonly returns: boolean;
}

const TABLES = ["t", "parent", "child", "log"];

/** Every rule that a statement can break, at its end or in the middle of its rows. */
const SCHEMA = `
  CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a INTEGER UNIQUE, b INTEGER CHECK (b <> 13), c TEXT NOT NULL);
  CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
  CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent ON DELETE CASCADE, x);
  CREATE TABLE log (id INTEGER PRIMARY KEY, what);
  CREATE TRIGGER raise_abort BEFORE INSERT ON t WHEN new.b = 1 BEGIN SELECT RAISE(ABORT, 'abort'); END;
  CREATE TRIGGER raise_fail BEFORE INSERT ON t WHEN new.b = 2 BEGIN SELECT RAISE(FAIL, 'fail'); END;
  CREATE TRIGGER raise_ignore BEFORE INSERT ON t WHEN new.b = 3 BEGIN SELECT RAISE(IGNORE); END;
  CREATE TRIGGER noted AFTER INSERT ON t BEGIN INSERT INTO log (what) VALUES (new.a); END;
`;

const VARIANTS: Readonly<Record<string, string>> = {
  "a schema whose every rule is a statement's own": "",
  "triggers that roll back": `
    CREATE TRIGGER raise_rollback BEFORE UPDATE ON t WHEN new.b = 4 BEGIN SELECT RAISE(ROLLBACK, 'rollback'); END;`,
  "constraints that roll back":
    "CREATE TABLE strict (a UNIQUE ON CONFLICT ROLLBACK, b NOT NULL ON CONFLICT ROLLBACK);",
  "deferred foreign keys":
    "CREATE TABLE late (id INTEGER PRIMARY KEY, parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED);",
  "triggers that look at what ran before": `
    CREATE TRIGGER counted AFTER DELETE ON t BEGIN INSERT INTO log (what) VALUES (changes() || '/' || last_insert_rowid()); END;`,
};

/** Numbers that are the same each time. */
function randomness(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}

const CONFLICT = ["", "OR ABORT", "OR FAIL", "OR IGNORE", "OR REPLACE", "OR ROLLBACK"];

function randomStatement(random: (below: number) => number, variant: string): Statement {
  const small = (): number => random(12);
  const or = CONFLICT[random(CONFLICT.length)]!;
  const text = random(10) === 0 ? null : `c${small()}`;
  const make = (sql: string, ...parameters: unknown[]): Statement => ({
    sql,
    parameters,
    returns: /returning/i.test(sql),
  });
  const choices: (() => Statement)[] = [
    () => make(`INSERT ${or} INTO t (a, b, c) VALUES (?, ?, ?)`, small(), random(16), text),
    () => make(`INSERT ${or} INTO t (a, b, c) VALUES (?, ?, ?)`, random(1000), 5, "c"),
    () => {
      const a = random(100);
      const row = "(?, ?, ?)";
      const sql = `INSERT ${or} INTO t (a, b, c) VALUES ${row}, ${row}, ${row}`;
      return make(sql, a, 5, "x", small(), random(16), text, a + 1, 5, "y");
    },
    () => make(`INSERT ${or} INTO t (a, b, c) VALUES (?, ?, ?) RETURNING id, a`, small(), random(16), text),
    () => make(`UPDATE ${or} t SET a = a + ?, b = ? WHERE a > ?`, random(3), random(16), small()),
    () => make("UPDATE t SET c = c || ? WHERE a = ? RETURNING id, c", "!", small()),
    () => make("DELETE FROM t WHERE a = ?", small()),
    () => make("DELETE FROM t WHERE a > ? RETURNING a", 100 + random(900)),
    () => make("WITH n(v) AS (VALUES (?), (?)) INSERT INTO log (what) SELECT v FROM n", small(), small()),
    () => make(`INSERT ${or} INTO parent VALUES (?, ?)`, small(), text),
    () => make(`REPLACE INTO parent VALUES (?, ?)`, small(), text),
    () => make("INSERT INTO child (parent, x) VALUES (?, ?)", small(), small()),
    () => make("INSERT INTO child (parent, x) SELECT id, ? FROM parent WHERE id > ?", small(), small()),
    () => make("UPDATE child SET parent = ? WHERE x = ?", small(), small()),
    () => make("DELETE FROM parent WHERE id = ?", small()),
    () => make("INSERT INTO log (what) VALUES (changes())"),
    () => make("INSERT INTO log (what) VALUES (last_insert_rowid())"),
    () => make("INSERT INTO log (what) VALUES (total_changes() >= 0)"),
    () => make("INSERT INTO log (what) VALUES (abs(?))", random(20) === 0 ? -(2n ** 63n) : 1),
    () => make("UPDATE nowhere SET a = 1"),
  ];
  if (variant.includes("strict")) {
    choices.push(() => make("INSERT INTO strict VALUES (?, ?)", random(6), random(5) === 0 ? null : 1));
  }
  if (variant.includes("late")) {
    choices.push(
      () => make("INSERT INTO late (parent) VALUES (?)", small()),
      () => make("UPDATE late SET parent = ? WHERE id = ?", small(), small()),
    );
  }
  return choices[random(choices.length)]!();
}

function failure(error: unknown): Answer {
  const { code, message } = error as { code: string; message: string };
  return { code, message };
}

async function ask(pool: Pool, { sql, parameters, returns }: Statement): Promise<Answer> {
  try {
    if (returns) return { rows: await pool.all(sql, parameters as never) };
    const { changes, lastInsertRowid } = await pool.run(sql, parameters as never);
    return { changes, lastInsertRowid: Number(lastInsertRowid) };
  } catch (error) {
    return failure(error);
  }
}

type Engine = ReturnType<typeof openEngine>;

function tell(engine: Engine, { sql, parameters, returns }: Statement): Answer {
  // The pool binds integers as INTEGER.
  const bound = parameters.map((value) => (typeof value === "number" ? BigInt(value) : value));
  try {
    const statement = engine.prepare(sql);
    if (returns) return { rows: statement.all(...bound) };
    const { changes, lastInsertRowid } = statement.run(...bound);
    return { changes, lastInsertRowid: Number(lastInsertRowid) };
  } catch (error) {
    return failure(error);
  }
}

function contents(engine: Engine, tables: readonly string[]): unknown {
  return Object.fromEntries(
    [...tables, "sqlite_sequence"].map((table) => [
      table,
      engine.prepare(`SELECT * FROM ${table} ORDER BY rowid`).raw().all(),
    ]),
  );
}

describe("a batch gives the same answers, and the same tables, as its statements one by one", () => {
  for (const [title, extra] of Object.entries(VARIANTS)) {
    it.each([true, false])(`with ${title}, groupCommit %s`, async (groupCommit) => {
      const path = await temporaryPath();
      const pool = await openPool(
        { readers: 0, writers: 1, groupCommit, pragmas: { synchronous: "OFF" } },
        path,
      );
      const model = openEngine();
      model.pragma("foreign_keys = ON");
      await pool.exec(SCHEMA + extra);
      model.exec(SCHEMA + extra);
      const tables = [...TABLES, ...["strict", "late"].filter((name) => extra.includes(name))];
      const file = openEngine(path);
      const random = randomness(groupCommit ? 7 : 8);
      for (let batch = 0; batch < (groupCommit ? 40 : 8); batch++) {
        const statements = Array.from({ length: 1 + random(60) }, () => randomStatement(random, extra));
        const answers = await Promise.all(statements.map((statement) => ask(pool, statement)));
        const expected = statements.map((statement) => tell(model, statement));
        for (const [i, answer] of answers.entries()) {
          expect(answer, `batch ${batch}, ${i}: ${statements[i]!.sql}`).toEqual(expected[i]);
        }
        expect(contents(file, tables)).toEqual(contents(model, tables));
      }
      expect(pool.stats().respawned).toBe(0);
    });
  }
});

/** Bytes that n inserts of one tick add to the log. */
async function logged(n: number, options: PoolOptions, extra = ""): Promise<number> {
  const pool = await openPool({ readers: 1, ...options });
  await pool.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, a); ${extra}`);
  await pool.run("INSERT INTO t (a) VALUES (0)");
  const before = pool.stats().walBytes;
  await Promise.all(Array.from({ length: n }, (_, i) => pool.run("INSERT INTO t (a) VALUES (?)", [i])));
  expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: n + 1 });
  return pool.stats().walBytes - before;
}

describe("writes that wait together", () => {
  it("share a commit, unless told otherwise or told apart", async () => {
    // Each commit writes at least one page of 4096 bytes.
    expect(await logged(200, {})).toBeLessThan(20 * 4096);
    expect(await logged(200, { groupCommit: false })).toBeGreaterThanOrEqual(200 * 4096);
    const deferred = "CREATE TABLE u (t REFERENCES t DEFERRABLE INITIALLY DEFERRED)";
    expect(await logged(200, {}, deferred)).toBeGreaterThanOrEqual(200 * 4096);
  });

  it("are told their own counts, rowids and rows", async () => {
    const pool = await openPool();
    await pool.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    const runs = Array.from({ length: 50 }, (_, i) => pool.run("INSERT INTO t (a) VALUES (?), (?)", [i, i]));
    const updates = Array.from({ length: 10 }, (_, i) => pool.run("UPDATE t SET a = -a WHERE a = ?", [i]));
    expect(await Promise.all(runs)).toEqual(runs.map((_, i) => ({ changes: 2, lastInsertRowid: 2 * i + 2 })));
    expect(await Promise.all(updates)).toEqual(updates.map(() => ({ changes: 2, lastInsertRowid: 100 })));
    await pool.get("DELETE FROM t WHERE id = ? RETURNING a", [1]);
    const deleted = Array.from({ length: 50 }, (_, i) =>
      pool.get("DELETE FROM t WHERE id = ? RETURNING id, a", [i + 1]),
    );
    expect(await Promise.all(deleted)).toEqual(
      deleted.map((_, i) => (i === 0 ? undefined : { id: i + 1, a: i >> 1 < 10 ? 0 - (i >> 1) : i >> 1 })),
    );
  });

  it("give rows of any number and size", async () => {
    const pool = await openPool({ readers: 0 });
    await pool.exec("CREATE TABLE t (a, b)");
    const text = "x".repeat(1000);
    const many =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO t SELECT i, ? FROM n RETURNING a, b";
    const calls = [3, 5000, 0, 1, 3000].map((n) => pool.all(many, [n, text]));
    const results = await Promise.all(calls);
    expect(results.map((rows) => rows.length)).toEqual([3, 5000, 1, 1, 3000]);
    expect(results[1]![4999]).toEqual({ a: 5000, b: text });
  });

  it("are failed by a function of their own, and by nobody else's", async () => {
    const pool = await openPool();
    await pool.exec("CREATE TABLE t (a)");
    const thrown = new RangeError("not this one");
    let asked = 0;
    await pool.createFunction("check_it", 1, (x: number) => {
      asked++;
      if (x % 10 === 3) throw thrown;
      return x;
    });
    const results = await outcomes(
      Array.from({ length: 40 }, (_, i) => pool.run("INSERT INTO t VALUES (check_it(?))", [i])),
    );
    for (const [i, result] of results.entries()) {
      if (i % 10 !== 3)
        expect(result).toEqual({ changes: 1, lastInsertRowid: i + 1 - Math.ceil((i - 3) / 10) });
      else {
        expect(result).toBeInstanceOf(OperationalError);
        expect((result as Error).cause).toBe(thrown);
      }
    }
    expect(asked).toBe(40);
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 36 });
  });

  it("keep the effects of a failing statement as it keeps them alone: FAIL the rows before, ABORT none", async () => {
    const pool = await openPool();
    await pool.exec("CREATE TABLE t (a UNIQUE)");
    await pool.run("INSERT INTO t VALUES (100)");
    const results = await outcomes([
      pool.run("INSERT OR FAIL INTO t VALUES (1), (2), (100), (3)"),
      pool.run("INSERT OR ABORT INTO t VALUES (4), (5), (100), (6)"),
      pool.run("INSERT OR IGNORE INTO t VALUES (7), (100), (8)"),
      pool.run("INSERT OR ROLLBACK INTO t VALUES (9), (100)"),
      pool.run("INSERT INTO t VALUES (10)"),
    ]);
    const unique = { code: "SQLITE_CONSTRAINT_UNIQUE" };
    expect(results).toMatchObject([unique, unique, { changes: 2 }, unique, { changes: 1 }]);
    expect((await pool.all("SELECT a FROM t ORDER BY a")).map(({ a }) => a)).toEqual([1, 2, 7, 8, 10, 100]);
  });

  it("fill the disk alone: what does not fit fails, what fits stays", async () => {
    const pool = await openPool({ readers: 0, pragmas: { max_page_count: 60 } });
    await pool.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    await pool.run("INSERT INTO t (a) VALUES (zeroblob(?))", [1]);
    const sizes = [10, 10, 400_000, 10, 100_000, 400_000, 10];
    const results = await outcomes(
      sizes.map((size) => pool.run("INSERT INTO t (a) VALUES (zeroblob(?))", [size])),
    );
    const full = { code: "SQLITE_FULL" };
    const done = { changes: 1 };
    expect(results).toMatchObject([done, done, full, done, done, full, done]);
    expect((await pool.all("SELECT length(a) AS n FROM t")).map(({ n }) => n)).toEqual([
      1, 10, 10, 10, 100_000, 10,
    ]);
  });
});

describe("a commit that another process holds up", () => {
  const options = { readers: 0, writers: 1, pragmas: { journal_mode: "delete" } } as const;

  it("goes on when that is over, and has done everything once", async () => {
    const path = await temporaryPath();
    const pool = await openPool({ ...options, timeout: 20_000 }, path);
    await pool.exec("CREATE TABLE t (a UNIQUE)");
    const other = openEngine(path);
    other.exec("BEGIN; SELECT * FROM t");
    other.prepare("SELECT count(*) FROM t").all();
    let writes: Promise<unknown[]> | undefined;
    const began = new Promise<void>((resolve) => {
      void pool
        .createFunction("began", 0, () => (resolve(), 1))
        .then(() => {
          writes = outcomes([
            ...Array.from({ length: 20 }, (_, i) => pool.run("INSERT INTO t VALUES (?)", [i])),
            pool.run("INSERT INTO t VALUES (5)"),
            pool.run("INSERT INTO t VALUES (20 * began())"),
          ]);
        });
    });
    await began;
    other.exec("COMMIT");
    const results = await writes!;
    expect(results.slice(0, 20)).toEqual(
      Array.from({ length: 20 }, (_, i) => ({ changes: 1, lastInsertRowid: i + 1 })),
    );
    expect(results[20]).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE" });
    expect(results[21]).toMatchObject({ changes: 1 });
    expect(await pool.get("SELECT count(*) AS n, sum(a) AS s FROM t")).toEqual({ n: 21, s: 210 });
  });

  it("is undone when its time is over; then each is run by itself and says how it fared", async () => {
    const path = await temporaryPath();
    const pool = await openPool({ ...options, timeout: 40 }, path);
    await pool.exec("CREATE TABLE t (a)");
    const other = openEngine(path);
    other.exec("BEGIN");
    other.prepare("SELECT count(*) FROM t").all();
    const results = await outcomes([
      ...Array.from({ length: 4 }, (_, i) => pool.run("INSERT INTO t VALUES (?)", [i])),
      ...Array.from({ length: 4 }, (_, i) => pool.all("INSERT INTO t VALUES (?) RETURNING a", [i])),
    ]);
    expect(results).toMatchObject(results.map(() => ({ code: "SQLITE_BUSY" })));
    other.exec("COMMIT");
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 0 });
    expect(await pool.run("INSERT INTO t VALUES (1)")).toEqual({ changes: 1, lastInsertRowid: 1 });
  });

  it("and a file that is locked altogether is waited for by each call, not taken for a crash", async () => {
    const path = await temporaryPath();
    const pool = await openPool({ ...options, timeout: 20_000, setup: tellsOfLocks }, path);
    await pool.exec("CREATE TABLE t (a)");
    await pool.run("INSERT INTO t VALUES (0)");
    const other = openEngine(path);
    // The pool must read the schema again, and cannot.
    other.exec("CREATE TABLE u (a); BEGIN EXCLUSIVE; INSERT INTO t VALUES (1)");
    const writes = Array.from({ length: 10 }, (_, i) => pool.run("INSERT INTO t VALUES (?)", [10 + i]));
    await lockMet(path, 2);
    other.exec("COMMIT");
    expect((await Promise.all(writes)).map(({ changes }) => changes)).toEqual(writes.map(() => 1));
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 12 });
    expect(pool.stats().respawned).toBe(0);
  });
});

describe("a call of a group that is given up", () => {
  it("before its turn never runs, and the others are answered", async () => {
    const pool = await openPool({ readers: 1 });
    await pool.exec("CREATE TABLE t (a)");
    const held = await holds(pool);
    const first = pool.run("INSERT INTO t SELECT hold(?)", [held.name(0)]);
    await held.entered(0);
    const controllers = Array.from({ length: 60 }, () => new AbortController());
    const calls = outcomes(
      controllers.map(({ signal }, i) => pool.run("INSERT INTO t VALUES (?)", [100 + i], { signal })),
    );
    // Now they are with the thread.
    await pool.get("SELECT 1");
    const reason = new Error("no longer wanted");
    for (const [i, controller] of controllers.entries()) if (i % 3 === 0) controller.abort(reason);
    await held.release(0);
    await first;
    const results = await calls;
    for (const [i, result] of results.entries()) {
      if (i % 3 === 0) expect(result).toBe(reason);
      else expect(result).toMatchObject({ changes: 1 });
    }
    const rows = await pool.all<{ a: number }>("SELECT a FROM t WHERE a >= 100 ORDER BY a");
    expect(rows.map(({ a }) => a - 100)).toEqual(results.flatMap((_, i) => (i % 3 === 0 ? [] : [i])));
  });

  it("in the middle of the group takes nothing of the others' with it, and what it is told is true", async () => {
    const pool = await openPool({ readers: 1 });
    await pool.exec("CREATE TABLE t (a)");
    await pool.run("INSERT INTO t VALUES (?)", [0]);
    const held = await holds(pool);
    for (const victim of [4, 10, 17]) {
      await pool.run("DELETE FROM t");
      const controllers = Array.from({ length: 20 }, () => new AbortController());
      const calls = outcomes(
        controllers.map(({ signal }, i) =>
          i === 10
            ? pool.run("INSERT INTO t SELECT ? * hold(?)", [i, held.name(victim)], { signal })
            : pool.run("INSERT INTO t VALUES (?)", [i], { signal }),
        ),
      );
      await held.entered(victim);
      const reason = new Error("no longer wanted");
      controllers[victim]!.abort(reason);
      await held.release(victim);
      const results = await calls;
      const rows = await pool.all<{ a: number }>("SELECT a FROM t ORDER BY a");
      expect(rows.length).toBeGreaterThanOrEqual(19);
      for (const [i, result] of results.entries()) {
        const stored = rows.some(({ a }) => a === i);
        if (i !== victim)
          expect({ i, result, stored }).toMatchObject({ result: { changes: 1 }, stored: true });
        else if (result !== reason)
          expect({ i, result, stored }).toMatchObject({ result: { changes: 1 }, stored: true });
        // It had not begun: then it never does.
        else if (victim === 17) expect(stored).toBe(false);
      }
    }
  });

  it("by interrupting a row of another does not end that one's rows", async () => {
    const pool = await openPool({ readers: 0, writers: 1 });
    await pool.exec("CREATE TABLE t (a)");
    const many =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t SELECT i FROM n RETURNING a";
    for (let i = 0; i < 5; i++) {
      const controller = new AbortController();
      const [first, second, third] = [
        pool.run("INSERT INTO t VALUES (?)", [0], { signal: controller.signal }),
        pool.all(many),
        pool.all(many),
      ];
      // Before the group, in its midst, or after it: what moment it is must make no difference.
      setTimeout(() => controller.abort(), i * 5);
      expect((await outcomes([first])).length).toBe(1);
      expect((await second).length).toBe(20_000);
      expect((await third).length).toBe(20_000);
    }
  });
});

it("a wrong groupCommit is a TypeError", async () => {
  expect(await rejection(openPool({ groupCommit: 1 as never }))).toBeInstanceOf(TypeError);
});
