import { readlinkSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type EngineCopy, isPrivate, isSharedMemory, messageOf } from "@sqlite-aio/worker/wire";
import { OperationalError } from "../errors/errors.js";

/** By the real path of a file: the copies of engines that have it open, with the number of handles of each. */
type OpenFiles = Map<string, Map<string, { readonly file: string; handles: number }>>;

/** Shared by all copies of this library in the process, which may have different versions. */
const KEY = Symbol.for("sqlite-aio.open-files");

/**
 * Notes that a copy of an engine opens a file. Returns a function that takes this back. Throws an OperationalError if
 * another copy has the file open. POSIX locks belong to the process, so two copies of SQLite in one process do not see
 * each other's locks, and lose writes
 * (https://sqlite.org/howtocorrupt.html#multiple_copies_of_sqlite_linked_into_the_same_application).
 */
function claimFile(path: string, { file, id }: EngineCopy): () => void {
  if (isPrivate(path)) return () => {};
  const shared = isSharedMemory(path);
  // On Windows, locks belong to file handles.
  if (!shared && process.platform === "win32") return () => {};
  const holder = globalThis as { [KEY]?: OpenFiles };
  const files = (holder[KEY] ??= new Map());
  const real = shared ? path : realPath(path);
  const copies = files.get(real) ?? new Map<string, { readonly file: string; handles: number }>();
  const other = otherCopy(copies, id) ?? (shared ? undefined : underOtherName(files, real, id));
  if (other !== undefined) {
    throw new OperationalError(
      `${path} is open in this process by another copy of SQLite (${other.file}; this one is ${file}). Two copies do not ` +
        `${shared ? "have one database in memory" : "see each other's locks, and writes would be lost"}: let the program have one copy of the engine, see npm ls better-sqlite3`,
      { code: "SQLITE_AIO_TWO_ENGINES" },
    );
  }
  const copy = copies.get(id) ?? { file, handles: 0 };
  copy.handles++;
  files.set(real, copies.set(id, copy));
  return () => {
    if (--copy.handles > 0) return;
    copies.delete(id);
    if (copies.size === 0) files.delete(real);
  };
}

type Copies = ReadonlyMap<string, { readonly file: string }>;

function otherCopy(copies: Copies, id: string): { readonly file: string } | undefined {
  for (const [known, copy] of copies) if (known !== id) return copy;
  return undefined;
}

/** Another copy that has the same file open by a hard link, or by a link that led nowhere when it was opened. */
function underOtherName(files: OpenFiles, real: string, id: string): { readonly file: string } | undefined {
  let own: string | undefined;
  for (const [name, copies] of files) {
    const other = otherCopy(copies, id);
    if (other === undefined || name === real) continue;
    own ??= identity(real) ?? "";
    if (own !== "" && identity(name) === own) return other;
  }
  return undefined;
}

/** Device and inode; undefined if there is no such file, or it cannot be reached. */
function identity(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

/** The files that one handle has open, with one copy of an engine. */
export class OpenedFiles {
  #copy: EngineCopy | null = null;
  #releaseMain: () => void = () => {};
  readonly #attached = new Map<string, () => void>();

  /** Throws like {@link claimFile}. */
  open(path: string, copy: EngineCopy): void {
    this.#releaseMain = claimFile(path, copy);
    this.#copy = copy;
  }

  /** Runs `work`, which writes to a file that the handle does not open. Rejects like {@link claimFile}. */
  async during<T>(path: string, work: () => Promise<T>): Promise<T> {
    const release = claimFile(path, this.#copy!);
    try {
      return await work();
    } finally {
      release();
    }
  }

  /** Sets the attached files. If one of them cannot be attached, changes nothing and returns why; else returns null. */
  attach(files: readonly string[]): string | null {
    const added = new Map<string, () => void>();
    try {
      for (const file of files) {
        if (!this.#attached.has(file) && !added.has(file)) added.set(file, claimFile(file, this.#copy!));
      }
    } catch (error) {
      for (const release of added.values()) release();
      return messageOf(error);
    }
    for (const [file, release] of this.#attached) {
      if (files.includes(file)) continue;
      release();
      this.#attached.delete(file);
    }
    for (const [file, release] of added) this.#attached.set(file, release);
    return null;
  }

  /** Call it when the handle has closed. */
  close(): void {
    this.#releaseMain();
    for (const release of this.#attached.values()) release();
    this.#attached.clear();
  }
}

/** As many as Linux follows. */
const MOST_LINKS = 40;

/** The path with links resolved. The file itself may not exist yet. */
function realPath(path: string, links = 0): string {
  try {
    return realpathSync.native(path);
  } catch {
    const target = links < MOST_LINKS ? linked(path) : undefined;
    // SQLite makes the file that the link leads to.
    if (target !== undefined) return realPath(target, links + 1);
    try {
      return join(realpathSync.native(dirname(path)), basename(path));
    } catch {
      return path;
    }
  }
}

/** Where a symbolic link leads; undefined if it is none. */
function linked(path: string): string | undefined {
  try {
    return resolve(dirname(path), readlinkSync(path));
  } catch {
    return undefined;
  }
}
