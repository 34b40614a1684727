import { access, constants, open, stat } from "node:fs/promises";
import { connect } from "@sqlite-aio/core";
import { quoteName } from "@sqlite-aio/worker/sql";
import { sqlite3Error, type Sqlite3Error } from "../calls/errors.js";
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
 * pages.
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

  /** Throws unless the file can be opened and the database of `handle`'s connection exists. */
  async begin(handle: Handle): Promise<void> {
    const { filename, filenameIsDest, sourceName, destName } = this.#plan;
    await ensureFile(filename);
    const known = await databases(handle);
    const own = filenameIsDest ? sourceName : destName;
    const other = filenameIsDest ? destName : sourceName;
    if (!known.has(own.toLowerCase())) throw unknown(own);
    // A newly opened file has no other databases.
    if (!["main", "temp"].includes(other.toLowerCase())) throw unknown(other);
  }

  /** Copies this many pages; all that remain if negative. True if none are left. */
  async step(handle: Handle, pages: number): Promise<boolean> {
    const { filenameIsDest } = this.#plan;
    const copied = this.#pageCount - this.#remaining;
    this.#pageCount = await this.#countPages(handle);
    this.#remaining = Math.max(0, this.#pageCount - copied);
    if (pages >= 0 && pages < this.#remaining) {
      this.#remaining -= pages;
      return false;
    }
    await (filenameIsDest ? this.#copyOut(handle) : this.#copyIn(handle));
    this.#remaining = 0;
    return true;
  }

  async #countPages(handle: Handle): Promise<number> {
    const { filename, filenameIsDest, sourceName } = this.#plan;
    if (filenameIsDest) return await pageCount(handle.connection, sourceName);
    await using source = await connect(filename, { isolationLevel: null });
    return await pageCount(source, sourceName);
  }

  async #copyOut({ connection }: Handle): Promise<void> {
    const { filename, sourceName } = this.#plan;
    // It would be gone with the backup.
    if (!isFile(filename)) return;
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

/** Whether SQLite opens a file for this name; else it opens a database that nobody else can see. */
function isFile(filename: string): boolean {
  return filename !== "" && filename !== ":memory:";
}

/**
 * Creates the file if there is none, as SQLite does when it opens one. Throws where SQLite cannot open it. A file that
 * exists is not opened here: closing it would release the locks that other connections of the process hold on it.
 * https://sqlite.org/howtocorrupt.html
 */
async function ensureFile(filename: string): Promise<void> {
  if (!isFile(filename)) return;
  try {
    await (await open(filename, "wx", FILE_MODE)).close();
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw cannotOpen(error);
    await refuseUnreadable(filename);
  }
}

async function refuseUnreadable(filename: string): Promise<void> {
  try {
    await access(filename, constants.R_OK);
    if (!(await stat(filename)).isDirectory()) return;
  } catch (error) {
    // A link to a file that does not exist yet: the step that copies creates it.
    if (codeOf(error) === "ENOENT") return;
    throw cannotOpen(error);
  }
  throw cannotOpen(undefined);
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}

/** SQLite's SQLITE_DEFAULT_FILE_PERMISSIONS. */
const FILE_MODE = 0o644;

function cannotOpen(cause: unknown): Sqlite3Error {
  return sqlite3Error("CANTOPEN", "unable to open database file", cause);
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
