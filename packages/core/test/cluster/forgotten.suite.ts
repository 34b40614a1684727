import { setImmediate as turn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { type ClusterPool, createPool } from "@sqlite-aio/core";
import { expect, it, onTestFinished } from "vitest";
import { collector } from "../support/collector.ts";
import { temporaryPath } from "../support/database.ts";
import { until } from "../support/pool-support.ts";
import { openReplica } from "./open.ts";
import { Server } from "./server.ts";

interface Opened {
  readonly path: string;
  readonly threads: () => number;
  /** Opens a pool with a replica, and returns the result of `use`. */
  readonly open: <T>(use: (pool: ClusterPool) => Promise<T>) => Promise<T>;
}

async function prepared(url: string): Promise<Opened> {
  const path = await temporaryPath("replica.db");
  let threads = 0;
  return {
    path,
    threads: () => threads,
    open: async (use) => {
      const pool = await createPool(path, {
        engine: "libsql",
        readers: 1,
        readLeases: 3,
        primary: { url, syncInterval: 20 },
        createWorker: (entry, options) => {
          threads++;
          return new Worker(entry, options).once("exit", () => threads--);
        },
      });
      return await use(pool);
    },
  };
}

function warnings(): string[] {
  const messages: string[] = [];
  const note = (warning: Error & { code?: string }): void => {
    if (warning.code === "SQLITE_AIO_FORGOTTEN") messages.push(warning.message);
  };
  process.on("warning", note);
  onTestFinished(() => void process.off("warning", note));
  return messages;
}

it("a pool with a replica that is forgotten says where it was opened, and gives its threads and its file back", async () => {
  const collect = collector();
  const messages = warnings();
  const server = await Server.start();
  const { path, threads, open } = await prepared(server.url);
  async function openAndForget(): Promise<void> {
    await open(async (pool) => {
      await pool.run("CREATE TABLE t (a)");
      expect(await pool.all("SELECT a FROM t")).toEqual([]);
    });
  }
  await openAndForget();
  expect(threads()).toBeGreaterThanOrEqual(2);
  await until(async () => {
    collect();
    await turn();
    return threads() === 0;
  });
  expect(messages).toEqual([
    expect.stringMatching(/^the pool on .*replica\.db was not closed; it was opened here:\n/),
  ]);
  // The replica is free again.
  const again = await openReplica(server, {}, path);
  expect(await again.all("SELECT a FROM t")).toEqual([]);
});

it("a pool without a replica that is forgotten says so, too", async () => {
  const collect = collector();
  const messages = warnings();
  const server = await Server.start();
  async function openAndForget(): Promise<void> {
    const pool = await createPool(server.url as `http://${string}`, { engine: "libsql" });
    await pool.run("CREATE TABLE t (a)");
  }
  await openAndForget();
  await until(async () => {
    collect();
    await turn();
    return messages.length > 0;
  });
  expect(messages).toEqual([
    expect.stringMatching(/^the pool on http:.* was not closed; it was opened here:\n/),
  ]);
});

it("a pool is not forgotten while a live query, an iteration or a connection of it is in use", async () => {
  const collect = collector();
  const messages = warnings();
  const server = await Server.start();
  const { open } = await prepared(server.url);
  const { lease, rows, live, close } = await open(async (pool) => {
    await pool.run("CREATE TABLE t (a)");
    await pool.run("INSERT INTO t VALUES (1)");
    return {
      lease: await pool.acquire({ mode: "read" }),
      rows: pool.iterate<{ a: number }>("SELECT a FROM t"),
      live: pool.watch<{ a: number }>("SELECT a FROM t"),
      close: new WeakRef(pool),
    };
  });
  for (let round = 0; round < 20; round++) {
    collect();
    await turn();
  }
  expect(await lease.executeFetchall("SELECT a FROM t")).toEqual([[1]]);
  expect(await rows.next()).toMatchObject({ value: { a: 1 } });
  expect(await live.next()).toMatchObject({ value: [{ a: 1 }] });
  expect(messages).toEqual([]);
  await rows.return!();
  await live.return();
  await lease.close();
  await close.deref()!.close();
});
