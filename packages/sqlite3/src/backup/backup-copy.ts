import { open } from "node:fs/promises";
import { connect } from "@sqlite-aio/core";
import { quoteName } from "@sqlite-aio/worker/sql";
import { fromCore, sqlite3Error, type Sqlite3Error } from "../calls/errors.js";
import { type Handle, OWN } from "../connection/handle.js";
import { copyAsSql } from "./sql-copy.js";

const BUSY = 5;
/** Pages of one step. Other calls of the connection get their turn between steps. */
const PAGES_AT_A_TIME = 1000;

/** What is copied, and where. */
export interface BackupPlan {
  readonly filename: string;
  readonly sourceName: string;
  readonly destName: string;
  readonly filenameIsDest: boolean;
}

/**
 * Copies a database. The engine copies all of it or nothing, so only the last step copies. The steps before it count
 * pages, and make sure that the file exists.
 */
export class BackupCopy {
  readonly #plan: BackupPlan;
  #remaining = -1;
  #pageCount = -1;

  constructor(plan: BackupPlan) {
    this.#plan = plan;
  }

  get remaining(): number {
    return this.#remaining;
  }

  get pageCount(): number {
    return this.#pageCount;
  }

  /** Throws unless the database of `handle`'s connection exists. */
  async begin(handle: Handle): Promise<void> {
    const { filenameIsDest, sourceName, destName } = this.#plan;
    const known = await databases(handle);
    const own = filenameIsDest ? sourceName : destName;
    const other = filenameIsDest ? destName : sourceName;
    if (!known.has(own.toLowerCase())) throw unknown(own);
    // A newly opened file has no other databases.
    if (!["main", "temp"].includes(other.toLowerCase())) throw unknown(other);
  }

  /** Copies this many pages; all that remain if negative. True if none are left. */
  async step(handle: Handle, pages: number): Promise<boolean> {
    const { filename, filenameIsDest } = this.#plan;
    const copied = this.#pageCount - this.#remaining;
    this.#pageCount = await this.#countPages(handle);
    this.#remaining = Math.max(0, this.#pageCount - copied);
    if (pages >= 0 && pages < this.#remaining) {
      this.#remaining -= pages;
      if (pages > 0 && filenameIsDest) await (await open(filename, "a")).close();
      return false;
    }
    await (filenameIsDest ? this.#copyOut(handle) : this.#copyIn(handle));
    this.#remaining = 0;
    return true;
  }

  /** The error of a step. */
  errorOf(error: unknown): Sqlite3Error {
    return (error as { syscall?: unknown }).syscall === undefined
      ? fromCore(error)
      : sqlite3Error("CANTOPEN", "unable to open database file", error);
  }

  async #countPages(handle: Handle): Promise<number> {
    const { filename, filenameIsDest, sourceName } = this.#plan;
    if (filenameIsDest) return await pageCount(handle.connection, sourceName);
    await using source = await connect(filename, { isolationLevel: null });
    return await pageCount(source, sourceName);
  }

  async #copyOut({ connection }: Handle): Promise<void> {
    const { filename, sourceName } = this.#plan;
    await connection.backup(filename, { name: sourceName, pages: PAGES_AT_A_TIME, progress: refuseToWait });
  }

  async #copyIn(handle: Handle): Promise<void> {
    const { filename, sourceName, destName } = this.#plan;
    const path = (await databases(handle)).get(destName.toLowerCase()) ?? "";
    const inMemory = path === "";
    if (inMemory && destName.toLowerCase() !== "main") {
      await copyAsSql(handle.connection, filename, destName);
      return;
    }
    await using source = await connect(filename, { isolationLevel: null });
    await source.backup(inMemory ? handle.connection : path, {
      name: sourceName,
      pages: PAGES_AT_A_TIME,
      progress: refuseToWait,
    });
  }
}

/** A step that meets a lock fails at once instead of waiting. */
function refuseToWait(status: number): void {
  if (status === BUSY) throw sqlite3Error("BUSY", "database is locked");
}

/** The files of a connection's databases by name, in lower case; `""` for those in memory. */
async function databases({ connection }: Handle): Promise<Map<string, string>> {
  const rows = await connection.executeFetchall<{ name: string; file: string | null }>(
    `${OWN}PRAGMA database_list`,
  );
  // The temp database is listed only after its first use.
  const known = new Map([["temp", ""]]);
  for (const { name, file } of rows) known.set(name.toLowerCase(), file ?? "");
  return known;
}

async function pageCount(
  connection: { executeFetchall(sql: string): Promise<unknown[]> },
  name: string,
): Promise<number> {
  const [row] = await connection.executeFetchall(`${OWN}PRAGMA ${quoteName(name)}.page_count`);
  return Number(Object.values(row as object)[0]);
}

function unknown(name: string): Sqlite3Error {
  return sqlite3Error("ERROR", `unknown database ${name}`);
}
