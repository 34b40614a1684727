import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { openPool } from "../support/pool-support.ts";
import { temporaryPath } from "../support/database.ts";

const HEADER = 32;
const FRAME_HEADER = 24;

/** How many transactions the log has: the last frame of each says how many pages the database has then. */
function commitsIn(wal: Buffer): number {
  const pageSize = wal.readUInt32BE(8);
  let commits = 0;
  for (let at = HEADER; at + FRAME_HEADER <= wal.length; at += FRAME_HEADER + pageSize)
    if (wal.readUInt32BE(at + 4) !== 0) commits++;
  return commits;
}

it("a connection is given 2,048 calls at a time, and the others wait in the pool's line", async () => {
  const pool = await openPool({ readers: 0 });
  const calls = Array.from({ length: 5000 }, (_, i) => pool.get("SELECT ? AS i", [i]));
  expect(pool.stats()).toMatchObject({ queued: 2048, waiting: 2952, pending: 5000 });
  expect(await Promise.all(calls)).toEqual(Array.from({ length: 5000 }, (_, i) => ({ i })));
});

it("512 writes share a transaction at the most", async () => {
  const path = await temporaryPath();
  // A group is also bounded by its time, which a busy machine would meet first.
  const setup = new URL("../fixtures/counted-clock.mjs", import.meta.url);
  const pool = await openPool({ checkpoint: "external", pragmas: { wal_autocheckpoint: 0 }, setup }, path);
  await pool.exec("CREATE TABLE t (x)");
  // A statement that has run to its end among others needs no savepoint of its own.
  await Promise.all([pool.run("INSERT INTO t VALUES (?)", [0]), pool.run("INSERT INTO t VALUES (?)", [0])]);
  const before = commitsIn(readFileSync(`${path}-wal`));
  await Promise.all(Array.from({ length: 2000 }, (_, i) => pool.run("INSERT INTO t VALUES (?)", [i])));
  const commits = commitsIn(readFileSync(`${path}-wal`)) - before;
  expect(commits).toBeGreaterThanOrEqual(4);
  // But they do share them.
  expect(commits).toBeLessThan(1000);
});
