/**
 * Closes, replaces and forgets a program's connections, again and again, and prints what is left: heap, threads,
 * descriptors, and unused closures and Workers. Argument: how often.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { Worker, type WorkerOptions } from "node:worker_threads";
import {
  capabilities,
  type Connection,
  connect,
  createPool,
  createPools,
  parkThreads,
  type Pool,
} from "@sqlite-aio/core";

const times = Number(process.argv[2]);
// None ends while something else is counted.
parkThreads({ idleTimeout: 0 });
const folder = await mkdtemp(join(tmpdir(), "sqlite-aio-forgotten-"));
const path = join(folder, "test.db");
const deadly = new URL("../fixtures/deadly.mjs", import.meta.url);

const callers = new AsyncLocalStorage<object>();

/** Workers, and what closures hold on to, to see whether they are gone. */
let held: WeakRef<object>[] = [];

function closure(): () => number {
  const large = { values: new Array(1000).fill(1) as number[] };
  held.push(new WeakRef(large));
  return () => large.values[0]! - 1;
}

/** Keeps a weak reference to the Worker, which holds everything of a connection. */
function createWorker(url: URL, options: WorkerOptions): Worker {
  const worker = new Worker(url, options);
  held.push(new WeakRef(worker));
  return worker;
}

/** Threads take their time to end: no longer than it takes, and then as often as it may matter. */
async function collect(): Promise<void> {
  for (let round = 0; round < 5 || (round < 100 && alive() > LAST); round++) {
    globalThis.gc!({ type: "major", execution: "sync", flavor: "last-resort" });
    await turn();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/**
 * Of each kind of work the last ones may still be in use, before it or after it. Nor does SQLite close a file's descriptor while
 * another connection has a lock on the file: it keeps it for the next one, who may have come a moment too early.
 */
const LAST = 3;

const alive = (): number => held.filter((reference) => reference.deref() !== undefined).length;

const count = (directory: string): number => readdirSync(directory).length;

interface Figures {
  readonly heap: number;
  readonly threads: number;
  readonly descriptors: number;
}

async function figures(): Promise<Figures> {
  await collect();
  return {
    heap: process.memoryUsage().heapUsed,
    threads: count("/proc/self/task"),
    descriptors: count("/proc/self/fd"),
  };
}

const pool: Pool = await createPool(path, { readers: 0, writers: 1, createWorker });
await pool.exec("CREATE TABLE t (a); CREATE TABLE b (b); INSERT INTO b VALUES (zeroblob(10))");
const image = await (async () => {
  await using one = await connect(":memory:");
  await one.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(100000))");
  return await one.serialize();
})();
const db: Connection = await connect(path, { isolationLevel: null });
const databases = createPools({
  open: (key) => ({ database: join(folder, `${key}.db`), options: { readers: 1, createWorker } }),
  max: 1,
});
let used = 0;
const NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) SELECT i FROM n";

/** Each of these leaves nothing behind. */
const works: Readonly<Record<string, () => Promise<void>>> = {
  "a connection that is closed": async () => {
    const one = await connect(":memory:", { createWorker });
    await one.createFunction("f", 0, closure());
    await one.executeFetchall("SELECT f()");
    await one.close();
  },
  "a connection whose thread is parked and taken": async () => {
    // Afterwards nothing holds the caller's async context, or the values that the connection was given.
    const context = { values: new Array(1000).fill(1) as number[] };
    held.push(new WeakRef(context));
    await callers.run(context, async () => {
      const one = await connect(":memory:", { image, signal: new AbortController().signal });
      await one.createFunction("f", 0, closure());
      await one.setTraceCallback(closure());
      if (capabilities.authorizer) await one.setAuthorizer(closure());
      if (capabilities.interrupt) await one.setProgressHandler(closure(), 1000);
      await one.executeFetchall("SELECT f()");
      await one.close();
    });
  },
  "a pool whose threads are parked and taken": async () => {
    const one = await createPool(path);
    await one.createFunction("f", 0, closure());
    await one.get("SELECT f()");
    await one.close();
  },
  "a pool that is closed": async () => {
    const one = await createPool(":memory:", { createWorker });
    await one.createFunction("f", 0, closure());
    await one.get("SELECT f()");
    await one.close();
  },
  "a thread that is replaced": async () => {
    const before = pool.stats().respawned;
    await pool.get("SELECT die()").catch(() => {});
    while (pool.stats().respawned === before) await pool.get("SELECT 1").catch(() => {});
  },
  "a function that is defined again": async () => {
    await db.createFunction("again", 0, closure());
    await pool.createFunction("again", 0, closure());
  },
  "a definition that fails": async () => {
    await db.createFunction("x".repeat(255), 0, closure(), { deterministic: true });
    await db.createFunction("f", 101, closure()).catch(() => {});
  },
  "an authorizer that is replaced": async () => {
    if (capabilities.authorizer) await db.setAuthorizer(closure());
  },
  "a lease with a function, an authorizer and a trace callback": async () => {
    await using lease = await pool.acquire();
    await lease.createFunction("leased", 0, closure());
    if (capabilities.authorizer) await lease.setAuthorizer(closure());
    await lease.setTraceCallback(closure());
    await lease.executeFetchall("SELECT 1");
  },
  "a backup": async () => {
    await db.backup(join(folder, "copy.db"), { progress: closure() });
  },
  "a lease with an aggregate, a collation and a blob": async () => {
    const [step, order] = [closure(), closure()];
    await using lease = await pool.acquire();
    await lease.createAggregate(
      "counted",
      1,
      class {
        step(): void {
          step();
        }
        finalize(): number {
          return step();
        }
      },
    );
    await lease.executeFetchall("SELECT counted(value) FROM json_each('[1, 2]')");
    if (!capabilities.collations || !capabilities.blobs) return;
    await lease.createCollation("ordered", order);
    await lease.executeFetchall("SELECT value FROM json_each('[1, 2]') ORDER BY value || '' COLLATE ordered");
    await (await lease.blobopen("b", "b", 1)).read(1);
  },
  "a database that is closed for another": async () => {
    await databases.use(`${++used % 3}`, async (one) => {
      await one.createFunction("f", 0, closure());
      await one.get("SELECT f()");
    });
  },
  "a live query that is left": async () => {
    if (!capabilities.changes) return;
    await using live = pool.watch("SELECT count(*) AS n FROM t WHERE ? IS NOT NULL", [Buffer.alloc(1000)]);
    held.push(new WeakRef(live));
    await live.next();
  },
  "a generator over rows that is dropped": async () => {
    const context = { values: new Array(1000).fill(1) as number[] };
    held.push(new WeakRef(context));
    async function* generated(): AsyncGenerator {
      for await (const row of pool.iterate(NUMBERS)) yield [row, context];
    }
    await generated().next();
    while (pool.stats().busy > 0) {
      globalThis.gc!();
      await turn();
    }
  },
};
// Before there is an authorizer, whose answer is not always yes.
await pool.createFunction("die", 0, deadly, { export: "die" });

const left: Record<string, unknown> = {};
for (const [name, work] of Object.entries(works)) {
  // V8 compiles what runs for the first hundred times, which would count as what is left.
  for (let i = 0; i < Math.max(5, times / 10); i++) await work();
  held = [];
  const before = await figures();
  for (let i = 0; i < times; i++) await work();
  const after = await figures();
  left[name] = {
    kept: Math.max(0, alive() - LAST),
    heap: Math.round((after.heap - before.heap) / times),
    threads: Math.max(0, after.threads - before.threads - LAST),
    descriptors: Math.max(0, after.descriptors - before.descriptors - LAST),
  };
}
if (capabilities.authorizer) await db.setAuthorizer(null);
await db.close();
await pool.close();
await databases.close();
await rm(folder, { recursive: true, force: true });
console.log(JSON.stringify(left));
