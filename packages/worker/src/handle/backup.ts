import { quoteName } from "../sql/quote.js";
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type EngineDatabase, prepareOwn } from "../engine/engine-api.js";
import { UsageError } from "../wire/fault.js";
import type { BackupOptions } from "../wire/thread-api.js";

const SQLITE_OK = 0;
const SQLITE_BUSY = 5;
const SQLITE_DONE = 101;

const ALL_PAGES = 0x7fffffff;
/** While a backup waits for a lock, the event loop gets a turn after this many milliseconds. */
const PAUSE_MS = 1;

/** Called after each step, with CPython's order of arguments. */
export type BackupReport = (status: number, remaining: number, total: number) => void;

const clock = new Int32Array(new SharedArrayBuffer(4));

/**
 * Copies a database into a file, in steps between which the event loop turns. Waits for locks until `timeout`
 * milliseconds have passed without a copied page.
 */
export async function backUp(
  db: EngineDatabase,
  options: BackupOptions,
  timeout: number,
  report: BackupReport,
): Promise<void> {
  let deadline = performance.now() + timeout;
  for (;;) {
    const steps = new Steps(options, timeout, report);
    const { totalPages } = await db.backup(options.path, {
      attached: options.name,
      progress: (info) => steps.next(info.remainingPages, info.totalPages),
    });
    // If the engine meets a lock at the first step, it reports the backup as finished, with no pages.
    const copied = totalPages === 0 ? isEmpty(db, options.name) : existsSync(options.path);
    if (copied) {
      report(SQLITE_DONE, 0, totalPages);
      return;
    }
    if (steps.moved) deadline = performance.now() + timeout;
    report(SQLITE_BUSY, 0, totalPages);
    if (performance.now() >= deadline) throw locked();
    await delay(Math.min(options.sleep, deadline - performance.now()));
  }
}

/** Decides after each step of the engine how many pages the next one copies. */
class Steps {
  readonly #pages: number;
  readonly #sleep: number;
  readonly #timeout: number;
  readonly #report: BackupReport;
  #remaining = -1;
  #total = -1;
  /** The previous step was told to copy pages. The engine's first step never is. */
  #copying = false;
  #resume = 0;
  #deadline: number;
  moved = false;

  constructor(options: BackupOptions, timeout: number, report: BackupReport) {
    this.#pages = options.pages > 0 ? Math.min(options.pages, ALL_PAGES) : ALL_PAGES;
    this.#sleep = options.sleep;
    this.#timeout = timeout;
    this.#report = report;
    this.#deadline = performance.now() + timeout;
  }

  /** The number of pages that the next step copies. */
  next(remaining: number, total: number): number {
    const now = performance.now();
    if (this.#copying) {
      const stuck = remaining === this.#remaining && total === this.#total;
      this.#report(stuck ? SQLITE_BUSY : SQLITE_OK, remaining, total);
      if (stuck) {
        if (now >= this.#deadline) throw locked();
        this.#resume = now + this.#sleep;
        this.#copying = false;
        return 0;
      }
      this.moved = true;
      this.#deadline = now + this.#timeout;
    } else if (now < Math.min(this.#resume, this.#deadline)) {
      Atomics.wait(clock, 0, 0, PAUSE_MS);
      return 0;
    }
    this.#remaining = remaining;
    this.#total = total;
    this.#copying = true;
    return this.#pages;
  }
}

/** Throws if there is no database of this name. The engine would find out only after creating the file. */
export function requireDatabase(db: EngineDatabase, name: string): void {
  const wanted = name.toLowerCase();
  const rows = prepareOwn(db, "PRAGMA database_list").raw().all();
  // The temp database is listed only after its first use.
  if (wanted !== "temp" && !rows.some((row) => String(row[1]).toLowerCase() === wanted)) {
    throw new UsageError("SQLITE_ERROR", `unknown database ${name}`);
  }
}

function isEmpty(db: EngineDatabase, name: string): boolean {
  try {
    return (
      prepareOwn(db, `PRAGMA ${quoteName(name)}.page_count`)
        .pluck()
        .get() === 0
    );
  } catch {
    // The database is locked.
    return false;
  }
}

function locked(): UsageError {
  return new UsageError("SQLITE_BUSY", "database is locked");
}
