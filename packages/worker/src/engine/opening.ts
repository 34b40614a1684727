import { statSync } from "node:fs";
import type { EngineDatabase } from "./engine-api.js";
import { loadEngine } from "./load-engine.js";
import { loadExtension } from "./load-extension.js";
import { attachNative, native } from "./native.js";
import { BUSY_SLICE_MS, LOCK_CODES } from "./lock-codes.js";
import { isKeyPragma, type Pragma, setPragma, sortPragmas } from "./pragmas.js";
import { immutablePath, openPrefixed } from "./prefixed-path.js";
import { codeOf, UsageError } from "../wire/fault.js";
import { isSharedMemory, type OpenOptions } from "../wire/thread-api.js";

/** Opens a handle, with its image if there is one, and does nothing else. */
export async function openHandle(options: OpenOptions): Promise<EngineDatabase> {
  const Database = await loadEngine(options.engine);
  const settings = {
    readonly: options.readonly,
    fileMustExist: options.fileMustExist,
    timeout: Math.min(options.timeout, BUSY_SLICE_MS),
  };
  if (options.image !== null) return new Database(withoutLog(options.image), settings);
  if (isSharedMemory(options.path)) {
    const what = "a database in memory that connections share";
    requireNoKey(options, what);
    return openPrefixed(Database, options.path, settings, what);
  }
  if (options.immutable) {
    const what = 'readonly: "immutable"';
    requireNoKey(options, what);
    requireNoFolder(options.path);
    requireNoLog(options.path);
    return openPrefixed(Database, immutablePath(options.path), settings, what);
  }
  return new Database(options.path, settings);
}

/** Sets keys, then pragmas, and loads extensions. */
export async function configureHandle(db: EngineDatabase, options: OpenOptions): Promise<void> {
  const { first, later } = sortPragmas(options.pragmas);
  for (const pragma of first) setPragma(db, pragma);
  db.exec("PRAGMA trusted_schema = OFF");
  const pragmas: Pragma[] = [["foreign_keys", "ON"], ["synchronous", "FULL"], ...later];
  for (const pragma of pragmas) await patiently(options.timeout, () => setPragma(db, pragma));
  if (options.image !== null) checkImage(db);
  for (const { path, entryPoint } of options.extensions) {
    loadExtension(db, path, entryPoint);
    requireNoTransaction(db, `the extension ${path}`);
  }
}

/** Calls the setup module with the handle. */
export async function setUp(db: EngineDatabase, options: OpenOptions): Promise<void> {
  if (options.setup === null) return;
  const module = (await import(/* webpackIgnore: true */ options.setup)) as { default?: unknown };
  if (typeof module.default !== "function") {
    throw new TypeError(`the setup module ${options.setup} has no default export to call`);
  }
  await module.default(db);
  requireNoTransaction(db, `the setup module ${options.setup}`);
}

/** What a pool writes in such a transaction would be acknowledged, and gone when it closes. */
function requireNoTransaction(db: EngineDatabase, who: string): void {
  if (db.inTransaction) throw new UsageError("SQLITE_ERROR", `${who} has left a transaction open`);
}

/** Encrypting engines find a file by its name, which they could not do behind another VFS. */
function requireNoKey({ pragmas }: OpenOptions, what: string): void {
  if (pragmas.some(isKeyPragma)) throw new UsageError("NOT_SUPPORTED", `${what} cannot be encrypted`);
}

/** Without locks, SQLite opens a folder, and fails to read from it later. */
function requireNoFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  throw Object.assign(new Error("unable to open database file"), { code: "SQLITE_CANTOPEN" });
}

/** An immutable file is read without its log or journal, so their contents would be missing. */
function requireNoLog(path: string): void {
  for (const file of [`${path}-wal`, `${path}-journal`]) {
    const bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (bytes === 0) continue;
    throw new UsageError(
      "SQLITE_CANTOPEN",
      `${path} cannot be opened as immutable: ${file} holds changes that would be left out; open it once for writing, and close it`,
    );
  }
}

/** Runs `work`, and retries it for `timeout` ms while another connection holds a lock. */
export async function patiently(timeout: number, work: () => unknown): Promise<void> {
  const deadline = performance.now() + timeout;
  for (;;) {
    try {
      work();
      return;
    } catch (error) {
      if (!LOCK_CODES.has(codeOf(error)) || performance.now() > deadline) throw error;
    }
    await new Promise(setImmediate);
  }
}

/**
 * Marks the image of a database in WAL mode as not in WAL mode. A database without a file cannot have a log, and the
 * image is complete.
 */
export function withoutLog(bytes: Uint8Array): Buffer {
  const image = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (image[FORMAT_WRITE] === 2) image[FORMAT_WRITE] = 1;
  if (image[FORMAT_READ] === 2) image[FORMAT_READ] = 1;
  return image;
}

/** Offsets of the file format version, https://sqlite.org/fileformat2.html#file_format_version_numbers. */
const FORMAT_WRITE = 18;
const FORMAT_READ = 19;

/**
 * Throws unless the bytes are a sound database. Checked first, because the database that they replace would be lost.
 */
export async function checkContents(image: Uint8Array, options: OpenOptions): Promise<void> {
  const db = await openHandle({ ...options, image, readonly: false, immutable: false });
  try {
    checkImage(db);
  } finally {
    db.close();
  }
}

/** SQLite opens any bytes as a database, and finds errors only at the first query. */
function checkImage(db: EngineDatabase): void {
  const result = db.prepare("PRAGMA quick_check(1)").pluck().get();
  if (result !== "ok")
    throw new UsageError("SQLITE_CORRUPT", `the image is not a sound database: ${String(result)}`);
}

/** Replaces the contents of a handle's database by an image, for all connections that share it. */
export async function overwrite(options: OpenOptions, image: Uint8Array, token: number): Promise<void> {
  const source = await openHandle({ ...options, path: ":memory:", image, readonly: false });
  try {
    const from = attachNative(source);
    await patiently(options.timeout, () => native!.copyInto(from, token));
  } finally {
    source.close();
  }
}
