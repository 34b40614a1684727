import { beforeEach, describe, expect, it } from "vitest";
import { connect, type Connection, type Pool } from "@sqlite-aio/core";
import { rejection, temporaryPath } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";

const READ = "SELECT * FROM t WHERE id = ?";

/** Small reads of many callers, which wait behind each other in the thread. */
describe("reads by key that are made together", () => {
  let path: string;
  let pool: Pool;
  let other: Connection;

  beforeEach(async () => {
    path = await temporaryPath();
    other = await connect(path, { isolationLevel: null });
    await other.executescript("PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, value)");
    pool = await openPool({ readers: 1 }, path);
    const values = Array.from({ length: 200 }, (_, id) => [id, `value ${id}`]);
    await other.executemany("INSERT INTO t VALUES (?, ?)", values);
    // Known to be quick, so that they share.
    for (let i = 0; i < 3; i++) await pool.get(READ, [i]);
    return async () => await other.close();
  });

  const together = async (ids: readonly unknown[], sql = READ): Promise<unknown[]> =>
    await Promise.all(ids.map((id) => pool.get(sql, [id as number])));
  const all = Array.from({ length: 200 }, (_, id) => id);

  it("are each answered with their own row, or none", async () => {
    const rows = await together([...all, 500, -1]);
    expect(rows).toEqual([...all.map((id) => ({ id, value: `value ${id}` })), undefined, undefined]);
  });

  it("give and take every kind of value", async () => {
    const values = [
      null,
      1,
      -0.5,
      2n ** 60n,
      "",
      "é",
      "日本😀\0",
      "x".repeat(70_000),
      Buffer.from([1, 2]),
      Buffer.alloc(0),
      Buffer.alloc(100_000, 7),
    ];
    const sql = "SELECT ? AS value";
    for (let i = 0; i < 3; i++) await pool.get(sql, [i]);
    const rows = await Promise.all([...values, ...values].map((value) => pool.get(sql, [value])));
    expect(rows).toStrictEqual([...values, ...values].map((value) => ({ value })));
  });

  it("see one state of the database, and the next ones what was committed since", async () => {
    await together(all);
    await other.execute("UPDATE t SET value = 'new'");
    const rows = (await together(all)) as { value: string }[];
    expect(new Set(rows.map(({ value }) => value))).toEqual(new Set(["new"]));
  });

  it("come under the names that another connection has given their columns", async () => {
    await together(all);
    await other.executescript(
      "ALTER TABLE t RENAME COLUMN value TO renamed; ALTER TABLE t ADD COLUMN added DEFAULT 5",
    );
    const rows = await together(all);
    expect(rows).toEqual(all.map((id) => ({ id, renamed: `value ${id}`, added: 5 })));
  });

  it("of which one fails are answered all the same, and it alone is rejected", async () => {
    const sql = "SELECT abs(?) AS value";
    for (let i = 0; i < 3; i++) await pool.get(sql, [i]);
    const least = -(2n ** 63n);
    const settled = await Promise.allSettled([1, -2, least, 4, least, 6].map((id) => pool.get(sql, [id])));
    expect(
      settled.map((each) =>
        each.status === "fulfilled" ? (each.value as unknown) : (each.reason as Error).message,
      ),
    ).toEqual([
      { value: 1 },
      { value: 2 },
      "integer overflow",
      { value: 4 },
      "integer overflow",
      { value: 6 },
    ]);
  });

  it("of a table that is gone are rejected, each of them", async () => {
    await together(all);
    await other.execute("DROP TABLE t");
    const settled = await Promise.allSettled(all.map((id) => pool.get(READ, [id])));
    for (const each of settled) expect(each).toMatchObject({ status: "rejected" });
    await other.executescript(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, value); INSERT INTO t VALUES (1, 'again')",
    );
    expect(await together([1, 2])).toEqual([{ id: 1, value: "again" }, undefined]);
  });

  it("may have results of any size, also where those before were small", async () => {
    const sql = "SELECT id FROM t WHERE id < ?";
    for (let i = 0; i < 3; i++) await pool.all(sql, [i]);
    const sizes = [1, 5, 64, 65, 2, 200, 0, 63, 199, 3];
    for (let round = 0; round < 2; round++) {
      const results = await Promise.all(sizes.map((size) => pool.all(sql, [size])));
      expect(results).toEqual(sizes.map((size) => all.slice(0, size).map((id) => ({ id }))));
    }
  });

  it("may have texts and blobs that are too large to go together", async () => {
    const sql = "SELECT length(CAST(?1 AS BLOB)) AS bytes, substr(?1, -4) AS last";
    for (let i = 0; i < 3; i++) await pool.get(sql, ["x"]);
    const texts = Array.from({ length: 40 }, (_, i) => `${"é".repeat(1500)}${1000 + i}`);
    expect(await together(texts, sql)).toEqual(texts.map((text) => ({ bytes: 3004, last: text.slice(-4) })));
    const blobs = Array.from({ length: 40 }, (_, i) => Buffer.from(`${"x".repeat(3000)}${1000 + i}`));
    const results = await together(blobs, sql);
    expect(results).toEqual(blobs.map((blob) => ({ bytes: 3004, last: blob.subarray(-4) })));
  });

  it("that are given up are rejected with the reason, and the others answered", async () => {
    const reason = new Error("not wanted");
    for (let round = 0; round < 20; round++) {
      const controller = new AbortController();
      const calls = all.map((id) =>
        id % 3 === 0 ? rejection(pool.get(READ, [id], { signal: controller.signal })) : pool.get(READ, [id]),
      );
      controller.abort(reason);
      const results = await Promise.all(calls);
      expect(results).toEqual(all.map((id) => (id % 3 === 0 ? reason : { id, value: `value ${id}` })));
    }
  });

  it("may call functions of the caller's, also where they throw", async () => {
    await pool.createFunction("half", 1, (value) => {
      if (Number(value) % 2 === 1) throw new Error(`${String(value)} is odd`);
      return Number(value) / 2;
    });
    const sql = "SELECT half(id) AS half FROM t WHERE id = ?";
    const settled = await Promise.allSettled([2, 3, 4, 5, 6].map((id) => pool.get(sql, [id])));
    expect(settled.map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(await together([7, 8])).toEqual([7, 8].map((id) => ({ id, value: `value ${id}` })));
  });
});
