import { writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import type { Parameters } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { open, temporaryFolder } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";

/** Parameters in every form, and what changes all of them after the call. */
function changeable(): { given: Parameters; named: Parameters; change: () => void } {
  const bytes = Buffer.from("before");
  const given: unknown[] = ["before", bytes];
  const named: Record<string, unknown> = { a: "before", b: bytes };
  return {
    given: given as Parameters,
    named: named as Parameters,
    change: () => {
      bytes.fill("Z");
      given[0] = named["a"] = "after";
      given.push("more");
      named["c"] = "more";
    },
  };
}

const STORED = { a: "before", b: "before" };
const POSITIONAL = "INSERT INTO t VALUES (?, ?)";
const NAMED = "INSERT INTO t VALUES (:a, :b)";
const BACK = "RETURNING a, CAST(b AS TEXT) AS b";

describe("parameters are taken when the call is made, whatever becomes of them afterwards", () => {
  it("by a pool, also the first time that a reader refuses a statement", async () => {
    const pool = await openPool();
    await pool.exec("CREATE TABLE t (a, b)");
    for (let round = 0; round < 2; round++) {
      for (const [sql, form] of [
        [POSITIONAL, "given"],
        [NAMED, "named"],
      ] as const) {
        for (const method of ["run", "get", "all", "iterate"] as const) {
          const values = changeable();
          const text = method === "run" ? sql : `${sql} ${BACK} -- ${method}`;
          const call: unknown = Reflect.apply(pool[method], pool, [text, values[form]]);
          values.change();
          if (method === "run") await call;
          else if (method === "get") expect(await call).toEqual(STORED);
          else if (method === "all") expect(await call).toEqual([STORED]);
          else for await (const row of call as AsyncIterable<unknown>) expect(row).toEqual(STORED);
        }
        const inside = changeable();
        const stepped = changeable();
        await pool.transaction(async (tx) => {
          const call = tx.run(sql, inside[form]);
          const rows = tx.iterate(`${sql} ${BACK}`, stepped[form]);
          inside.change();
          stepped.change();
          await call;
          for await (const row of rows) expect(row).toEqual(STORED);
        });
        const read = changeable();
        const selected =
          form === "given" ? "SELECT ? AS a, CAST(? AS TEXT) AS b" : "SELECT :a AS a, CAST(:b AS TEXT) AS b";
        await pool.read(async (tx) => {
          const rows = tx.iterate(selected, read[form]);
          read.change();
          for await (const row of rows) expect(row).toEqual(STORED);
        });
      }
    }
    const rows = await pool.all("SELECT DISTINCT a, CAST(b AS TEXT) AS b FROM t");
    expect(rows).toEqual([STORED]);
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 24 });
  });

  it("by a pool whose connections all wait", async () => {
    const pool = await openPool({ readers: 0, writers: 1 });
    await pool.exec("CREATE TABLE t (a, b)");
    let let_go!: () => void;
    const held = new Promise<void>((resolve) => (let_go = resolve));
    const transaction = pool.transaction(async () => await held);
    const values = changeable();
    const call = pool.run(POSITIONAL, values.given);
    values.change();
    let_go();
    await Promise.all([transaction, call]);
    expect(await pool.all("SELECT a, CAST(b AS TEXT) AS b FROM t")).toEqual([STORED]);
  });

  it("also for a call that is sent again because its thread has died", async () => {
    const module = `${await temporaryFolder()}/die.mjs`;
    await writeFile(
      module,
      "export default () => { const end = Date.now() + 100; while (Date.now() < end); process.exit(1); };",
    );
    const pool = await openPool({ readers: 0, writers: 1 });
    await pool.exec("CREATE TABLE t (a, b)");
    await pool.createFunction("die", 0, pathToFileURL(module));
    await pool.run(POSITIONAL, ["learn", null]);
    const dead = pool.get("SELECT die()").catch((error: { outcome: string }) => error.outcome);
    const values = changeable();
    const call = pool.run(POSITIONAL, values.given);
    values.change();
    expect(await dead).toBe("unknown");
    await call;
    expect(await pool.all("SELECT a, CAST(b AS TEXT) AS b FROM t WHERE a <> 'learn'")).toEqual([STORED]);
  });

  it("by a connection and its cursors, executemany's array with all that is in it", async () => {
    const db = await open();
    await db.execute("CREATE TABLE t (a, b)");
    const cursor = await db.cursor();
    const calls: Promise<unknown>[] = [];
    for (const [sql, form] of [
      [POSITIONAL, "given"],
      [NAMED, "named"],
    ] as const) {
      for (const call of [
        (values: Parameters) => db.execute(sql, values),
        (values: Parameters) => cursor.execute(sql, values),
        (values: Parameters) => db.executeFetchall(sql, values),
        (values: Parameters) => db.executeInsert(sql, values),
        (values: Parameters) =>
          db.executemany(
            sql,
            Array.from({ length: 3000 }, () => values),
          ),
      ]) {
        const values = changeable();
        calls.push(call(values[form]));
        values.change();
      }
      const sets = [["before", "before"]];
      calls.push(db.executemany(POSITIONAL, sets));
      sets[0]![0] = "after";
      sets.push(["after", "after"]);
    }
    await Promise.all(calls);
    expect(await db.executeFetchall("SELECT DISTINCT a, CAST(b AS TEXT) FROM t")).toEqual([
      ["before", "before"],
    ]);
    expect(await db.executeFetchall("SELECT count(*) FROM t")).toEqual([[6010]]);
  });
});

it("options and functions are taken when the call is made, for the threads that start later, too", async () => {
  const folder = await temporaryFolder();
  for (const name of ["right", "wrong"])
    await writeFile(
      `${folder}/${name}.mjs`,
      `export const f = () => "${name}"; export const g = () => "no";`,
    );
  const url = pathToFileURL(`${folder}/right.mjs`);
  const options = { export: "f" };
  const pool = await openPool({ readers: 1 });
  const created = pool.createFunction("f", 0, url, options);
  url.pathname = `${folder}/wrong.mjs`;
  options.export = "g";
  await created;
  // The reader is started now.
  expect(await pool.get("SELECT f() AS x")).toEqual({ x: "right" });
});
