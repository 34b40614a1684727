import { Worker } from "node:worker_threads";
import { connect, type Connection, type Pool, type PoolOptions, WorkerCrashedError } from "@sqlite-aio/core";
import { expect, it, onTestFinished } from "vitest";
import { type Engine, openEngine, temporaryPath } from "../support/database.ts";
import { openPool, poolFunctions, until } from "../support/pool-support.ts";
import { random } from "../support/random.ts";
import { figure, seed, soak, times, within } from "./scale.ts";

/** The figures of each kind of death, for a pool and for a connection. */
const DEATHS = times(3, 100);
/** The promise, where nothing else runs on the machine. */
const WHOLE_AGAIN_MS = within(15_000, 1000);
const OPERATIONS = 24;

type Death = "exit" | "heap" | "terminate";
type Below = (n: number) => number;

const tally = { deaths: 0, calls: 0, rejected: 0, slowestMs: 0 };

/** Ends the thread where it is evaluated; 0 otherwise. */
function deadly(death: Death): string {
  return death === "heap" ? "CASE ?2 WHEN 1 THEN exhaust() ELSE 0 END" : "exit_if(?2)";
}

interface Threads {
  readonly alive: Set<Worker>;
  /** When the last one ended. */
  diedAt: number;
  readonly died: () => Promise<void>;
  readonly options: Pick<PoolOptions, "createWorker" | "resourceLimits">;
}

function threads(): Threads {
  const alive = new Set<Worker>();
  let deaths = 0;
  const waiting: { readonly after: number; readonly resolve: () => void }[] = [];
  const state: Threads = {
    alive,
    diedAt: 0,
    died: () => new Promise((resolve) => waiting.push({ after: deaths, resolve })),
    options: {
      resourceLimits: { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 },
      createWorker: (url, options) => {
        const worker = new Worker(url, options);
        alive.add(worker);
        worker.once("exit", () => {
          alive.delete(worker);
          deaths++;
          state.diedAt = performance.now();
          for (const { resolve } of waiting.splice(0)) resolve();
        });
        return worker;
      },
    },
  };
  return state;
}

/** A call, and what it should have left in the database if it was answered: rows of `id`, all or none. */
interface Made {
  readonly id: number;
  readonly rows: number;
  /** It meets the death itself, so nothing of it may stay. */
  readonly fatal: boolean;
  readonly outcome: Promise<unknown>;
}

/** The result of a call; one that never settles has a result of its own. */
async function settled(made: readonly Made[], limitMs: number): Promise<unknown[]> {
  const silent = Symbol("never settled");
  let timer!: NodeJS.Timeout;
  const late = new Promise<typeof silent>((resolve) => {
    timer = setTimeout(() => resolve(silent), limitMs);
  });
  const results = await Promise.all(
    made.map(({ outcome }) =>
      Promise.race([
        outcome.then(
          (value) => ({ value }),
          (error: unknown) => ({ error }),
        ),
        late,
      ]),
    ),
  );
  clearTimeout(timer);
  expect(results).not.toContain(silent);
  return results.map((result) =>
    "error" in (result as object) ? (result as { error: unknown }).error : null,
  );
}

/**
 * Answered writes are stored, unanswered ones are whole or absent, and the dead thread's transaction is rolled back.
 */
function check(made: readonly Made[], errors: readonly unknown[], engine: Engine): void {
  const count = engine.prepare("SELECT count(*) FROM t WHERE id = ?").pluck();
  for (const [i, { id, rows, fatal }] of made.entries()) {
    const error = errors[i];
    tally.calls++;
    if (error !== null) {
      tally.rejected++;
      expect(error, String(id)).toBeInstanceOf(WorkerCrashedError);
    }
    if (rows === 0) continue;
    const stored = count.get(id);
    if (error === null) expect(stored, String(id)).toBe(rows);
    else expect(fatal ? [0] : [0, rows], String(id)).toContain(stored);
  }
}

/** The write lock is free, as the engine itself sees it. */
function lockIsFree(engine: Engine): void {
  engine.exec("BEGIN IMMEDIATE; ROLLBACK");
}

function noteRecovery(ms: number): void {
  tally.deaths++;
  tally.slowestMs = Math.max(tally.slowestMs, ms);
  expect(ms).toBeLessThan(WHOLE_AGAIN_MS);
}

const NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000) SELECT i FROM n";
const INSERT = "INSERT INTO t (id, x) VALUES (?, ?)";

function poolCalls(pool: Pool, death: Death, first: number, below: Below): Made[] {
  const fatalAt = death === "terminate" ? -1 : below(OPERATIONS);
  const fatalInsert = `INSERT INTO t (id, x) SELECT ?1, ${deadly(death)}`;
  return Array.from({ length: OPERATIONS }, (_, i): Made => {
    const id = first + i;
    const fatal = i === fatalAt;
    const made = (rows: number, outcome: Promise<unknown>): Made => ({ id, rows, fatal, outcome });
    const last = (tx: Pick<Pool, "run">): Promise<unknown> =>
      fatal ? tx.run(fatalInsert, [id, 1]) : tx.run(INSERT, [id, i]);
    switch (below(6)) {
      case 0:
        return made(
          2,
          pool.transaction(async (tx) => {
            await tx.run(INSERT, [id, -1]);
            await last(tx);
          }),
        );
      case 1:
        return made(2, leased(pool, id, fatal ? fatalInsert : null));
      case 2:
        return made(0, fatal ? pool.get(`SELECT ?1, ${deadly(death)}`, [id, 1]) : iterated(pool));
      case 3:
        return made(
          0,
          pool
            .all(`SELECT ?1 AS id, ${deadly(death)} AS zero`, [id, Number(fatal)])
            .then((rows) => expect(rows).toEqual([{ id, zero: 0 }])),
        );
      default:
        return made(1, last(pool));
    }
  });
}

async function iterated(pool: Pool): Promise<void> {
  let sum = 0;
  for await (const { i } of pool.iterate<{ i: number }>(NUMBERS)) sum += i;
  expect(sum).toBe((3000 * 3001) / 2);
}

async function leased(pool: Pool, id: number, fatalInsert: string | null): Promise<void> {
  await using conn = await pool.acquire();
  await conn.execute(INSERT, [id, -1]);
  await (fatalInsert === null ? conn.execute(INSERT, [id, -2]) : conn.execute(fatalInsert, [id, 1]));
  await conn.commit();
}

async function turns(n: number): Promise<void> {
  for (let i = 0; i < n; i++) await new Promise(setImmediate);
}

async function poolDies(death: Death, below: Below): Promise<void> {
  const path = await temporaryPath();
  const created = threads();
  const pool = await openPool({ readers: 2, acquireTimeout: 0, ...created.options }, path);
  await pool.exec("CREATE TABLE t (id INTEGER, x)");
  await pool.createFunction("exit_if", 1, poolFunctions, { export: "exitIf" });
  await pool.createFunction("exhaust", 0, poolFunctions, { export: "exhaust" });
  const engine = openEngine(path);
  for (let i = 0; i < DEATHS; i++) {
    await pool.get("SELECT 1");
    const died = created.died();
    const made = poolCalls(pool, death, i * 1000, below);
    for (const { outcome } of made) outcome.catch(() => {});
    if (death === "terminate") {
      await turns(below(30));
      const victims = [...created.alive];
      void victims[below(victims.length)]!.terminate();
    }
    await died;
    const { diedAt } = created;
    const errors = await settled(made, WHOLE_AGAIN_MS);
    // Whole: it writes, it reads, and nothing is locked or waits.
    expect(await pool.run(INSERT, [i * 1000 + 999, 0])).toMatchObject({ changes: 1 });
    expect(await pool.get("SELECT 1 AS one")).toEqual({ one: 1 });
    lockIsFree(engine);
    noteRecovery(performance.now() - diedAt);
    await until(() => pool.stats().pending === 0 && pool.stats().writers === 1);
    check(made, errors, engine);
  }
  // If a thread is ended from outside, it is chance whether a call had it or it was still being opened.
  if (death !== "terminate" || soak) expect(pool.stats().respawned).toBeGreaterThan(0);
  expect(engine.pragma("integrity_check", { simple: true })).toBe("ok");
}

function connectionCalls(db: Connection, death: Death, first: number, below: Below): Made[] {
  const fatalAt = death === "terminate" ? -1 : below(OPERATIONS);
  const fatalInsert = `INSERT INTO t (id, x) SELECT ?1, ${deadly(death)}`;
  return Array.from({ length: OPERATIONS }, (_, i): Made => {
    const id = first + i;
    const fatal = i === fatalAt;
    const made = (rows: number, outcome: Promise<unknown>): Made => ({ id, rows, fatal, outcome });
    if (fatal || below(2) === 0) {
      return made(
        2,
        db.transaction(async (tx) => {
          await tx.execute(INSERT, [id, -1]);
          await (fatal ? tx.execute(fatalInsert, [id, 1]) : tx.execute(INSERT, [id, -2]));
        }),
      );
    }
    if (below(3) === 0) return made(0, db.executeFetchall(NUMBERS));
    return made(1, db.execute(INSERT, [id, i]));
  });
}

async function connectionDies(death: Death, below: Below): Promise<void> {
  const path = await temporaryPath();
  const engine = openEngine(path);
  engine.exec("CREATE TABLE t (id INTEGER, x)");
  for (let i = 0; i < DEATHS; i++) {
    const created = threads();
    const db = await connect(path, { isolationLevel: null, ...created.options });
    onTestFinished(() => db.close());
    await db.createFunction("exit_if", 1, poolFunctions, { export: "exitIf" });
    await db.createFunction("exhaust", 0, poolFunctions, { export: "exhaust" });
    const died = created.died();
    const made = connectionCalls(db, death, i * 1000, below);
    for (const { outcome } of made) outcome.catch(() => {});
    if (death === "terminate") {
      await turns(below(30));
      for (const worker of created.alive) void worker.terminate();
    }
    await died;
    const { diedAt } = created;
    const errors = await settled(made, WHOLE_AGAIN_MS);
    expect(db.inTransaction).toBe(false);
    lockIsFree(engine);
    noteRecovery(performance.now() - diedAt);
    check(made, errors, engine);
    await db.close();
  }
  expect(engine.pragma("integrity_check", { simple: true })).toBe("ok");
}

it(
  "when a thread dies every promise settles, its transaction is undone, its lock is free and its pool is whole",
  async () => {
    const below = random(seed);
    for (const death of ["exit", "heap", "terminate"] as const) {
      await poolDies(death, below);
      await connectionDies(death, below);
    }
    expect(tally.deaths).toBe(6 * DEATHS);
    expect(tally.rejected).toBeGreaterThan(0);
    figure(
      "thread-death",
      `${tally.deaths} deaths, ${tally.calls} calls in flight, all settled, ${tally.rejected} of them as crashed; transactions undone, locks free, the pool whole after ${Math.ceil(tally.slowestMs)} ms at the most`,
    );
  },
  within(90_000, 1_800_000),
);
