import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Verb } from "@sqlite-aio/worker/wire";
import { OperationalError, ProgrammingError } from "./errors.js";
import { integer } from "./options.js";
import type { Runner } from "./runner.js";

/** Options of `backup()`. */
export interface BackupOptions {
  /** Pages copied per step; 0, the default, copies all in one step. */
  pages?: number | undefined;
  /** Called after each step with SQLite's result code, the pages that remain, and the pages in all. */
  progress?: ((status: number, remaining: number, total: number) => void) | null | undefined;
  /** Which database: `"main"`, the default, `"temp"` or the name of an attached one. */
  name?: string | undefined;
  /** Milliseconds to sleep when a step meets a lock. Default 250. */
  sleep?: number | undefined;
}

/** A connection to copy into. */
interface Target {
  readonly runner: Runner;
  readonly path: string;
}

interface BackupSettings {
  readonly pages: number;
  readonly progress: ((status: number, remaining: number, total: number) => void) | null;
  readonly name: string;
  readonly sleep: number;
}

const SQLITE_DONE = 101;

/** Copies the runner's database into a file, or into another connection. */
export async function backUp(source: Runner, target: Target | string, options: BackupOptions): Promise<void> {
  const settings = check(options);
  if (typeof target === "string") {
    if (target === "" || target === ":memory:" || target.includes("\0")) {
      throw new TypeError("backup: the target must be a path or a Connection");
    }
    await barrier(source);
    await copy(source, target, settings);
    return;
  }
  if (typeof target !== "object" || target === null)
    throw new TypeError("backup: the target must be a path or a Connection");
  await barrier(source);
  const lane = await target.runner.lease(undefined);
  try {
    const inner = target.runner.within(lane, true);
    await barrier(inner);
    if (inner.channel.inTransaction) throw new OperationalError("target is in transaction");
    if (target.path !== ":memory:" && target.path !== "") await copy(source, target.path, settings);
    else await copyIntoMemory(source, inner, settings);
  } finally {
    lane.end(new ProgrammingError("the backup is over"));
  }
}

/** The engine can only back up into a file; an in-memory target takes that file's bytes for its contents. */
async function copyIntoMemory(source: Runner, target: Runner, settings: BackupSettings): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sqlite-aio-"));
  try {
    const file = join(folder, "backup.db");
    await copy(source, file, settings);
    const image = new Uint8Array(await readFile(file));
    await target.channel.outOfBand((remote) => remote.replace(image));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function copy(source: Runner, path: string, settings: BackupSettings): Promise<void> {
  const { channel } = source;
  const { progress } = settings;
  // CPython reports SQLITE_DONE with the last step.
  const report =
    progress === null
      ? 0
      : channel.closures.add((status: number, remaining: number, total: number) => {
          progress(status === 0 && remaining === 0 ? SQLITE_DONE : status, remaining, total);
          return null;
        });
  try {
    await channel.outOfBand((remote) =>
      remote.backup({
        path,
        name: settings.name,
        pages: settings.pages,
        progress: report,
        sleep: settings.sleep,
      }),
    );
  } finally {
    channel.closures.delete(report);
  }
}

async function barrier(runner: Runner): Promise<void> {
  await runner.perform(runner.control(Verb.BARRIER));
}

function check(options: BackupOptions): BackupSettings {
  if (typeof options !== "object" || options === null) throw new TypeError("the options must be an object");
  const { progress = null, name = "main" } = options;
  if (progress !== null && typeof progress !== "function")
    throw new TypeError("progress argument must be a function");
  if (typeof name !== "string" || name === "")
    throw new TypeError('option "name" must be the name of a database');
  return {
    pages: integer(options.pages, "pages", 0, -1),
    progress,
    name,
    sleep: integer(options.sleep, "sleep", 250, 0),
  };
}
