import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { openEngine, temporaryPath } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";

/** What changes when a log is begun anew: the number of the checkpoint and the two salts. */
function headOf(path: string): string {
  return readFileSync(`${path}-wal`).toString("hex", 12, 24);
}

/** More pages than SQLite lets a log have before it checkpoints by itself. */
async function fill(pool: Pool): Promise<void> {
  await pool.transaction(async (tx) => {
    for (let i = 0; i < 1200; i++) await tx.run("INSERT INTO t VALUES (zeroblob(4000))");
  });
  await pool.run("INSERT INTO t VALUES (1)");
}

async function filled(checkpoint: "auto" | "external"): Promise<{ pool: Pool; path: string }> {
  const path = await temporaryPath();
  const pool = await openPool({ checkpoint }, path);
  await pool.exec("CREATE TABLE t (a)");
  return { pool, path };
}

describe('a pool with checkpoint: "external"', () => {
  it("neither empties its log nor begins it anew, however long it is, busy or idle", async () => {
    const { pool, path } = await filled("external");
    const head = headOf(path);
    const file = readFileSync(path);
    await fill(pool);
    // Longer than the second after which a pool of the other kind looks after an idle log.
    await sleep(2000);
    await fill(pool);
    expect(headOf(path)).toBe(head);
    expect(readFileSync(path).equals(file)).toBe(true);
    expect(pool.stats().walBytes).toBeGreaterThan(2 * 1200 * 4096);
  });

  it("leaves the log as it is when it is closed while somebody else has the file open", async () => {
    const { pool, path } = await filled("external");
    const other = openEngine(path);
    expect(other.prepare("SELECT count(*) FROM t").pluck().get()).toBe(0);
    await fill(pool);
    const log = readFileSync(`${path}-wal`);
    const file = readFileSync(path);
    await pool.close();
    expect(readFileSync(`${path}-wal`).equals(log)).toBe(true);
    expect(readFileSync(path).equals(file)).toBe(true);
  });

  it("has SQLite move the log into the file when it is closed as the last that had it open", async () => {
    const { pool, path } = await filled("external");
    await fill(pool);
    await pool.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
    expect(openEngine(path).prepare("SELECT count(*) FROM t").pluck().get()).toBe(1201);
  });
});

describe('a pool with checkpoint: "auto"', () => {
  it("does all of that, so that the above is not for want of a cause", async () => {
    const { pool, path } = await filled("auto");
    const head = headOf(path);
    const file = readFileSync(path);
    await fill(pool);
    await fill(pool);
    expect(headOf(path)).not.toBe(head);
    expect(readFileSync(path).equals(file)).toBe(false);
  });
});
