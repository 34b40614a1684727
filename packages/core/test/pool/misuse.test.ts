import { type Pool, ProgrammingError } from "@sqlite-aio/core";
import { beforeEach, describe, expect, it } from "vitest";
import { open, rejection } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";

let pool: Pool;

beforeEach(async () => {
  pool = await openPool();
  await pool.exec("CREATE TABLE t (a)");
});

describe("wrong arguments are refused before anything is run", () => {
  it.each<[string, (pool: Pool) => Promise<unknown>, RegExp]>([
    [
      "values for exec()",
      (p) => p.exec("INSERT INTO t VALUES (?)", [1] as never),
      /not an array; parameters come before/,
    ],
    [
      "an unknown option",
      (p) => p.run("INSERT INTO t VALUES (1)", [], { tiemout: 5 } as never),
      /unknown option "tiemout"/,
    ],
    ["options in an array", (p) => p.get("SELECT 1", [], [] as never), /not an array/],
    [
      "an argument too many",
      (p) => (p.all as (...args: unknown[]) => Promise<unknown>).call(p, "SELECT 1", [], {}, 5),
      /too many arguments: all\(sql, \[a, b\], options\)/,
    ],
    [
      "an option of another method",
      (p) => p.get("SELECT 1", [], { firstRow: true } as never),
      /unknown option "firstRow"/,
    ],
    [
      "an unknown option of transaction()",
      (p) => p.transaction(() => 1, { mod: "immediate" } as never),
      /unknown option "mod"/,
    ],
    ["an unknown option of acquire()", (p) => p.acquire({ kind: "read" } as never), /unknown option "kind"/],
    [
      "an unknown option of backup()",
      (p) => p.backup("copy.db", { page: 1 } as never),
      /unknown option "page"; there is "pages"/,
    ],
  ])("%s", async (_title, call, message) => {
    const error = await rejection(call(pool));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(message);
    expect(await pool.all("SELECT * FROM t")).toEqual([]);
  });

  it("parameters one by one", async () => {
    const error = await rejection(pool.get("SELECT ?, ?", 1 as never, 2 as never));
    expect(error).toBeInstanceOf(ProgrammingError);
    expect((error as Error).message).toMatch(
      /not number; several values go into one array: \(sql, \[a, b\]\)/,
    );
  });

  it("parameters in a script, of which nothing is run then", async () => {
    const db = await open();
    await db.execute("CREATE TABLE t (a)");
    for (const script of [
      "INSERT INTO t VALUES (1); INSERT INTO t VALUES (?)",
      "INSERT INTO t VALUES (1); INSERT INTO t VALUES (:a)",
    ]) {
      for (const call of [() => pool.exec(script), () => db.executescript(script)]) {
        const error = await rejection(call);
        expect(error).toBeInstanceOf(ProgrammingError);
        expect((error as Error).message).toMatch(/^a script takes no parameters, and has (?:\?|:a)/);
      }
    }
    await pool.exec("INSERT INTO t VALUES ('what?'), ('12:30') -- really?");
    expect(await pool.all("SELECT * FROM t")).toHaveLength(2);
    expect(await db.executeFetchall("SELECT * FROM t")).toEqual([]);
  });

  it("a Date without an adapter, and the message says where adapters come from", async () => {
    expect(await rejection(pool.run("INSERT INTO t VALUES (?)", [new Date()] as never))).toMatchObject({
      message: expect.stringContaining("registerAdapter(Date, "),
    });
  });
});

it("PRAGMA foreign_keys in a transaction, which SQLite ignores, is refused, and what it was meant for is not done", async () => {
  await pool.exec(
    "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p ON DELETE CASCADE); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1)",
  );
  const calls = [
    () =>
      pool.transaction(async (tx) => {
        await tx.run("PRAGMA foreign_keys = OFF");
        await tx.run("DELETE FROM p");
      }),
    () => pool.exec("BEGIN; PRAGMA foreign_keys = OFF; DELETE FROM p; COMMIT"),
    async () => {
      await using conn = await pool.acquire();
      await conn.execute("DELETE FROM t");
      await conn.execute("PRAGMA foreign_keys(0)");
    },
  ];
  for (const call of calls) {
    const error = await rejection(call);
    expect(error, String(call)).toBeInstanceOf(ProgrammingError);
    expect((error as Error).message).toMatch(/SQLite ignores PRAGMA foreign_keys inside a transaction/);
  }
  expect(await pool.get("SELECT count(*) AS n FROM c")).toEqual({ n: 1 });
});

it("a pragma that holds for the whole process is refused on a lease", async () => {
  await using conn = await pool.acquire();
  for (const sql of ["PRAGMA hard_heap_limit = 100000000", "PRAGMA temp_store_directory('/tmp')"]) {
    expect(await rejection(conn.execute(sql))).toBeInstanceOf(ProgrammingError);
    expect(await rejection(conn.executescript(sql))).toBeInstanceOf(ProgrammingError);
  }
  expect(await conn.executeFetchall("PRAGMA hard_heap_limit")).toEqual([[0]]);
});
