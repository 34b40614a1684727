import {
  type AggregateClass,
  capabilities,
  type Connection,
  createPool,
  OperationalError,
  type Pool,
} from "@sqlite-aio/core";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { until } from "../support/pool-support.ts";
import { python } from "../support/python.ts";

const aggregates = new URL("../fixtures/aggregates.mjs", import.meta.url);

class Sum {
  protected sum = 0;

  step(value: number): void {
    this.sum += value;
  }

  finalize(): number {
    return this.sum;
  }
}

class WindowSum extends Sum {
  inverse(value: number): void {
    this.sum -= value;
  }

  value(): number {
    return this.sum;
  }
}

/** A class whose methods are these, which cannot be written down as one where one is missing. */
function classOf(methods: Record<string, (...values: never[]) => unknown>): AggregateClass {
  function Made(): void {}
  Object.assign(Made.prototype as object, methods);
  return Made as never;
}

let db: Connection;

beforeEach(async () => {
  db = await open();
  await db.executescript(`CREATE TABLE t (g, x);
    INSERT INTO t VALUES ('a', 1), ('a', 2), ('b', 10), ('b', 20), ('b', 30), ('c', NULL)`);
});

describe("an aggregate", () => {
  it("has an instance for each group, in the thread or out of it, and gives NULL where there is no row", async () => {
    await db.createAggregate("of_closure", 1, Sum);
    await db.createAggregate("of_module", 1, aggregates);
    for (const name of ["of_closure", "of_module"]) {
      expect(await db.executeFetchall(`SELECT g, ${name}(x) FROM t WHERE x > 0 GROUP BY g`)).toEqual([
        ["a", 3],
        ["b", 60],
      ]);
      expect(await db.executeFetchall(`SELECT ${name}(x) FROM t WHERE 0`)).toEqual([[null]]);
      expect(await db.executeFetchall(`SELECT ${name}(x) FILTER (WHERE g = 'a'), ${name}(x) FROM t`)).toEqual(
        [[3, 63]],
      );
    }
  });

  it("takes and gives every kind of value, any number of them", async () => {
    const rows: unknown[][] = [];
    await db.createAggregate(
      "collect",
      -1,
      class {
        step(...values: unknown[]): void {
          rows.push(values);
        }

        finalize(): Uint8Array {
          return Buffer.from([1, 2]);
        }
      },
    );
    const [[given]] = (await db.executeFetchall(
      "SELECT collect(1, 2.5, 'text', x'ff00', NULL, 9007199254740993) FROM (SELECT 1)",
    )) as [[Buffer]];
    expect(given).toEqual(Buffer.from([1, 2]));
    expect(rows).toEqual([[1, 2.5, "text", Buffer.from([255, 0]), null, 9007199254740993n]]);
    const give = async (value: unknown): Promise<unknown> => {
      await db.createAggregate("give", 0, classOf({ step: () => {}, finalize: () => value }));
      return (await db.get<unknown[]>("SELECT give() FROM (SELECT 1)"))?.[0];
    };
    for (const [value, read] of [
      [true, 1],
      [undefined, null],
      [2n ** 62n, 2n ** 62n],
      [-0.5, -0.5],
      ["nul\0nul", "nul\0nul"],
      [new Uint8Array(0), Buffer.alloc(0)],
    ])
      expect(await give(value)).toEqual(read);
    expect((await db.get<string[]>("SELECT typeof(give()) FROM (SELECT 1)"))?.[0]).toBe("blob");
    await give(3);
    expect((await db.get<string[]>("SELECT typeof(give()) FROM (SELECT 1)"))?.[0]).toBe("integer");
  });

  it("fails as CPython's does, in each of its methods", async () => {
    const theirs = python(`
def raising(*names):
  def fail(self, *a): raise ZeroDivisionError()
  members = {"step": lambda self, *a: None, "finalize": lambda self: 1}
  members.update({n: fail for n in names})
  return type("A", (), members)
def without(name):
  return type("A", (), {k: v for k, v in {"step": lambda self, *a: None, "finalize": lambda self: 1}.items() if k != name})
out = {}
for name, cls in {"step": raising("step"), "finalize": raising("finalize"), "both": raising("step", "finalize"),
                  "no step": without("step"), "no finalize": without("finalize")}.items():
  db = sqlite3.connect(":memory:"); db.create_aggregate("f", 1, cls)
  try: db.execute("select f(1)").fetchall(); out[name] = None
  except sqlite3.Error as e: out[name] = [type(e).__name__, str(e)]
print(json.dumps(out))`);
    const fail = (): never => {
      throw new RangeError("by itself");
    };
    const well = { step: () => {}, finalize: () => 1 };
    const { step, finalize } = well;
    const classes = {
      step: { ...well, step: fail },
      finalize: { ...well, finalize: fail },
      both: { step: fail, finalize: fail },
      "no step": { finalize },
      "no finalize": { step },
    };
    const ours: Record<string, unknown> = {};
    for (const [name, methods] of Object.entries(classes)) {
      await db.createAggregate("f", 1, classOf(methods));
      const error = (await rejection(db.execute("SELECT f(1)"))) as OperationalError;
      ours[name] = [error.name, error.message];
      if (!name.startsWith("no")) expect(error.cause, name).toMatchObject({ message: "by itself" });
    }
    expect(ours).toEqual(theirs);
    expect(ours["step"]).toEqual(["OperationalError", "user-defined aggregate's 'step' method raised error"]);
  });

  it("that cannot be made, or is asynchronous, or gives what does not bind, fails the statement and nothing more", async () => {
    await db.createAggregate(
      "f",
      1,
      class {
        constructor() {
          throw new Error("in the constructor");
        }

        step(): void {}

        finalize(): void {}
      },
    );
    expect(await rejection(db.execute("SELECT f(1)"))).toMatchObject({
      message: "user-defined aggregate's 'constructor' method raised error",
      cause: { message: "in the constructor" },
    });
    const asynchronous: Record<string, Record<string, () => unknown>> = {
      step: { step: async () => {}, finalize: () => 1 },
      finalize: { step: () => {}, finalize: () => Promise.reject(new Error("nobody hears this")) },
    };
    for (const [method, methods] of Object.entries(asynchronous)) {
      await db.createAggregate("f", 1, classOf(methods));
      expect(await rejection(db.execute("SELECT f(1)"))).toMatchObject({
        message: `user-defined aggregate's '${method}' method raised error`,
        cause: { message: "a SQL function must return a value, not a promise" },
      });
    }
    await db.createAggregate("f", 1, classOf({ step: () => {}, finalize: () => ({}) }));
    expect(await rejection(db.execute("SELECT f(1)"))).toMatchObject({
      message: "user-defined aggregate's 'finalize' method raised error",
    });
    for (const name of ["Fails", "Later"]) {
      await db.createAggregate("f", 1, aggregates, { export: name });
      const error = await rejection(db.execute("SELECT f(1)"));
      expect(error).toBeInstanceOf(OperationalError);
      expect(error).toMatchObject({
        message: `user-defined aggregate's '${name === "Fails" ? "finalize" : "step"}' method raised error`,
      });
    }
    expect(await rejection(db.createAggregate("f", 1, aggregates, { export: "notClass" }))).toMatchObject({
      message: expect.stringContaining('has no function "notClass"'),
    });
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("gets the rows of a group together, a thousand at a time", async () => {
    let messages = 0;
    let inMessage = false;
    await db.createAggregate(
      "count_rows",
      1,
      class {
        #rows = 0;

        step(): void {
          this.#rows++;
          if (inMessage) return;
          inMessage = true;
          messages++;
          queueMicrotask(() => (inMessage = false));
        }

        finalize(): number {
          return this.#rows;
        }
      },
    );
    const numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10000) SELECT";
    expect(await db.executeFetchall(`${numbers} count_rows(i) FROM n`)).toEqual([[10_000]]);
    expect(messages).toBe(10);
    messages = 0;
    const few = numbers.replace("10000", "30");
    expect(await db.executeFetchall(`${few} count_rows(zeroblob(100000)) FROM n`)).toEqual([[30]]);
    // Three of them make up 256 KB.
    expect(messages).toBe(10);
  });

  it("goes on with the next statement after one that was interrupted in the midst of a group", async () => {
    const ended: number[] = [];
    const controller = new AbortController();
    await db.createAggregate(
      "f",
      1,
      class {
        #rows = 0;

        step(): void {
          this.#rows++;
          if (this.#rows === 3000) controller.abort(new Error("enough"));
        }

        finalize(): number {
          ended.push(this.#rows);
          return this.#rows;
        }
      },
    );
    const endless =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT f(i) FROM n";
    const error = rejection(db.executeFetchall(endless, [], { signal: controller.signal }));
    expect(await error).toMatchObject({ message: "enough" });
    expect(await db.executeFetchall("SELECT f(x) FROM t")).toEqual([[6]]);
    expect(ended.at(-1)).toBe(6);
  });

  it("is replaced, and taken away by null, as a function is", async () => {
    await db.createAggregate("f", 1, Sum);
    await db.createAggregate("F", 1, classOf({ step: () => {}, finalize: () => "other" }));
    expect(await db.get("SELECT f(x) FROM t")).toEqual(["other"]);
    await db.createFunction("f", 1, () => "a function");
    expect(await db.get("SELECT f(1)")).toEqual(["a function"]);
    await db.createAggregate("f", 1, null);
    expect(await rejection(db.execute("SELECT f(1)"))).toMatchObject({
      name: "OperationalError",
      message: "no such function: f",
    });
    await db.createFunction("f", 1, null);
    await db.createFunction("g", 2, () => 1);
    await db.createFunction("g", 2, null);
    expect(await rejection(db.execute("SELECT g(1, 2)"))).toMatchObject({ message: "no such function: g" });
    await db.createFunction("g", 2, () => 3);
    expect(await db.get("SELECT g(1, 2)")).toEqual([3]);
  });

  it("are not taken away by null where nobody has defined them", async () => {
    await db.createFunction("UPPER", 1, null);
    await db.createAggregate("sum", 1, null);
    await db.createFunction("never", 0, null);
    expect(await db.get("SELECT upper('a'), sum(x) FROM t")).toEqual(["A", 63]);
  });

  it("leave the table readable whose index they are part of when they are taken away", async () => {
    const trusting = await open(":memory:", { pragmas: { trusted_schema: true } });
    await trusting.createFunction("f", 1, (x: number) => x, { deterministic: true });
    await trusting.executescript("CREATE TABLE u (x); CREATE INDEX i ON u (f(x)); INSERT INTO u VALUES (1)");
    await trusting.createFunction("f", 1, null);
    expect(await trusting.get("SELECT x FROM u NOT INDEXED")).toEqual([1]);
    expect((await rejection(trusting.execute("INSERT INTO u VALUES (2)"))) as Error).toMatchObject({
      name: "OperationalError",
      message: expect.stringMatching(/(no such|unknown) function: f/) as string,
    });
  });

  it("must make sense", async () => {
    for (const args of [
      ["", 1, Sum],
      ["f", 1, "Sum"],
      ["f", 1, undefined],
      ["f", "1", Sum],
      ["f", 1, Sum, null],
      ["f", 1, Sum, { deterministic: 1 }],
    ])
      expect(await rejection(() => db.createAggregate(...(args as [string, number, null])))).toBeInstanceOf(
        TypeError,
      );
    expect(await rejection(db.createAggregate("f", 101, Sum))).toBeInstanceOf(RangeError);
    await db.close();
    expect(await rejection(db.createAggregate("f", 1, Sum))).toMatchObject({ name: "ConnectionClosedError" });
  });
});

describe("a window function", () => {
  const query = (name: string): string => `SELECT x, ${name}(x) OVER (
    ORDER BY x ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM t WHERE x > 0 ORDER BY x`;

  it("gives what CPython's gives, in the thread or out of it, and works as an aggregate", async () => {
    const theirs = python(`
class W:
  def __init__(self): self.n = 0
  def step(self, x): self.n += x
  def inverse(self, x): self.n -= x
  def value(self): return self.n
  def finalize(self): return self.n
db = sqlite3.connect(":memory:"); db.create_window_function("f", 1, W)
db.executescript("create table t (g, x); insert into t values ('a', 1), ('a', 2), ('b', 10), ('b', 20), ('b', 30), ('c', null)")
print(json.dumps([db.execute("""${query("f")}""").fetchall(),
  db.execute("select g, f(x) over (partition by g) from t where x > 0").fetchall(),
  db.execute("select f(x) from t where x > 0").fetchall()]))`);
    await db.createWindowFunction("of_closure", 1, WindowSum);
    await db.createWindowFunction("of_module", 1, aggregates);
    for (const name of ["of_closure", "of_module"])
      expect([
        await db.executeFetchall(query(name)),
        await db.executeFetchall(`SELECT g, ${name}(x) OVER (PARTITION BY g) FROM t WHERE x > 0`),
        await db.executeFetchall(`SELECT ${name}(x) FROM t WHERE x > 0`),
      ]).toEqual(theirs);
  });

  it("fails as CPython's does, in each of its methods", async () => {
    const theirs = python(`
def make(bad, missing=None):
  def fail(self, *a): raise ZeroDivisionError()
  members = {"step": lambda self, *a: None, "inverse": lambda self, *a: None, "value": lambda self: 1, "finalize": lambda self: 1}
  if bad: members[bad] = fail
  if missing: del members[missing]
  return type("W", (), members)
out = {}
for name in ("step", "inverse", "value"):
  for cls, what in ((make(name), name), (make(None, name), "no " + name)):
    db = sqlite3.connect(":memory:"); db.create_window_function("f", 1, cls)
    db.executescript("create table t (g, x); insert into t values ('a', 1), ('a', 2), ('b', 10), ('b', 20), ('b', 30)")
    try: db.execute("""${query("f")}""").fetchall(); out[what] = None
    except sqlite3.Error as e: out[what] = [type(e).__name__, str(e)]
print(json.dumps(out))`);
    const well: Record<string, (...values: never[]) => unknown> = {
      step: () => {},
      inverse: () => {},
      value: () => 1,
      finalize: () => 1,
    };
    const ours: Record<string, unknown> = {};
    for (const name of ["step", "inverse", "value"]) {
      const fail = (): never => {
        throw new RangeError("by itself");
      };
      const { [name]: _, ...others } = well;
      for (const [what, methods] of [
        [name, { ...well, [name]: fail }],
        [`no ${name}`, others],
      ] as const) {
        await db.createWindowFunction("f", 1, classOf(methods) as never);
        const error = (await rejection(db.executeFetchall(query("f")))) as Error;
        ours[what] = [error.name, error.message];
      }
    }
    expect(ours).toEqual(theirs);
  });

  it.runIf(capabilities.functions)("finalizes each window, as CPython does", async () => {
    const over: number[] = [];
    await db.createWindowFunction(
      "f",
      1,
      class extends WindowSum {
        override finalize(): number {
          over.push(this.sum);
          return this.sum;
        }
      },
    );
    await db.executeFetchall("SELECT f(x) OVER (PARTITION BY g) FROM t WHERE x > 0");
    expect(over).toEqual([3, 60]);
  });
});

describe("a table-valued function", () => {
  it("gives its rows for its arguments, as numbers are here", async () => {
    await db.createTable("numbers", aggregates, { export: "numbers" });
    expect(await db.executeFetchall("SELECT value, square, typeof(value) FROM numbers(2, 4)")).toEqual([
      [2, 4, "integer"],
      [3, 9, "integer"],
      [4, 16, "integer"],
    ]);
    expect(await db.executeFetchall("SELECT x FROM t JOIN numbers(1, 2) ON x = value")).toEqual([[1], [2]]);
  });

  it("of a function can be created as a virtual table", async () => {
    await db.createTable("words", aggregates, { export: "words" });
    await db.executescript("CREATE VIRTUAL TABLE w USING words(one, two)");
    expect(await db.executeFetchall("SELECT count(*) FROM w")).toEqual([[2]]);
  });

  it("that throws fails the statement, with what it threw", async () => {
    await db.createTable("broken", aggregates, { export: "broken" });
    expect(await rejection(db.executeFetchall("SELECT value FROM broken"))).toMatchObject({
      name: "OperationalError",
      message: "user-defined function raised exception",
      cause: { message: "out of rows", name: "RangeError" },
    });
    expect(await rejection(db.createTable("none", aggregates, { export: "missing" }))).toBeInstanceOf(Error);
    expect(await rejection(db.createTable("none", (() => {}) as never))).toBeInstanceOf(TypeError);
    expect(await rejection(db.createTable("", aggregates))).toBeInstanceOf(TypeError);
  });
});

describe.runIf(capabilities.collations)("a collation", () => {
  const letters = "SELECT column1 FROM (VALUES ('b'), ('c'), ('a')) ORDER BY column1 COLLATE mine";

  it("orders texts, in the thread or out of it, also for another that replaces it", async () => {
    await db.createCollation("mine", (left, right) => (left < right ? 1 : -1));
    expect(await db.executeFetchall(letters)).toEqual([["c"], ["b"], ["a"]]);
    await db.createCollation("MINE", aggregates, { export: "reversed" });
    expect(await db.executeFetchall(letters)).toEqual([["c"], ["b"], ["a"]]);
    await db.createCollation("mine", (left, right) => (left < right ? -(2 ** 40) : 2 ** 40));
    expect(await db.executeFetchall(letters)).toEqual([["a"], ["b"], ["c"]]);
    await db.createCollation("ä日", new Intl.Collator("de").compare);
    expect(
      await db.executeFetchall("SELECT column1 FROM (VALUES ('z'), ('ä'), ('b')) ORDER BY 1 COLLATE \"ä日\""),
    ).toEqual([["ä"], ["b"], ["z"]]);
  });

  it("is gone with null, in CPython's words", async () => {
    const theirs = python(`
db = sqlite3.connect(":memory:"); db.create_collation("mine", lambda a, b: 0); db.create_collation("mine", None)
try: db.execute("""${letters}""")
except sqlite3.Error as e: print(json.dumps([type(e).__name__, str(e)]))`);
    await db.createCollation("mine", () => 0);
    await db.createCollation("mine", null);
    const error = (await rejection(db.execute(letters))) as Error;
    expect([error.name, error.message]).toEqual(theirs);
  });

  it("that throws fails the statement with what it threw, in the thread or out of it", async () => {
    const thrown = new Error("from the collation");
    await db.createCollation("mine", () => {
      throw thrown;
    });
    await db.createCollation("theirs", aggregates, { export: "failing" });
    for (const [name, cause] of [
      ["mine", thrown],
      ["theirs", { message: "out of the module" }],
    ] as const) {
      const sql = `SELECT 'a' = 'b' COLLATE ${name}`;
      const failed = { code: "SQLITE_ERROR", message: "user-defined collation raised exception", cause };
      for (const call of [
        () => db.executeFetchall(sql),
        () => db.get(sql),
        () => db.execute(sql),
        () => db.executescript(`SELECT 1; ${sql}; DROP TABLE t`),
        () => db.execute(`INSERT INTO t (x) ${sql} RETURNING x`),
      ])
        expect(await rejection(call)).toMatchObject(failed);
      expect(await db.get("SELECT count(*) FROM t")).toEqual([6]);
      await db.rollback();
    }
  });

  it("that throws leaves nothing of what was written, in a transaction or out of it", async () => {
    const path = await temporaryPath();
    const auto = await open(path, { isolationLevel: null });
    await auto.executescript("CREATE TABLE u (x UNIQUE); INSERT INTO u VALUES ('a'), ('b')");
    await auto.createCollation("mine", () => {
      throw new Error("from the collation");
    });
    const failed = { message: expect.stringContaining("user-defined collation raised exception") as unknown };
    const update = "UPDATE u SET x = x || 'z' WHERE x < 'zz' COLLATE mine";
    const writes: (() => Promise<unknown>)[] = [
      () => auto.execute(update),
      () => auto.run(`${update} RETURNING x`),
      () => auto.executeFetchall(`${update} RETURNING x`),
      () => auto.executemany("INSERT INTO u SELECT ? WHERE 'a' < 'b' COLLATE mine", [["c"]]),
      () => auto.executescript(`SELECT 1; ${update}`),
      () => auto.execute("CREATE INDEX i ON u (x COLLATE mine)"),
      () => auto.execute("CREATE TABLE v AS SELECT x FROM u ORDER BY x COLLATE mine"),
    ];
    const stored = (): unknown =>
      openEngine(path)
        .prepare("SELECT group_concat(x), (SELECT count(*) FROM sqlite_schema) FROM u")
        .raw()
        .get();
    for (const write of writes) {
      expect(await rejection(write)).toMatchObject(failed);
      expect(auto.inTransaction).toBe(false);
      expect(stored()).toEqual(["a,b", 2]);
    }
    await auto.execute("BEGIN");
    await auto.execute("INSERT INTO u VALUES ('kept')");
    for (const write of writes) expect(await rejection(write)).toMatchObject(failed);
    // With a collation, other errors leave what they usually leave.
    await rejection(auto.execute("INSERT OR FAIL INTO u VALUES ('d'), ('a'), ('e')"));
    await auto.commit();
    expect(stored()).toEqual(["a,b,kept,d", 2]);
  });

  it.runIf(capabilities.changes)("that throws in a write of its own is told as no change", async () => {
    await using pool = await createPool(await temporaryPath(), { groupCommit: false });
    await pool.exec("CREATE TABLE u (x)");
    await pool.createCollation("mine", () => {
      throw new Error("from the collation");
    });
    const seen: unknown[] = [];
    pool.on("change", ({ rowids }) => seen.push(rowids));
    const write = "INSERT INTO u SELECT 'a' = 'b' COLLATE mine";
    for (const call of [
      () => pool.run(write),
      () => pool.all(`${write} RETURNING x`),
      () => pool.exec(write),
    ])
      expect(await rejection(call)).toBeInstanceOf(OperationalError);
    await pool.run("INSERT INTO u VALUES (2)");
    await until(() => seen.length > 0);
    expect(seen).toEqual([{ u: [1] }]);
  });

  it("that throws in the midst of a result leaves no lock and no half-read cursor", async () => {
    await db.createCollation("mine", () => {
      throw new Error("from the collation");
    });
    const cursor = await db.cursor();
    cursor.iterChunkSize = 1;
    await cursor.execute("SELECT CASE WHEN rowid < 3 THEN x ELSE g = 'a' COLLATE mine END FROM t");
    expect(await cursor.fetchone()).toEqual([1]);
    // With it come the rows that are read together with the one that fails.
    expect(await rejection(cursor.fetchall())).toBeInstanceOf(OperationalError);
    expect(await cursor.fetchall()).toEqual([]);
    await db.executescript("DROP TABLE t");
  });

  it("that throws for one of executemany's sets ends it there", async () => {
    await db.createCollation("mine", (left) => {
      if (left === "b") throw new Error("from the collation");
      return 1;
    });
    const insert = db.executemany("INSERT INTO t (g, x) SELECT ?1, ?1 < 'z' COLLATE mine", [
      ["a"],
      ["b"],
      ["c"],
    ]);
    expect(await rejection(insert)).toMatchObject({ parameterSet: 1 });
    expect(await db.executeFetchall("SELECT g FROM t WHERE rowid > 6")).toEqual([["a"]]);
  });

  it("that throws for a set of executemany's undoes that set alone, also where each is committed by itself", async () => {
    const path = await temporaryPath();
    for (const isolationLevel of ["DEFERRED", null] as const) {
      await using auto = await open(path, { isolationLevel });
      await auto.executescript("DROP TABLE IF EXISTS u; CREATE TABLE u (x)");
      await auto.createCollation("mine", (left) => {
        if (left === "b") throw new Error("from the collation");
        return 1;
      });
      const insert = "INSERT INTO u (x) VALUES (?1), (?1 < 'z' COLLATE mine)";
      expect(await rejection(auto.executemany(insert, [["a"], ["b"], ["c"]]))).toMatchObject({
        message: expect.stringContaining("user-defined collation raised exception") as unknown,
        parameterSet: 1,
      });
      expect(auto.inTransaction).toBe(isolationLevel !== null);
      await auto.commit();
      await using other = await open(path);
      expect(await other.executeFetchall("SELECT x FROM u")).toEqual([["a"], [0]]);
      // The next batch is not failed by the last one's error.
      expect((await auto.executemany(insert, [["c"], ["d"]])).rowcount).toBe(4);
      await auto.commit();
      expect(await other.executeFetchall("SELECT count(*) FROM u")).toEqual([[6]]);
    }
  });

  it("that throws for a set that fails by itself, too, leaves the set's own error and nothing of the set, as in CPython", async () => {
    let failing = false;
    await db.createCollation("mine", (left, right) => {
      if (failing) throw new Error("from the collation");
      return Number(left > right) - Number(left < right);
    });
    await db.executescript("CREATE TABLE u (x COLLATE mine UNIQUE, y UNIQUE); INSERT INTO u VALUES ('m', 1)");
    const insert = "INSERT OR FAIL INTO u (y, x) VALUES (?1, NULL), (?2, ?3)";
    const calls = [
      () => db.execute(insert, [2, 3, "a"]),
      () => db.executeFetchall(`${insert} RETURNING y`, [2, 3, "a"]),
      () => db.executemany(insert, [[2, 3, "a"]]),
      () => db.executescript("INSERT OR FAIL INTO u (y, x) VALUES (2, NULL), (3, 'a')"),
    ];
    for (const traced of [false, true]) {
      await db.setTraceCallback(traced ? () => {} : null);
      for (const call of calls) {
        failing = true;
        // The comparison that failed counts as equal.
        expect(await rejection(call)).toMatchObject({
          code: "SQLITE_CONSTRAINT_UNIQUE",
          message: expect.stringContaining("UNIQUE constraint failed: u.x") as unknown,
        });
        failing = false;
        expect(await db.executeFetchall("SELECT y FROM u")).toEqual([[1]]);
        expect(await db.executeFetchall("PRAGMA integrity_check")).toEqual([["ok"]]);
      }
    }
    const theirs = python(`
failing = False
def mine(left, right):
    if failing: raise ValueError
    return (left > right) - (left < right)
db = sqlite3.connect(":memory:")
db.create_collation("mine", mine)
db.executescript("CREATE TABLE u (x COLLATE mine UNIQUE); INSERT INTO u VALUES ('m')")
failing = True
names = []
for call in (lambda: db.execute("INSERT INTO u VALUES ('a')"), lambda: db.executemany("INSERT INTO u VALUES (?)", [["a"]])):
    try: call()
    except Exception as error: names.append(type(error).__name__)
print(json.dumps(names))`);
    expect(theirs).toEqual(["IntegrityError", "IntegrityError"]);
  });

  it("leaves executemany's sets together: the thread runs none of their savepoints by itself", async () => {
    const module = `export default (db) => {
      const exec = db.exec;
      let savepoints = 0;
      db.exec = function (sql) {
        if (sql.startsWith("SAVEPOINT")) savepoints++;
        return exec.call(this, sql);
      };
      db.function("savepoints", () => savepoints);
    }`;
    const setup = new URL(`data:text/javascript,${encodeURIComponent(module)}`);
    await using counted = await open(":memory:", { setup });
    await counted.createCollation("mine", aggregates, { export: "reversed" });
    await counted.executescript("CREATE TABLE u (x COLLATE mine UNIQUE)");
    await counted.executeFetchall("INSERT INTO u VALUES ('x')");
    const before = await counted.executeFetchall("SELECT savepoints()");
    expect(before).not.toEqual([[0]]);
    const sets = Array.from({ length: 1000 }, (_, i) => [String(i)]);
    expect((await counted.executemany("INSERT INTO u VALUES (?)", sets)).rowcount).toBe(1000);
    expect(await counted.executeFetchall("SELECT savepoints()")).toEqual(before);
    expect(await counted.executeFetchall("SELECT x FROM u ORDER BY x LIMIT 2")).toEqual([["x"], ["999"]]);
  });

  it("that throws fails one of a pool's writes that are committed together, and leaves nothing of it", async () => {
    await using pool = await createPool(await temporaryPath());
    await pool.exec("CREATE TABLE u (x)");
    await pool.createCollation("mine", () => {
      throw new Error("from the collation");
    });
    const calls = [
      pool.run("INSERT INTO u VALUES (1)"),
      pool.run("INSERT INTO u SELECT 'a' = 'b' COLLATE mine"),
      pool.run("INSERT INTO u VALUES (2)"),
    ];
    expect((await Promise.allSettled(calls)).map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(await pool.all("SELECT x FROM u")).toEqual([{ x: 1 }, { x: 2 }]);
  });

  it("that gives no number counts as equal, as in CPython, and gives a warning", async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on("warning", listen);
    onTestFinished(() => void process.off("warning", listen));
    await db.createCollation("mine", (() => "less") as never);
    expect(await db.executeFetchall("SELECT 'a' = 'b' COLLATE mine")).toEqual([[1]]);
    await new Promise(setImmediate);
    expect(warnings.map(({ message }) => message)).toEqual(['the collation "mine" gave no number']);
  });

  it("stays when the contents of the connection are replaced, and holds in indexes", async () => {
    await db.createCollation("mine", (left, right) => (left < right ? 1 : left > right ? -1 : 0));
    const source = await open();
    await source.executescript("CREATE TABLE names (name)");
    await source.backup(db);
    await db.executescript(
      "CREATE INDEX i ON names (name COLLATE mine); INSERT INTO names VALUES ('a'), ('b')",
    );
    expect(await db.executeFetchall("SELECT name FROM names ORDER BY name COLLATE mine")).toEqual([
      ["b"],
      ["a"],
    ]);
    expect(await db.executeFetchall("PRAGMA integrity_check")).toEqual([["ok"]]);
  });

  it("is created beside a half-read cursor, whose rows stay", async () => {
    const cursor = await db.cursor();
    cursor.iterChunkSize = 1;
    await cursor.execute("SELECT x FROM t WHERE x > 0");
    expect(await cursor.fetchone()).toEqual([1]);
    await db.createCollation("mine", () => 0);
    expect(await db.get("SELECT 'a' = 'b' COLLATE mine")).toEqual([1]);
    expect(await cursor.fetchall()).toEqual([[2], [10], [20], [30]]);
  });

  it("must make sense", async () => {
    for (const args of [
      ["", () => 0],
      ["a\0b", () => 0],
      ["mine", "reverse"],
      ["mine", undefined],
      ["mine", aggregates, { export: 5 }],
    ])
      expect(await rejection(() => db.createCollation(...(args as [string, null])))).toBeInstanceOf(
        TypeError,
      );
  });
});

describe.runIf(capabilities.functions)("a function that is marked innocuous", () => {
  it("works in an index, a CHECK, a generated column and a view with trusted_schema off, as in CPython", async () => {
    const create = `CREATE TABLE c (a CHECK (twice(a) > 0), b AS (twice(a)));
      CREATE INDEX ci ON c (twice(a)); CREATE VIEW v AS SELECT twice(a) AS d FROM c; INSERT INTO c (a) VALUES (4)`;
    await db.createFunction("twice", 1, (n: number) => 2 * n, { deterministic: true });
    expect(await rejection(db.executescript(create))).toMatchObject({ message: "unsafe use of twice()" });
    await db.createFunction("twice", 1, (n: number) => 2 * n, { deterministic: true, innocuous: true });
    await db.executescript(create);
    expect(await db.executeFetchall("SELECT a, b, d FROM c, v WHERE twice(a) = 8")).toEqual([[4, 8, 8]]);
    expect(await rejection(db.execute("INSERT INTO c (a) VALUES (-1)"))).toMatchObject({
      code: "SQLITE_CONSTRAINT_CHECK",
    });
    await db.createFunction(
      "twice",
      1,
      () => {
        throw new RangeError("by itself");
      },
      { deterministic: true, innocuous: true },
    );
    expect(await rejection(db.execute("INSERT INTO c (a) VALUES (5)"))).toMatchObject({
      message: "user-defined function raised exception",
      cause: { message: "by itself" },
    });
  });

  it("of which there are aggregates too takes and gives the same values as others", async () => {
    const seen: unknown[] = [];
    const look = (...values: unknown[]): unknown => {
      seen.push(...values);
      return values[0];
    };
    await db.createFunction("look", -1, look, { innocuous: true });
    const sql =
      "SELECT look(1, 2.5, 'text', x'ff', NULL, 9007199254740993), typeof(look(1)), look(2 ->> '$')";
    expect(await db.executeFetchall(sql)).toEqual([[1, "integer", 2]]);
    expect(seen.slice(0, 6)).toEqual([1, 2.5, "text", Buffer.from([255]), null, 9007199254740993n]);
    await db.createAggregate("total_of", 1, Sum, { innocuous: true });
    await db.executescript("CREATE VIEW v AS SELECT total_of(x) AS total FROM t");
    expect(await db.executeFetchall("SELECT total FROM v")).toEqual([[63]]);
  });
});

describe("on a pool", () => {
  const everywhere = async (pool: Pool, sql: string): Promise<unknown[]> => {
    const leases = await Promise.all([pool.acquire(), pool.acquire({ mode: "read" })]);
    try {
      return await Promise.all(leases.map(async (lease) => (await lease.get<unknown[]>(sql))?.[0]));
    } finally {
      for (const lease of leases) await lease.close();
    }
  };

  it("aggregates, window functions, tables and collations are on every connection, and stay when one dies", async () => {
    const pool = await createPool(await temporaryPath(), { readers: 1 });
    onTestFinished(() => pool.close());
    await pool.createAggregate("total_of", 1, Sum);
    await pool.createWindowFunction("running", 1, aggregates);
    await pool.createTable("numbers", aggregates, { export: "numbers" });
    if (capabilities.collations) await pool.createCollation("mine", aggregates, { export: "reversed" });
    await pool.createFunction("die", 0, new URL("../fixtures/deadly.mjs", import.meta.url), {
      export: "die",
    });
    const order = capabilities.collations ? " COLLATE mine" : " DESC";
    const sql = `SELECT total_of(value) || ' ' || max(sum) FROM
      (SELECT value, running(value) OVER (ORDER BY value${order}) AS sum FROM numbers(1, 4))`;
    expect(await everywhere(pool, sql)).toEqual(["10 10", "10 10"]);
    await rejection(pool.get("SELECT die()"));
    await rejection(pool.run("SELECT die()"));
    expect(await everywhere(pool, sql)).toEqual(["10 10", "10 10"]);
    await pool.createAggregate("total_of", 1, null);
    await rejection(pool.get("SELECT die()"));
    const lost = { message: "no such function: total_of" };
    expect(await rejection(pool.get("SELECT total_of(1)"))).toMatchObject(lost);
    expect(await rejection(pool.run("SELECT total_of(1)"))).toMatchObject(lost);
  });

  it("what a lease defines is gone with it", async () => {
    const pool = await createPool(await temporaryPath(), { readers: 0, writers: 1 });
    onTestFinished(() => pool.close());
    await pool.createAggregate("f", 1, classOf({ step: () => {}, finalize: () => "the pool's" }));
    const lease = await pool.acquire();
    await lease.createAggregate("f", 1, null);
    expect(await rejection(lease.execute("SELECT f(1)"))).toMatchObject({ message: "no such function: f" });
    await lease.close();
    expect(await pool.get("SELECT f(1) AS given")).toEqual({ given: "the pool's" });
  });
});

it.runIf(!capabilities.collations)(
  "without the companion, collations and innocuous functions name the package",
  async () => {
    const missing = { name: "NotSupportedError", message: expect.stringContaining("@sqlite-aio/native") };
    expect(await rejection(db.createCollation("mine", () => 0))).toMatchObject(missing);
    expect(await rejection(db.createCollation("mine", null))).toMatchObject(missing);
    expect(await rejection(db.createFunction("f", 0, () => 0, { innocuous: true }))).toMatchObject(missing);
    const pool = await createPool(":memory:");
    onTestFinished(() => pool.close());
    expect(await rejection(pool.createCollation("mine", () => 0))).toMatchObject(missing);
  },
);
