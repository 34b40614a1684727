// Run by memory.test.ts with --expose-gc: `node memory-trial.ts <trial> <database> <first> <last>`. Tells what it has
// measured as JSON.
import { existsSync, readdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { type Connection, connect, createPool, QueueFullError } from "@sqlite-aio/core";
import { say } from "./say.ts";

const [trial, path, from, to] = process.argv.slice(2) as [string, string, string, string];
const first = Number(from);
const last = Number(to);
const CALLERS = 64;
/** How often a footprint is taken between the first one and the end. */
const WINDOWS = 5;
/** For threads that are ending, 100 ms apart. */
const MOST_LOOKS = 100;
const collector = new URL("memory-collect.mjs", import.meta.url);
/** The disk has no part in this. */
const pragmas = { journal_mode: "wal", synchronous: "OFF" };
const TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)";

export interface Footprint {
  readonly rssMb: number;
  readonly heapMb: number;
  readonly handles: number;
  readonly threads: number;
}

/** Of the process; where the system does not tell, `handles` has to do. */
const TASKS = "/proc/self/task";
const threads = (): number => (existsSync(TASKS) ? readdirSync(TASKS).length : 0);
const rssMb = (): number => process.memoryUsage.rss() / 2 ** 20;

/** After a collection, in the threads as well, so that what is counted is still in use. */
async function footprint(collectThreads: () => Promise<unknown> = async () => {}): Promise<Footprint> {
  // What has just been closed ends in other threads, which tell nobody.
  await delay(100);
  // What a finalizer gives up in the one heap is rubbish in the other.
  for (let i = 0; i < 3; i++) {
    await globalThis.gc!({ type: "major", execution: "async", flavor: "last-resort" });
    await collectThreads();
    await delay(20);
  }
  return {
    rssMb: rssMb(),
    heapMb: process.memoryUsage().heapUsed / 2 ** 20,
    handles: process.getActiveResourcesInfo().length,
    threads: threads(),
  };
}

async function repeat(calls: number, call: (i: number) => Promise<unknown>): Promise<void> {
  let left = calls;
  const caller = async (): Promise<void> => {
    while (left > 0) await call(left--);
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

async function growth(
  call: (i: number) => Promise<unknown>,
  collectThreads: () => Promise<unknown>,
): Promise<unknown> {
  await repeat(first, call);
  const early = await footprint(collectThreads);
  const footprints = [early];
  for (let window = 0; window < WINDOWS; window++) {
    await repeat((last - first) / WINDOWS, call);
    // On a busy machine a thread that was replaced takes its time to end. One that is kept never does.
    for (let looks = 0; threads() > early.threads && looks < MOST_LOOKS; looks++) await delay(100);
    footprints.push(await footprint(collectThreads));
  }
  return footprints;
}

/** The error is what is wanted. */
const fails = async (work: Promise<unknown>): Promise<void> => {
  const failed = await work.then(
    () => false,
    () => true,
  );
  if (!failed) throw new Error("it should have failed");
};

const resources: { close(): Promise<void> }[] = [];

/** Not `await using`, which Node 22 does not know. */
function toBeClosed<T extends { close(): Promise<void> }>(resource: T): T {
  resources.push(resource);
  return resource;
}

/** What each of the `last` calls that were made since takes of the heap. */
function bytesEach(before: Footprint): number {
  globalThis.gc!({ type: "major", execution: "sync", flavor: "last-resort" });
  return (process.memoryUsage().heapUsed - before.heapMb * 2 ** 20) / last;
}

const trials: Readonly<Record<string, () => Promise<unknown>>> = {
  /** Of a hundred calls: reads, writes, failing ones, aborted ones, iterations, transactions. */
  async pool() {
    // Always as many connections: by default a pool has further ones for leases, for as long as those last, which is no growth.
    const pool = toBeClosed(await createPool(path, { pragmas, readers: 2, readLeases: 0 }));
    await pool.exec(TABLE);
    await pool.createFunction("collect", 0, collector, { export: "collect" });
    for (let i = 0; i < 1000; i++) void pool.run("INSERT INTO t VALUES (?, ?, ?)", [i, `text ${i}`, i / 2]);
    return await growth(
      async (i) => {
        switch (i % 100) {
          case 0:
            return await pool.transaction(async (tx) => {
              await tx.run("UPDATE t SET a = a || '' WHERE id = ?", [i % 1000]);
            });
          case 1:
            for await (const row of pool.iterate("SELECT id FROM t LIMIT 10")) if (row.id === 5) break;
            return;
          case 2:
          case 3:
            return await fails(pool.run("INSERT INTO t (id) VALUES (?)", [i % 1000]));
          case 4:
            return await fails(pool.get("SELECT 1", [], { signal: AbortSignal.abort() }));
          case 5:
            return await pool.get("SELECT ? AS i", [i], { timeout: 60_000 });
          case 6:
          case 7:
          case 8:
            return await pool.run("UPDATE t SET b = ? WHERE id = ?", [i, i % 1000]);
          default:
            return await pool.get("SELECT id, a, b FROM t WHERE id = ?", [i % 1000]);
        }
      },
      () => Promise.all([pool.get("SELECT collect()"), pool.run("UPDATE t SET b = collect() WHERE id = 0")]),
    );
  },

  async connection() {
    const db = toBeClosed(await connect(path, { isolationLevel: null, pragmas }));
    await db.executescript(TABLE);
    await db.createFunction("collect", 0, collector, { export: "collect" });
    for (let i = 0; i < 1000; i++) void db.execute("INSERT INTO t VALUES (?, ?, ?)", [i, `text ${i}`, i / 2]);
    return await growth(
      async (i) => {
        switch (i % 100) {
          case 0:
            return await db.transaction(async (tx) => {
              await tx.execute("UPDATE t SET a = a || '' WHERE id = ?", [i % 1000]);
            });
          case 1: {
            // Dropped half read, every other time.
            const cursor = await db.execute("SELECT id FROM t");
            await cursor.fetchone();
            return i % 200 === 1 ? await cursor.close() : undefined;
          }
          case 2:
          case 3:
            return await fails(db.execute("INSERT INTO t (id) VALUES (?)", [i % 1000]));
          case 4:
            return await fails(db.executeFetchall("SELECT 1", [], { signal: AbortSignal.abort() }));
          case 5:
            return await db.executeFetchall("SELECT ?", [i], { timeout: 60_000 });
          default:
            return await db.executeFetchall("SELECT id, a, b FROM t WHERE id = ?", [i % 1000]);
        }
      },
      () => db.executeFetchall("SELECT collect()"),
    );
  },

  /** Callers that do not wait: in each turn of the loop twice as many calls as may be queued. */
  async flood() {
    const pool = toBeClosed(await createPool(path, { maxQueue: 1000, pragmas }));
    await pool.exec(TABLE);
    await repeat(5000, (i) => pool.run("INSERT INTO t (a) VALUES (?)", [i]));
    const before = await footprint();
    const counts = { done: 0, refused: 0, other: 0 };
    const call = async (i: number): Promise<void> => {
      try {
        await pool.run("INSERT INTO t (a) VALUES (?)", [i]);
        counts.done++;
      } catch (error) {
        if (error instanceof QueueFullError) counts.refused++;
        else counts.other++;
      }
    };
    let peakMb = before.rssMb;
    for (let i = 0; i < last; i++) {
      void call(i);
      if (i % 2000 < 1999) continue;
      await new Promise(setImmediate);
      peakMb = Math.max(peakMb, rssMb());
    }
    while (counts.done + counts.refused + counts.other < last) await delay(1);
    const { n } = (await pool.get<{ n: number }>("SELECT count(*) AS n FROM t"))!;
    return { counts, stored: n - 5000, grownMb: peakMb - before.rssMb };
  },

  /** Bytes of the heap that each of many calls takes that are made in one tick and wait. */
  async waiting() {
    const db: Connection = toBeClosed(await connect(":memory:", { isolationLevel: null }));
    await db.execute("CREATE TABLE t (a)");
    const call = async (i: number): Promise<unknown> => db.execute("INSERT INTO t VALUES (?)", [i]);
    await repeat(first, call);
    const before = await footprint();
    const calls = Array.from({ length: last }, (_, i) => db.execute("INSERT INTO t VALUES (?)", [i]));
    const bytes = bytesEach(before);
    await Promise.all(calls);
    const stored = await db.executeFetchall<[number]>("SELECT count(*) FROM t");
    return { bytes, stored: stored[0]![0] - first };
  },

  /** The same of a pool, whose threads have 2,048 calls each at the most. */
  async waitingPool() {
    const bounds = { maxQueue: 2 * last, maxWaiting: 2 * last, acquireTimeout: 0 };
    const pool = toBeClosed(await createPool(":memory:", bounds));
    await pool.exec("CREATE TABLE t (a)");
    const call = async (i: number): Promise<unknown> => pool.run("INSERT INTO t VALUES (?)", [i]);
    await repeat(first, call);
    const before = await footprint();
    const calls = Array.from({ length: last }, (_, i) => pool.run("INSERT INTO t VALUES (?)", [i]));
    const bytes = bytesEach(before);
    await Promise.all(calls);
    const stored = await pool.get<{ n: number }>("SELECT count(*) AS n FROM t");
    return { bytes, stored: stored!.n - first };
  },

  /** A million rows to a consumer that is slower than the thread: the thread may be so many rows ahead. */
  async slow() {
    const state = { produced: 0 };
    const sql =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT seen(i) AS i FROM n";
    const seen = (i: number): number => (state.produced = i);
    const results: Record<string, { ahead: number; read: number }> = {};
    const watch = async (name: string, rows: AsyncIterable<{ i: number }>): Promise<void> => {
      state.produced = 0;
      let ahead = 0;
      let read = 0;
      for await (const { i } of rows) {
        read++;
        if (i !== read) throw new Error(`row ${read} is ${i}`);
        if (read % first === 0) {
          // Time for all that the thread would do by itself.
          await delay(20);
        }
        ahead = Math.max(ahead, state.produced - read);
        if (read === last) break;
      }
      results[name] = { ahead, read };
    };
    const pool = toBeClosed(await createPool(path));
    await pool.createFunction("seen", 1, seen);
    await watch("pool", pool.iterate<{ i: number }>(sql));
    const db: Connection = toBeClosed(await connect(path));
    await db.createFunction("seen", 1, seen);
    db.rowFactory = (_, row) => ({ i: row[0] });
    const cursor = await db.execute(sql);
    await watch("connection", cursor as AsyncIterable<{ i: number }>);
    return results;
  },

  /** Connections that are opened, used, and forgotten. */
  async dropped() {
    const counts = { warnings: 0, strange: 0, ended: 0 };
    process.on("warning", ({ name, message }) => {
      if (name === "ResourceWarning" && message.includes("openAndForget")) counts.warnings++;
      else counts.strange++;
    });
    const createWorker = (...args: ConstructorParameters<typeof Worker>): Worker =>
      new Worker(...args).once("exit", () => counts.ended++);
    async function openAndForget(): Promise<void> {
      const db = await connect(path, { createWorker });
      await db.executeFetchall("SELECT 1");
    }
    // A thread's end follows its warning.
    const collect = async (wanted: number): Promise<void> => {
      while (Math.min(counts.warnings, counts.ended) < wanted) {
        globalThis.gc!();
        await delay(5);
      }
    };
    await openAndForget();
    await collect(1);
    const before = await footprint();
    for (let opened = 1; opened < last; ) {
      const some = Math.min(8, last - opened);
      await Promise.all(Array.from({ length: some }, openAndForget));
      opened += some;
      await collect(opened);
    }
    return { ...counts, before, after: await footprint() };
  },
};

const result = await trials[trial]!();
for (const resource of resources) await resource.close();
say(JSON.stringify(result));
