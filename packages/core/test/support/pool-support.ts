import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import {
  type Connection,
  createPool,
  type MemoryDatabase,
  type Pool,
  type PoolOptions,
} from "@sqlite-aio/core";
import { onTestFinished, vi } from "vitest";
import { temporaryFolder, temporaryPath } from "./database.ts";

export const poolFunctions = new URL("../fixtures/pool-functions.mjs", import.meta.url);

/** A pool, on a file of its own unless told otherwise, that is closed when the test is over. */
export async function openPool(
  options: PoolOptions = {},
  database?: string | URL | MemoryDatabase,
): Promise<Pool> {
  const pool = await createPool(database ?? (await temporaryPath()), options);
  onTestFinished(() => pool.close({ timeout: 1000 }));
  return pool;
}

/** Counts the threads that are alive. */
export function counted(): { alive: () => number; createWorker: NonNullable<PoolOptions["createWorker"]> } {
  let alive = 0;
  return {
    alive: () => alive,
    createWorker: (url, options) => {
      const worker = new Worker(url, options);
      alive++;
      worker.once("exit", () => alive--);
      return worker;
    },
  };
}

/**
 * A pool with tables, and the path of its file. Unless told otherwise it does nothing by itself: neither looks for commits
 * of others nor checkpoints, with locks that would be in the way of a test's other connection.
 */
export async function openPoolOf(
  schema: string,
  options: PoolOptions = {},
  file?: string,
): Promise<Pool & { path: string }> {
  const path = file ?? (await temporaryPath());
  const pool = await openPool({ changePollInterval: 0, checkpoint: "external", ...options }, path);
  await pool.exec(schema);
  return Object.assign(pool, { path });
}

/** A pool with a table `t (a)` that holds the integers from 1 to `rows`. */
export async function filledPool(
  rows: number,
  options: PoolOptions = {},
  database?: string | URL,
): Promise<Pool> {
  const pool = await openPool(options, database);
  const values = Array.from({ length: rows }, (_, i) => `(${i + 1})`);
  await pool.exec(`CREATE TABLE t (a); ${rows > 0 ? `INSERT INTO t VALUES ${values.join()}` : ""}`);
  return pool;
}

/** Keeps threads inside statements for as long as a test needs them there. */
export interface Holds {
  /** The argument of `hold(?)` for the n-th statement. */
  readonly name: (n: number) => string;
  /** Resolves when the n-th statement is running. */
  readonly entered: (n: number) => Promise<void>;
  /** Lets the n-th statement end. */
  readonly release: (n: number) => Promise<void>;
}

/** Gives the pool a function `hold` that keeps its thread until it is released. */
export async function holds(pool: Pick<Pool | Connection, "createFunction">): Promise<Holds> {
  const folder = await temporaryFolder();
  const names = new Set<string>();
  await pool.createFunction("hold", 1, poolFunctions, { export: "hold" });
  const name = (n: number): string => {
    const file = `${folder}/${n}`;
    names.add(file);
    return file;
  };
  // Before the folder is removed: otherwise a thread would wait forever.
  onTestFinished(async () => {
    for (const file of names) await writeFile(file, "");
    await sleep(5);
  });
  return {
    name,
    entered: async (n) => await until(() => existsSync(`${name(n)}.entered`)),
    release: async (n) => await writeFile(name(n), ""),
  };
}

/** A filled pool, with a function `hold`. */
export async function heldPool(
  rows: number,
  options: PoolOptions = {},
): Promise<{ pool: Pool; held: Holds }> {
  const pool = await filledPool(rows, options);
  return { pool, held: await holds(pool) };
}

/** A module with a function that returns "late", or with other code. It finishes loading only when it is released. */
export interface SlowModule {
  readonly url: URL;
  /** Resolves when a thread loads it. */
  readonly entered: () => Promise<void>;
  /** Lets it be loaded. */
  readonly release: () => Promise<void>;
}

export async function slowModule(code = 'export default () => "late"'): Promise<SlowModule> {
  const folder = await temporaryFolder();
  const url = pathToFileURL(`${folder}/slow.mjs`);
  await writeFile(
    url,
    `import { existsSync, writeFileSync } from "node:fs";
     writeFileSync(new URL("entered", import.meta.url), "");
     while (!existsSync(new URL("released", import.meta.url))) await new Promise((resolve) => setTimeout(resolve, 1));
     ${code};`,
  );
  return {
    url,
    entered: async () => await until(() => existsSync(`${folder}/entered`)),
    release: async () => await writeFile(`${folder}/released`, ""),
  };
}

/** Resolves when no call is under way, nor one that follows from what has been answered. */
export async function quiet(pool: Pool): Promise<void> {
  await turn();
  await until(() => {
    const { busy, queued, pending } = pool.stats();
    return busy + queued + pending === 0;
  });
}

/** From now on timers and `performance.now()` go by `vi.advanceTimersByTime()`, until the test is over. */
export function stopTheClock(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
}

/** Polls a condition that no event reports. If it never holds, the test ends by its own timeout. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(1);
}

/** A signal that is aborted by the SQL function `give_up()`: while the statement that calls it runs. */
export async function abortedWithin(db: Connection, reason: unknown): Promise<AbortSignal> {
  const controller = new AbortController();
  await db.createFunction("give_up", 0, () => {
    controller.abort(reason);
    return 1;
  });
  return controller.signal;
}

/** The result of each promise. */
export async function outcomes(promises: readonly Promise<unknown>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((result) => (result.status === "fulfilled" ? result.value : result.reason));
}
