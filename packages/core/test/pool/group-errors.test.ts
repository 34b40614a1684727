import { describe, expect, it } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { openPool, outcomes } from "../support/pool-support.ts";
import { FAILING_WRITES, type FailingWrite } from "../support/sqlite-errors.ts";

type Engine = ReturnType<typeof openEngine>;

function contents(engine: Engine, tables: readonly string[]): unknown {
  return tables.map((table) => engine.prepare(`SELECT * FROM ${table}`).raw().safeIntegers().all());
}

/** The contents of the tables after the engine ran only `sql`. */
function alone({ schema, sql, tables }: FailingWrite, before = "", after = ""): unknown {
  const engine = openEngine();
  engine.exec(`PRAGMA foreign_keys = ON; CREATE TABLE other (x); ${schema}; ${before}`);
  expect(() => engine.exec(sql)).toThrow(Error);
  if (engine.inTransaction) engine.exec(after);
  return contents(engine, [...tables, "other"]);
}

describe("a write of a group that SQLite refuses leaves what it leaves alone, and the others are kept", () => {
  for (const failing of FAILING_WRITES) {
    it(`${failing.code}: ${failing.title}`, async () => {
      const path = await temporaryPath();
      const recursive = failing.schema.includes("recursive_triggers");
      const pool = await openPool(
        { readers: 0, writers: 1, ...(recursive ? { pragmas: { recursive_triggers: "ON" } } : {}) },
        path,
      );
      await pool.exec(`CREATE TABLE other (x); ${failing.schema}`);
      const file = openEngine(path);
      const { code, title, sql, tables } = failing;
      const returns = sql.includes("RETURNING");
      const fail = (text: string): Promise<unknown> => (returns ? pool.all(text) : pool.run(text));
      // The first time nothing is known of the text, and the second time all of it.
      const rounds = title.includes("keeps") ? 1 : 2;
      for (let round = 1; round <= rounds; round++) {
        const results = await outcomes([
          pool.run("INSERT INTO other VALUES (?)", [1]),
          fail(sql),
          pool.run("INSERT INTO other VALUES (?)", [2]),
        ]);
        expect(results).toMatchObject([{ changes: 1 }, { code }, { changes: 1 }]);
        expect(contents(file, tables)).toEqual((alone(failing) as unknown[]).slice(0, -1));
        expect(await pool.all("SELECT x FROM other")).toHaveLength(2 * round);
      }
      expect(pool.stats().respawned).toBe(0);
    });
  }

  it("also when its text had run well among others before", async () => {
    const path = await temporaryPath();
    const pool = await openPool({ readers: 0, writers: 1 }, path);
    await pool.exec("CREATE TABLE s (a INTEGER) STRICT; CREATE TABLE other (x)");
    const sql = "INSERT INTO s SELECT value FROM json_each(?)";
    const both = async (json: string): Promise<unknown[]> =>
      await outcomes([
        pool.run("INSERT INTO other VALUES (?)", [json]),
        pool.run(sql, [json]),
        pool.run("INSERT INTO other VALUES (?)", [json]),
      ]);
    for (let i = 0; i < 3; i++) await both("[1]");
    const refused = { code: "SQLITE_CONSTRAINT_DATATYPE" };
    for (let i = 0; i < 3; i++)
      expect(await both('[5,6,"x"]')).toMatchObject([{ changes: 1 }, refused, { changes: 1 }]);
    expect(await pool.all("SELECT a FROM s")).toEqual([{ a: 1 }, { a: 1 }, { a: 1 }]);
    expect(await pool.get("SELECT count(*) AS n FROM other")).toEqual({ n: 12 });
  });
});

describe("where the caller owns the transaction, an error leaves what SQLite leaves", () => {
  for (const failing of FAILING_WRITES.filter(({ sql }) => !sql.includes("RETURNING"))) {
    const { code, title, schema, sql, tables } = failing;
    it(`${code}: ${title}`, async () => {
      const path = await temporaryPath();
      const db = await open(path);
      await db.executescript(`PRAGMA foreign_keys = ON; CREATE TABLE other (x); ${schema}`);
      const file = openEngine(path);
      const all = [...tables, "other"];
      const before = contents(file, all);

      // A batch: what is rolled back leaves nothing, what is committed is what the engine itself would have kept.
      await db.execute("INSERT INTO other VALUES (1)");
      expect(await rejection(db.executemany(sql, [[]]))).toMatchObject({ code, parameterSet: 0 });
      expect(db.inTransaction).toBe(true);
      await db.rollback();
      expect(contents(file, all)).toEqual(before);
      await db.execute("INSERT INTO other VALUES (1)");
      expect(await rejection(db.executemany(sql, [[]]))).toMatchObject({ code });
      await db.commit();
      expect(contents(file, all)).toEqual(alone(failing, "BEGIN; INSERT INTO other VALUES (1)", "COMMIT"));

      // A script: each statement stands alone, those before stay.
      const script = await open(await temporaryPath());
      await script.executescript(`PRAGMA foreign_keys = ON; CREATE TABLE other (x); ${schema}`);
      expect(
        await rejection(
          script.executescript(`INSERT INTO other VALUES (1); ${sql}; INSERT INTO other VALUES (2)`),
        ),
      ).toMatchObject({ code });
      const read = await Promise.all(all.map((table) => script.executeFetchall(`SELECT * FROM ${table}`)));
      const wide = JSON.stringify(read, (_, value) => (typeof value === "bigint" ? String(value) : value));
      expect(wide).toBe(
        JSON.stringify(alone(failing, "INSERT INTO other VALUES (1)"), (_, value) =>
          typeof value === "bigint"
            ? value > BigInt(Number.MAX_SAFE_INTEGER)
              ? String(value)
              : Number(value)
            : value,
        ),
      );

      // A transaction: thrown on it leaves nothing.
      const pool = await openPool({ readers: 0, writers: 1 });
      await pool.exec(`CREATE TABLE other (x); ${schema.replace(/PRAGMA[^;]*;/, "")}`);
      if (!schema.includes("PRAGMA")) {
        const thrown = pool.transaction(async (tx) => {
          await tx.run("INSERT INTO other VALUES (1)");
          await tx.run(sql);
        });
        expect(await rejection(thrown)).toMatchObject({ code });
        expect(await pool.all("SELECT * FROM other")).toEqual([]);
      }
    });
  }
});
