import { createRequire } from "node:module";
import { isAbsolute, join } from "node:path";
import { pathToFileURL } from "node:url";
import { types } from "node:util";
import type { ResourceLimits, Worker, WorkerOptions } from "node:worker_threads";
import { type IntegerMode, isPrivate, isSharedMemory, type OpenOptions } from "@sqlite-aio/worker/wire";
import { capabilities, needsNative } from "../capabilities.js";
import { NotSupportedError } from "../errors/errors.js";
import { type Autocommit, checkAutocommit, LEGACY_TRANSACTION_CONTROL } from "./autocommit.js";
import {
  absolute,
  checkName,
  isUrl,
  type MemoryDatabase,
  requireSharedMemory,
  resolveDatabase,
} from "./database-path.js";
import { checkFlags } from "./detect-types.js";
import { type Limits, resolveLimits } from "./limits.js";
import {
  isRecord,
  type Option,
  type OptionTable,
  refuseUnknown,
  type Resolved,
  resolveTable,
} from "./option-table.js";
import { resolveResources } from "./resource-limits.js";

/** Which BEGIN comes before the first INSERT, UPDATE, DELETE or REPLACE; `null` is autocommit. */
export type IsolationLevel = "DEFERRED" | "IMMEDIATE" | "EXCLUSIVE" | null;

/** Options of every call that reaches the thread. */
export interface CallOptions {
  /** Cancels the call when aborted; it then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Milliseconds after which the call is cancelled with an OperationalError, code `SQLITE_INTERRUPT`. */
  timeout?: number | undefined;
  /** `"bigint"` reads every INTEGER of this call as bigint. Default: the connection's option. */
  integers?: "bigint" | undefined;
}

/** Options of {@link connect}. */
export interface ConnectOptions {
  /** Rows that an iterated cursor fetches at a time. Default 64. */
  iterChunkSize?: number | undefined;
  /** Milliseconds to wait for another connection's lock. Default 5000. */
  timeout?: number | undefined;
  /** `PARSE_DECLTYPES`, `PARSE_COLNAMES` or both. Default 0. */
  detectTypes?: number | undefined;
  /** Default `"DEFERRED"`. */
  isolationLevel?: IsolationLevel | undefined;
  /**
   * As in CPython 3.12. True: each statement is a transaction of its own. False: a transaction is always open;
   * `commit()` and `rollback()` begin the next one. Default: `isolationLevel` decides. Not for pools.
   */
  autocommit?: Autocommit | undefined;
  /** Number of compiled statements to cache. Default 128. */
  cachedStatements?: number | undefined;
  /**
   * Open the file for reading only. `"immutable"` is for a file that does not change while it is open: it is read
   * without locks, see https://sqlite.org/uri.html#uriimmutable, also on a read-only disk, and needs
   * `@sqlite-aio/native`. Default false.
   */
  readonly?: boolean | "immutable" | undefined;
  /** Fail if the file does not exist. Default false. */
  fileMustExist?: boolean | undefined;
  /** How an INTEGER is read. `"auto"`, the default: as a number if that is exact, else as a bigint. */
  integers?: IntegerMode | undefined;
  /** Set on every open, in this order, after `foreign_keys = ON` and `synchronous = FULL`. */
  pragmas?: Readonly<Record<string, string | number | boolean>> | undefined;
  /**
   * Limits set on every open, see https://sqlite.org/c3ref/c_limit_attached.html. Keys are node:sqlite's names, or
   * numbers such as SQLITE_LIMIT_LENGTH. Needs `@sqlite-aio/native`.
   */
  limits?: Limits | undefined;
  /**
   * A double-quoted name that is no column is a string, as in stock SQLite; the engine is built without that. Needs
   * `@sqlite-aio/native`. Default false.
   */
  doubleQuotedStrings?: boolean | undefined;
  /** SQLite extensions loaded on every open. */
  extensions?:
    | readonly {
        /** The file, with or without the system's file extension. */
        path: string;
        /** The entry point function. Default: SQLite derives it from the file's name. */
        entryPoint?: string | undefined;
      }[]
    | undefined;
  /** Module whose default export is called in the thread with the better-sqlite3 handle, on every open. */
  setup?: URL | undefined;
  /** Module with better-sqlite3's API. Default `"better-sqlite3"`. */
  engine?: URL | string | undefined;
  /** Creates the thread, for bundlers that must see `new Worker` themselves. */
  createWorker?: ((url: URL, options: WorkerOptions) => Worker) | undefined;
  /** Limits of the thread's JavaScript heap; see `new Worker`. SQLite's own memory is not covered. */
  resourceLimits?: ResourceLimits | undefined;
  /** Calls that may be waiting or running before a further one rejects with QueueFullError. Default: no limit. */
  maxQueue?: number | undefined;
  /**
   * Duration in ms from which a statement gives a process warning of code `SQLITE_AIO_SLOW`, with its waiting and its
   * running time. Default 0: never.
   */
  slowQueryMs?: number | undefined;
  /**
   * Whether `close()` gives a process warning of code `SQLITE_AIO_ROLLED_BACK` when it rolls back a transaction that
   * the connection has opened before a write. Default true.
   */
  warnOnRollback?: boolean | undefined;
  /** Cancels opening. */
  signal?: AbortSignal | undefined;
  /** Contents for a `":memory:"` database, as `serialize()` gives them. */
  image?: Uint8Array | undefined;
}

/** The default engine. */
export const DEFAULT_ENGINE = "better-sqlite3";

/** Options of opening a database. Reopening uses them again. */
const DATABASE = {
  readonly: { fallback: false, check: checkReadonly } as Option<boolean | "immutable">,
  fileMustExist: flag(false),
  timeout: integerOf(5000, 0),
  integers: wordOf<IntegerMode>("auto", ["auto", "bigint", "number"]),
  pragmas: { fallback: [], check: resolvePragmas },
  limits: { fallback: [], check: resolveLimits },
  doubleQuotedStrings: flag(false),
  extensions: { fallback: [], check: resolveExtensions },
  setup: { fallback: null, check: moduleUrl },
  engine: { fallback: DEFAULT_ENGINE, check: resolveEngine },
  image: { fallback: null, check: resolveImage },
} satisfies OptionTable;

/** Options of its thread. */
const THREAD = {
  cachedStatements: integerOf(128, 0),
  createWorker: optional<(url: URL, options: WorkerOptions) => Worker>("function"),
  resourceLimits: { fallback: undefined, check: resolveResources } as Option<ResourceLimits | undefined>,
} satisfies OptionTable;

/** Options of its calls. */
const CALLS = {
  iterChunkSize: integerOf(64, 1),
  detectTypes: {
    fallback: 0,
    check: (given, name) => checkFlags(integer(given, name, 0, 0), name),
  } as Option<number>,
  isolationLevel: { fallback: "DEFERRED", check: checkIsolationLevel } as Option<IsolationLevel>,
  autocommit: { fallback: LEGACY_TRANSACTION_CONTROL, check: checkAutocommit } as Option<Autocommit>,
  maxQueue: integerOf(Number.MAX_SAFE_INTEGER, 1),
  slowQueryMs: integerOf(0, 0),
  warnOnRollback: flag(true),
  signal: { fallback: undefined, check: checkSignal } as Option<AbortSignal | undefined>,
} satisfies OptionTable;

const TABLES = [DATABASE, THREAD, CALLS];

/** The options of a thread, checked and complete. */
export interface ThreadOptions extends Resolved<typeof THREAD> {
  readonly open: OpenOptions;
}

/** Options of a connection, checked and complete. */
export interface ConnectionOptions extends Resolved<typeof CALLS> {
  readonly thread: ThreadOptions;
}

function resolveImage(image: unknown, name: string): Uint8Array<ArrayBuffer> | null {
  if (image === null) return null;
  checkImage(image, `option "${name}"`);
  return new Uint8Array(image);
}

function checkImage(image: unknown, what: string): asserts image is Uint8Array {
  if (!types.isUint8Array(image)) throw new TypeError(`${what} must be a Uint8Array`);
}

/** Copies the contents of a database. Throws TypeError. */
export function copyImage(image: Uint8Array): Uint8Array<ArrayBuffer> {
  checkImage(image, "the image");
  return new Uint8Array(image);
}

/** Checks what `connect()` was given. Throws TypeError or RangeError. */
export function resolveOptions(
  database: string | URL | Buffer | MemoryDatabase,
  options: ConnectOptions,
): ConnectionOptions {
  requireRuntime();
  requireObject(options);
  refuseUnknown(options, TABLES);
  const path = resolveDatabase(database);
  const { readonly, ...open } = resolveTable(DATABASE, options);
  const thread = resolveTable(THREAD, options);
  const calls = resolveTable(CALLS, options);
  const immutable = readonly === "immutable";
  if (open.image !== null && path !== ":memory:") {
    throw new TypeError('option "image" goes with the database ":memory:" only');
  }
  if (readonly !== false && isPrivate(path) && open.image === null) {
    throw new TypeError("an in-memory or temporary database cannot be opened readonly");
  }
  if (immutable) requireFile(path, 'option "readonly": "immutable"');
  if (open.fileMustExist && isSharedMemory(path)) requireFile(path, 'option "fileMustExist"');
  requireNative(path, options);
  return {
    thread: {
      open: {
        path,
        ...open,
        readonly: readonly !== false,
        immutable,
        functions: [],
        queryOnly: false,
        pooled: false,
      },
      ...thread,
    },
    ...calls,
  };
}

/** Checks options before their database is known. Throws TypeError or RangeError. */
export function checkConnectOptions(options: ConnectOptions): void {
  requireObject(options);
  refuseUnknown(options, TABLES);
  for (const table of TABLES) resolveTable(table, options);
}

/** Throws NotSupportedError if something needs the native companion. What is wrong in itself was refused before. */
function requireNative(path: string, options: ConnectOptions): void {
  requireSharedMemory(path);
  if (options.limits !== undefined && !capabilities.limits) throw needsNative('option "limits"');
  if (options.doubleQuotedStrings === true && !capabilities.limits)
    throw needsNative('option "doubleQuotedStrings"');
  if (options.readonly === "immutable" && !capabilities.immutable) throw needsNative('readonly: "immutable"');
}

function requireFile(path: string, what: string): void {
  if (isPrivate(path) || isSharedMemory(path)) throw new TypeError(`${what} goes with a file only`);
}

function checkReadonly(given: unknown, name: string): boolean | "immutable" {
  if (given === undefined) return false;
  if (given === "immutable" || typeof given === "boolean") return given;
  throw new TypeError(`option "${name}" must be a boolean or "immutable"`);
}

/** better-sqlite3 13 crashes the process without Node-API 10, so this is checked before a thread starts. */
function requireRuntime(): void {
  if (Number(process.versions["napi"]) >= 10) return;
  throw new NotSupportedError(
    `sqlite-aio needs Node-API 10 (Node 22.14 or later, Electron 35 or later); this is Node ${process.versions.node} with Node-API ${process.versions["napi"]}`,
    { code: "SQLITE_AIO_RUNTIME" },
  );
}

/** The URL, as a string, of a module for the thread to import. */
export function moduleUrl(value: unknown, name: string): string {
  if (!isUrl(value)) throw new TypeError(`${name} must be a URL: new URL("./file.js", import.meta.url)`);
  return value.href;
}

function resolveEngine(engine: unknown): string {
  if (isUrl(engine)) return engine.href;
  if (typeof engine !== "string" || engine === "")
    throw new TypeError('option "engine" must be a URL or a module name');
  if (isAbsolute(engine)) return pathToFileURL(engine).href;
  // Looks for a dependency of the application, which the worker package may not see from its own place, then for one
  // beside this package.
  for (const from of [join(process.cwd(), "noop.js"), import.meta.filename]) {
    try {
      return pathToFileURL(createRequire(from).resolve(engine)).href;
    } catch {
      // `import.meta.filename` is undefined in a CommonJS bundle.
    }
  }
  return engine;
}

const PRAGMA_NAME = /^(?:[A-Za-z_][A-Za-z0-9_]*\.)?[A-Za-z_][A-Za-z0-9_]*$/;

function resolvePragmas(pragmas: unknown): [string, string][] {
  if (!isRecord(pragmas)) throw new TypeError('option "pragmas" must be an object');
  return Object.entries(pragmas).map(([name, value]) => {
    if (!PRAGMA_NAME.test(name)) throw new TypeError(`"${name}" is no name of a pragma`);
    return [name, pragmaLiteral(name, value)];
  });
}

function pragmaLiteral(name: string, value: unknown): string {
  if (typeof value === "boolean") return value ? "ON" : "OFF";
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  if (typeof value === "string" && !value.includes("\0")) return `'${value.replaceAll("'", "''")}'`;
  throw new TypeError(`the pragma "${name}" must be a string, a finite number or a boolean`);
}

function resolveExtensions(extensions: unknown): { path: string; entryPoint: string | null }[] {
  if (!Array.isArray(extensions))
    throw new TypeError('option "extensions" must be an array of { path, entryPoint }');
  return extensions.map((extension: unknown) => {
    if (typeof extension !== "object" || extension === null)
      throw new TypeError('option "extensions": each must be an object { path, entryPoint }');
    const { path, entryPoint } = extension as { path: unknown; entryPoint: unknown };
    return resolveExtension(path, entryPoint);
  });
}

/** An extension's file and entry point. Throws TypeError. */
export function resolveExtension(
  path: unknown,
  entryPoint: unknown,
): { path: string; entryPoint: string | null } {
  if (typeof path !== "string" || path === "")
    throw new TypeError("the path of an extension must be a string that is not empty");
  checkName(path, "the path of an extension");
  // SQLite looks for a mere name in the system's library folders.
  const found = /[\\/]/.test(path) ? absolute(path) : path;
  if (entryPoint === undefined || entryPoint === null) return { path: found, entryPoint: null };
  if (typeof entryPoint !== "string") throw new TypeError("the entry point of an extension must be a string");
  checkName(entryPoint, "the entry point of an extension");
  return { path: found, entryPoint };
}

/** Checks the level, in CPython's spelling; there `""` means DEFERRED. */
export function checkIsolationLevel(level: unknown): IsolationLevel {
  if (level === null) return null;
  if (typeof level !== "string") throw new TypeError("the isolation level must be a string or null");
  const upper = level.toUpperCase();
  if (upper === "" || upper === "DEFERRED") return "DEFERRED";
  if (upper === "IMMEDIATE" || upper === "EXCLUSIVE") return upper;
  throw new RangeError(
    `the isolation level must be "DEFERRED", "IMMEDIATE", "EXCLUSIVE" or null, not "${level}"`,
  );
}

export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal === null) return undefined;
  if (isSignal(signal)) return signal;
  throw new TypeError('option "signal" must be an AbortSignal');
}

/** Not by its class: Jest and jsdom have other classes than Node. */
function isSignal(value: unknown): value is AbortSignal {
  if (typeof value !== "object" || value === null) return false;
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  return (
    typeof aborted === "boolean" &&
    typeof addEventListener === "function" &&
    typeof removeEventListener === "function"
  );
}

export function integer(value: unknown, name: string, fallback: number, least: number): number {
  if (value === undefined) return fallback;
  if (value === Number.POSITIVE_INFINITY && fallback === Number.MAX_SAFE_INTEGER) return fallback;
  if (typeof value !== "number" || !Number.isInteger(value))
    throw new TypeError(`option "${name}" must be an integer`);
  if (value < least) throw new RangeError(`option "${name}" must be at least ${least}`);
  if (value > 0x7fffffff && fallback !== Number.MAX_SAFE_INTEGER) {
    throw new RangeError(`option "${name}" must be at most 2147483647`);
  }
  return value;
}

/** Throws TypeError unless the options are an object with `known` names only. */
export function checkOptions<T>(options: T, known: readonly string[]): T {
  if (!isRecord(options)) {
    const what = kindOf(options);
    throw new TypeError(
      `the options must be an object, not ${what}; parameters come before them, all in one array or object`,
    );
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      throw new TypeError(
        `unknown option "${name}"; there is ${known.map((each) => `"${each}"`).join(", ")}`,
      );
  }
  return options;
}

/** Throws TypeError if a method was called with more arguments than `form` has. */
export function refuseSurplus(given: number, most: number, form: string): void {
  if (given > most) throw new TypeError(`too many arguments: ${form}`);
}

export function boolean(value: unknown, name: string): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean") throw new TypeError(`option "${name}" must be a boolean`);
  return value;
}

export function oneOf<T extends string>(value: unknown, name: string, fallback: T, allowed: readonly T[]): T {
  if (value === undefined) return fallback;
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) {
    const message = `option "${name}" must be ${allowed.map((word) => `"${word}"`).join(" or ")}`;
    throw typeof value === "string" ? new RangeError(message) : new TypeError(message);
  }
  return found;
}

/** Throws TypeError unless the options are an object. */
export function requireObject(options: unknown): asserts options is object {
  if (!isRecord(options)) throw new TypeError(`the options must be an object, not ${kindOf(options)}`);
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  return Array.isArray(value) ? "an array" : "something to iterate over";
}

/** A table row for an integer of at least `least`. */
export function integerOf(fallback: number, least: number): Option<number> {
  return { fallback, check: (given, name) => integer(given, name, fallback, least) };
}

/** A table row for a boolean. */
export function flag(fallback: boolean): Option<boolean> {
  return { fallback, check: boolean };
}

/** A table row for one of several words. */
export function wordOf<T extends string>(fallback: T, allowed: readonly T[]): Option<T> {
  return { fallback, check: (given, name) => oneOf(given, name, fallback, allowed) };
}

/** A table row for an option without a default. */
export function optional<T>(type: "function" | "object"): Option<T | undefined> {
  return {
    fallback: undefined,
    check(given, name) {
      if (typeof given !== type || given === null)
        throw new TypeError(`option "${name}" must be of type ${type}`);
      return given as T;
    },
  };
}
