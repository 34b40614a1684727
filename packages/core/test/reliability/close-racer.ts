// Run by close.test.ts: `node close-racer.ts <folder> <seed> <races>`. Closes connections and pools at random moments,
// and holds that all calls settle, that no thread is left, and that what was answered is stored. It ends by itself.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import {
  type Connection,
  ConnectionClosedError,
  type ConnectOptions,
  connect,
  createPool,
  Pool,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import { random } from "../support/random.ts";
import { say } from "./say.ts";

const [folder, seed, races] = process.argv.slice(2) as [string, string, string];
const below = random(Number(seed));
const Database = createRequire(new URL("../../../worker/package.json", import.meta.url))("better-sqlite3");
const INSERT = "INSERT INTO t (id, x) VALUES (?, ?)";
const NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000) SELECT i FROM n";

interface Made {
  readonly id: number;
  /** Rows that it stores, all or none. */
  readonly rows: number;
  readonly outcome: Promise<unknown>;
  /** It makes a further call when the first is answered, which may be too late. */
  readonly goesOn: boolean;
}

const turns = async (n: number): Promise<void> => {
  for (let i = 0; i < n; i++) await new Promise(setImmediate);
};

function counted(): {
  alive: Set<Worker>;
  gone: () => Promise<void>;
  createWorker: NonNullable<ConnectOptions["createWorker"]>;
} {
  const alive = new Set<Worker>();
  let resolveGone: (() => void) | null = null;
  return {
    alive,
    gone: () =>
      new Promise((resolve) => {
        if (alive.size === 0) resolve();
        else resolveGone = resolve;
        // One that the race itself has ended keeps no process alive.
        for (const worker of alive) worker.ref();
      }),
    createWorker: (url, options) => {
      const worker = new Worker(url, options);
      alive.add(worker);
      worker.once("exit", () => {
        alive.delete(worker);
        if (alive.size === 0) resolveGone?.();
      });
      return worker;
    },
  };
}

function maker(id: number): (rows: number, outcome: Promise<unknown>, goesOn?: boolean) => Made {
  return (rows, outcome, goesOn = false) => ({ id, rows, outcome, goesOn });
}

function onConnection(db: Connection, id: number): Made {
  const made = maker(id);
  switch (below(5)) {
    case 0:
      return made(
        2,
        db.transaction(async (tx) => {
          await tx.execute(INSERT, [id, 1]);
          await tx.execute(INSERT, [id, 2]);
        }),
      );
    case 1:
      return made(
        10,
        db.executemany(
          INSERT,
          Array.from({ length: 10 }, (_, x) => [id, x]),
        ),
      );
    case 2:
      return made(0, db.executeFetchall(NUMBERS));
    case 3:
      return made(0, fetched(db), true);
    default:
      return made(1, db.execute(INSERT, [id, 1]));
  }
}

function onPool(pool: Pool, id: number): Made {
  const made = maker(id);
  switch (below(6)) {
    case 0:
      return made(
        2,
        pool.transaction(async (tx) => {
          await tx.run(INSERT, [id, 1]);
          await tx.run(INSERT, [id, 2]);
        }),
      );
    case 1:
      return made(
        0,
        pool.read((tx) => tx.all(NUMBERS)),
      );
    case 2:
      return made(0, first(pool));
    case 3:
      return made(2, leased(pool, id));
    case 4:
      return made(0, pool.get("SELECT count(*) FROM t"));
    default:
      return made(1, pool.run(INSERT, [id, 1]));
  }
}

async function fetched(db: Connection): Promise<void> {
  const cursor = await db.execute(NUMBERS);
  assert.equal((await cursor.fetchmany(100)).length, 100);
}

async function first(pool: Pool): Promise<void> {
  for await (const row of pool.iterate<{ i: number }>(NUMBERS)) if (row.i === 1000) break;
}

async function leased(pool: Pool, id: number): Promise<void> {
  const conn = await pool.acquire();
  try {
    await conn.execute(INSERT, [id, 1]);
    await conn.execute(INSERT, [id, 2]);
    await conn.commit();
  } finally {
    await pool.release(conn);
  }
}

async function race(number: number): Promise<string> {
  const path = join(folder, `${number}.db`);
  const { alive, gone, createWorker } = counted();
  const pooled = below(2) === 0;
  const subject = pooled
    ? await createPool(path, { createWorker, readers: below(4) })
    : await connect(path, { createWorker, isolationLevel: null, pragmas: { journal_mode: "wal" } });
  if (subject instanceof Pool) await subject.exec("CREATE TABLE t (id, x)");
  else await subject.executescript("CREATE TABLE t (id, x)");
  const made = Array.from({ length: below(40) }, (_, id) =>
    subject instanceof Pool ? onPool(subject, id) : onConnection(subject, id),
  );
  const outcomes = Promise.allSettled(made.map(({ outcome }) => outcome));
  await turns(below(20));
  const crashed = below(4) === 0;
  if (crashed) void [...alive][below(alive.size)]!.terminate();
  const how = ["close", "twice", "dispose", pooled ? "deadline" : "stop"][below(4)]!;
  const closings: Promise<unknown>[] = [];
  if (how === "dispose") closings.push(subject[Symbol.asyncDispose]());
  else if (how === "stop") closings.push((subject as Connection).stop());
  else if (how === "deadline") closings.push((subject as Pool).close({ timeout: below(30) }));
  else closings.push(subject.close());
  if (how === "twice") {
    await turns(below(5));
    closings.push(subject.close(), subject.close());
  }
  await Promise.all(closings);
  await subject.close();
  const results = await outcomes;
  await gone();
  const engine = new Database(path, { timeout: 0 });
  // The file is not locked.
  engine.exec("BEGIN EXCLUSIVE; ROLLBACK");
  const count = engine.prepare("SELECT count(*) FROM t WHERE id = ?").pluck();
  for (const [i, { id, rows, goesOn }] of made.entries()) {
    const result = results[i]!;
    const stored = count.get(id);
    if (result.status === "fulfilled") {
      if (rows > 0) assert.equal(stored, rows);
      continue;
    }
    const error: unknown = result.reason;
    const expected =
      error instanceof ConnectionClosedError
        ? // Orderly closing finishes earlier calls. A crash during it may appear as either.
          how === "deadline" || crashed || goesOn
        : error instanceof WorkerCrashedError && crashed;
    assert.ok(expected, `${how}, ${crashed ? "crashed" : "alive"}: ${String((error as Error).stack)}`);
    // A batch outside of a transaction keeps what was done before.
    if (rows === 10) assert.ok(stored <= 10);
    else assert.ok(stored === 0 || stored === rows, `${id}: ${stored} of ${rows} rows`);
  }
  engine.close();
  return `${pooled ? "pool" : "connection"} ${how}${crashed ? " crashed" : ""}`;
}

for (let i = 0; i < Number(races); i++) say(`${i} ${await race(i)}`);
