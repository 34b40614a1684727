import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { Worker, type WorkerOptions } from "node:worker_threads";
import type { Change } from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { openEngine, rejection, temporaryPath } from "../support/database.ts";
import { until } from "../support/pool-support.ts";
import { openRemote, openReplica } from "./open.ts";
import { Server } from "./server.ts";

/** A server with a table of numbers, 1 to 3. */
async function numbers(): Promise<Server> {
  const server = await Server.start();
  const pool = await openRemote(server);
  await pool.batch(["CREATE TABLE t (a INTEGER)", "INSERT INTO t VALUES (1), (2), (3)"]);
  return server;
}

const COUNT = "SELECT count(*) AS n FROM t";

describe("a pool over a replica", () => {
  it("reads what the primary has, from a file of its own", async () => {
    const server = await numbers();
    const path = await temporaryPath();
    const pool = await openReplica(server, {}, path);
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
    expect(await pool.get("SELECT a FROM t WHERE a = ?", [2])).toEqual({ a: 2 });
    const rows: unknown[] = [];
    for await (const row of pool.iterate("SELECT a FROM t")) rows.push(row);
    expect(rows).toHaveLength(3);
    expect(existsSync(path)).toBe(true);
    await server.kill();
    expect(await pool.get(COUNT)).toEqual({ n: 3 });
  });

  it("has what others have committed after sync()", async () => {
    const server = await numbers();
    const pool = await openReplica(server, { syncInterval: 0 });
    const other = await openRemote(server);
    await other.run("INSERT INTO t VALUES (4)");
    expect(await pool.get(COUNT)).toEqual({ n: 3 });
    const { frames, newest } = await pool.sync();
    expect(frames).toBeGreaterThan(0);
    expect(await pool.get(COUNT)).toEqual({ n: 4 });
    expect(await pool.sync()).toEqual({ frames: 0, newest });
    expect(pool.stats().replica).toMatchObject({ newest, stale: false, error: null });
  });

  it("follows by itself, every syncInterval ms", async () => {
    const server = await numbers();
    const pool = await openReplica(server, { syncInterval: 20 });
    const other = await openRemote(server);
    await other.run("INSERT INTO t VALUES (4)");
    await until(async () => (await pool.get<{ n: number }>(COUNT))?.n === 4);
    expect(pool.stats().replica?.newest).toBeGreaterThan(0);
  });

  it("keeps one snapshot in read(), whatever arrives", async () => {
    const server = await numbers();
    const pool = await openReplica(server);
    const other = await openRemote(server);
    await pool.read(async (tx) => {
      expect(await tx.get(COUNT)).toEqual({ n: 3 });
      await other.run("INSERT INTO t VALUES (4)");
      await until(() => (pool.stats().replica?.newest ?? 0) > 0);
      expect(await tx.get(COUNT)).toEqual({ n: 3 });
    });
    await pool.sync();
    expect(await pool.get(COUNT)).toEqual({ n: 4 });
  });

  it("tells what has arrived as a change from outside, and runs live queries again", async () => {
    const server = await numbers();
    const pool = await openReplica(server, { syncInterval: 0 });
    const other = await openRemote(server);
    const changes: Change[] = [];
    pool.on("change", (change) => changes.push(change));
    const live = pool.watch<{ n: number }>(COUNT);
    expect((await live.next()).value).toEqual([{ n: 3 }]);
    await pool.sync();
    expect(changes).toEqual([]);

    const next = live.next();
    await other.run("INSERT INTO t VALUES (4)");
    await pool.sync();
    expect((await next).value).toEqual([{ n: 4 }]);
    expect(changes).toEqual([{ tables: [], rowids: {}, schema: false, external: true, any: true }]);
    const last = live.next();
    await pool.close();
    expect(await last).toEqual({ done: true, value: undefined });
  });

  it("joins several syncs that are asked for while one runs", async () => {
    const server = await numbers();
    const pool = await openReplica(server, { syncInterval: 0 });
    const other = await openRemote(server);
    await other.run("INSERT INTO t VALUES (4)");
    const results = await Promise.all(Array.from({ length: 50 }, () => pool.sync()));
    expect(results.filter(({ frames }) => frames > 0).length).toBeGreaterThan(0);
    expect(new Set(results).size).toBeLessThanOrEqual(2);
  });
});

describe("the file of a replica", () => {
  it("belongs to one pool at a time", async () => {
    const server = await numbers();
    const path = await temporaryPath();
    const pool = await openReplica(server, {}, path);
    const error = await rejection(openReplica(server, {}, path));
    expect(error).toMatchObject({ code: "SQLITE_BUSY", message: expect.stringContaining(path) as unknown });
    await pool.close();
    await pool.close();
    const next = await openReplica(server, {}, path);
    expect(await next.get(COUNT)).toEqual({ n: 3 });
  });

  it("is opened and read while the primary is away, and followed when it is back", async () => {
    const server = await numbers();
    const path = await temporaryPath();
    await (await openReplica(server, {}, path)).close();
    await server.kill();

    const pool = await openReplica(server, { timeout: 300 }, path);
    expect(await pool.get(COUNT)).toEqual({ n: 3 });
    await until(() => pool.stats().replica?.error !== null);
    expect(pool.stats().replica?.error).toMatchObject({ code: "SQLITE_AIO_PRIMARY_UNREACHABLE" });
    expect(await rejection(pool.sync())).toMatchObject({
      name: "PrimaryError",
      code: "SQLITE_AIO_PRIMARY_UNREACHABLE",
      outcome: "not-started",
    });
    await server.start();
    const other = await openRemote(server);
    await other.run("INSERT INTO t VALUES (4)");
    await until(async () => (await pool.get<{ n: number }>(COUNT))?.n === 4);
  });

  it("cannot be begun while the primary is away", async () => {
    const server = await numbers();
    await server.kill();
    const path = await temporaryPath();
    expect(await rejection(openReplica(server, { timeout: 300 }, path))).toMatchObject({
      code: "SQLITE_AIO_PRIMARY_UNREACHABLE",
      outcome: "not-started",
    });
    await server.start();
    const pool = await openReplica(server, {}, path);
    expect(await pool.get(COUNT)).toEqual({ n: 3 });
  });

  it("is not taken for one where its index is missing", async () => {
    const server = await numbers();
    const path = await temporaryPath();
    await (await openReplica(server, {}, path)).close();
    await rm(`${path}-client_wal_index`);
    expect(await rejection(openReplica(server, {}, path))).toMatchObject({ code: "SQLITE_AIO_NO_REPLICA" });
    // Nor is a database of this machine, which is left as it is.
    const local = await temporaryPath();
    const engine = openEngine(local);
    engine.exec("CREATE TABLE mine (a); INSERT INTO mine VALUES (1)");
    engine.close();
    expect(await rejection(openReplica(server, {}, local))).toMatchObject({ code: "SQLITE_AIO_NO_REPLICA" });
    expect(openEngine(local).prepare("SELECT a FROM mine").pluck().get()).toBe(1);
  });

  it("is fetched anew where nothing but its index is left, or its beginning", async () => {
    const server = await numbers();
    const path = await temporaryPath();
    await (await openReplica(server, {}, path)).close();
    await rm(path);
    const pool = await openReplica(server, {}, path);
    expect(await pool.get(COUNT)).toEqual({ n: 3 });
    await pool.close();

    await rm(`${path}-client_wal_index`);
    await truncate(path);
    const next = await openReplica(server, {}, path);
    expect(await next.get(COUNT)).toEqual({ n: 3 });
  });

  it("stays as it is where an empty primary has taken the place of the old one, which is told", async () => {
    const server = await numbers();
    const path = await temporaryPath();
    const pool = await openReplica(server, { timeout: 2000 }, path);
    await server.replace();
    await until(() => pool.stats().replica?.error !== null);
    expect(await rejection(pool.sync())).toMatchObject({ code: "SQLITE_AIO_PRIMARY_REPLACED" });
    expect(await rejection(pool.run("CREATE TABLE other (a)"))).toMatchObject({
      code: "SQLITE_AIO_PRIMARY_REPLACED",
    });
    expect(await rejection(pool.transaction((tx) => tx.run("CREATE TABLE other (a)")))).toMatchObject({
      code: "SQLITE_AIO_PRIMARY_REPLACED",
    });
    expect(await rejection(pool.batch(["CREATE TABLE other (a)"]))).toMatchObject({
      code: "SQLITE_AIO_PRIMARY_REPLACED",
    });
    expect(await rejection(pool.exec("CREATE TABLE other (a)"))).toMatchObject({
      code: "SQLITE_AIO_PRIMARY_REPLACED",
    });
    expect(await pool.get(COUNT)).toEqual({ n: 3 });
    await pool.close();
    const remote = await openRemote(server);
    expect(await remote.all("SELECT name FROM sqlite_schema WHERE name = 'other'")).toEqual([]);
    expect(await rejection(openReplica(server, {}, path))).toMatchObject({
      code: "SQLITE_AIO_PRIMARY_REPLACED",
    });
  });

  it("is followed by another thread where the one that did has died", async () => {
    const server = await numbers();
    const threads: Worker[] = [];
    const createWorker = (url: URL, options: WorkerOptions): Worker => {
      const worker = new Worker(url, options);
      if (options.name === "sqlite-aio-replica") threads.push(worker);
      return worker;
    };
    const pool = await openReplica(server, { syncInterval: 0 }, undefined, { createWorker });
    await threads[0]!.terminate();
    const other = await openRemote(server);
    await other.run("INSERT INTO t VALUES (4)");
    await until(async () => {
      await pool.sync().catch(() => {});
      return (await pool.get<{ n: number }>(COUNT))?.n === 4;
    });
    expect(threads).toHaveLength(2);
  });
});

describe("a primary that hangs", () => {
  it("holds up sync() for the timeout, and no read; when it goes on, so does the replica", async () => {
    const server = await numbers();
    const pool = await openReplica(server, { timeout: 300, syncInterval: 0 });
    server.hang();
    expect(await rejection(pool.sync())).toMatchObject({ name: "PrimaryError", outcome: "not-started" });
    expect(await pool.get(COUNT)).toEqual({ n: 3 });
    server.resume();
    const other = await openRemote(server);
    await other.run("INSERT INTO t VALUES (4)");
    await until(async () => {
      await pool.sync().catch(() => {});
      return (await pool.get<{ n: number }>(COUNT))?.n === 4;
    });
  });

  it("does not keep the pool from closing, and keeps its file from everybody else", async () => {
    const server = await numbers();
    const path = await temporaryPath();
    const pool = await openReplica(server, { timeout: 300, syncInterval: 0 }, path);
    server.hang();
    void pool.sync().catch(() => {});
    const closed = performance.now();
    await pool.close();
    expect(performance.now() - closed).toBeLessThan(5000);
    const error = await rejection(openReplica(server, { timeout: 300 }, path));
    expect(error).toMatchObject({ code: "SQLITE_BUSY" });
    server.resume();
    await vi.waitFor(async () => await openReplica(server, {}, path), { timeout: 10_000 });
  });

  it("does not keep the process from ending", async () => {
    const server = await numbers();
    const child = fork(join(import.meta.dirname, "exit-while-hung.ts"), [server.url, await temporaryPath()]);
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child, "message");
    server.hang();
    const ended = once(child, "exit");
    child.send("go");
    // The server never resumes, so this would wait forever.
    expect(await ended).toEqual([7, null]);
  });
});
