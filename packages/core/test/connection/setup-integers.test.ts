import { capabilities, type Change, createPool } from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { open, temporaryPath } from "../support/database.ts";

const setup = new URL("../fixtures/setup-safe-integers.mjs", import.meta.url);

describe("a setup module that makes all integers bigints", () => {
  it("changes nothing of what a connection says and gives", async () => {
    const path = await temporaryPath();
    const seen: unknown[] = [];
    for (const options of [{}, { setup }]) {
      const db = await open(path, { isolationLevel: null, ...options });
      await db.executescript(
        "DROP TABLE IF EXISTS t; CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE INDEX i ON t (a)",
      );
      await db.executemany("INSERT INTO t (a) VALUES (?)", [[1], ["x"], [null]]);
      const rows = await db.executeFetchall("SELECT * FROM t");
      const lines: string[] = [];
      for await (const line of db.iterdump()) lines.push(line);
      const inserted = await db.executeInsert("INSERT INTO t (a) VALUES (4)");
      seen.push([rows, lines, db.totalChanges, inserted]);
      await db.backup(`${path}.copy`);
      await db.close();
    }
    expect(seen[1]).toEqual(seen[0]);
  });

  it("does not keep a pool's writes from sharing a commit", async () => {
    const pool = await createPool(await temporaryPath(), { setup });
    onTestFinished(() => pool.close());
    await pool.exec("CREATE TABLE t (a, b)");
    const before = pool.stats().walBytes;
    await Promise.all(Array.from({ length: 200 }, (_, i) => pool.run("INSERT INTO t VALUES (?, ?)", [i, i])));
    // Each commit writes at least one page of 4096 bytes. On a busy machine a commit has fewer of them.
    expect(pool.stats().walBytes - before).toBeLessThan(100 * 4096);
  });

  it.skipIf(!capabilities.changes)(
    "hides no attached database from those who listen for changes",
    async () => {
      const path = await temporaryPath();
      const pool = await createPool(path, {
        setup,
        readers: 0,
        onConnect: (connection) => connection.execute("ATTACH ? AS other", [`${path}.other`]),
      });
      onTestFinished(() => pool.close());
      await pool.exec("CREATE TABLE t (a); CREATE TABLE other.u (a)");
      const events: Change[] = [];
      pool.on("change", (event) => events.push(event));
      await pool.run("INSERT INTO u VALUES (1)");
      await pool.run("INSERT INTO t VALUES (1)");
      await expect.poll(() => events.flatMap(({ tables }) => tables)).toEqual(["other.u", "t"]);
    },
  );
});
