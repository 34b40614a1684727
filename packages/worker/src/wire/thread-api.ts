import { type Definition, isModule, type Source } from "./definitions.js";
import type { Fault } from "./fault.js";
import type { IntegerMode } from "./integers.js";
import type { Loading } from "./loading.js";

/** How a thread opens its handle. The main side has checked all of it. */
export interface OpenOptions {
  /** A path, `:memory:`, the empty string, or a result of {@link memoryPath}. */
  readonly path: string;
  /** Contents of the database, in the form of `serialize()`; `path` is then `:memory:`. */
  readonly image: Uint8Array | null;
  readonly readonly: boolean;
  /** The file does not change, so it is not locked or checked for changes. */
  readonly immutable: boolean;
  readonly fileMustExist: boolean;
  /** Milliseconds to wait for another connection's lock. */
  readonly timeout: number;
  readonly integers: IntegerMode;
  /** Name and value, in the form of `PRAGMA name = value`. */
  readonly pragmas: readonly (readonly [name: string, literal: string])[];
  readonly extensions: readonly ExtensionSpec[];
  /** URL of a module whose default export is called with the handle. */
  readonly setup: string | null;
  /** Specifier of a module with better-sqlite3's API. */
  readonly engine: string;
  readonly functions: readonly Definition[];
  /** See https://sqlite.org/c3ref/limit.html. */
  readonly limits: readonly (readonly [category: number, limit: number])[];
  /** A double-quoted name that is no column is a string. */
  readonly doubleQuotedStrings: boolean;
  /** Set `query_only` at the end. */
  readonly queryOnly: boolean;
  /** A connection of a pool, which different callers use one after the other. */
  readonly pooled: boolean;
}

/**
 * Names with this prefix are opened by the companion's VFS as in-memory databases, which connections of the process
 * share.
 */
const MEMORY_PREFIX = "file:sqlite-aio-memory/";

/** The path of the shared in-memory database of this name. */
export function memoryPath(name: string): string {
  return MEMORY_PREFIX + encodeURIComponent(name);
}

/** The name that {@link memoryPath} was given. */
export function memoryName(path: string): string {
  return decodeURIComponent(path.slice(MEMORY_PREFIX.length));
}

/** Whether it is a shared in-memory database. */
export function isSharedMemory(path: string): boolean {
  return path.startsWith(MEMORY_PREFIX);
}

/** Whether the database belongs to one connection and is lost when that closes. */
export function isPrivate(path: string): boolean {
  return path === "" || path === ":memory:";
}

/** Whether opening runs user code in the thread. */
export function bringsCode({ setup, extensions, functions }: OpenOptions): boolean {
  return setup !== null || extensions.length > 0 || functions.some(({ source }) => isModule(source));
}

export interface ExtensionSpec {
  readonly path: string;
  readonly entryPoint: string | null;
}

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: Fault };

export interface Opened {
  /** The engine can move an in-memory database to a new handle. */
  readonly serializes: boolean;
  readonly sqliteVersion: string;
}

export interface BackupOptions {
  readonly path: string;
  readonly name: string;
  /** Pages per step; 0 or less copies all at once. */
  readonly pages: number;
  /** Number of the main side's progress closure, 0 for none. */
  readonly progress: number;
  /** Milliseconds to sleep when a step met a lock. */
  readonly sleep: number;
}

/** The native code of an engine: a file. */
export interface EngineCopy {
  readonly file: string;
  /** Two engines with the same id are one loaded library. */
  readonly id: string;
}

/** The methods that the thread exposes through Comlink. `run` uses the compact form of the endpoint. */
export interface ThreadApi {
  /** Loads the engine, before it opens a file. */
  engine(specifier: string): Promise<Outcome<EngineCopy>>;
  open(options: OpenOptions): Promise<Outcome<Opened>>;
  run(frame: unknown[]): unknown[];
  backup(options: BackupOptions): Promise<Outcome<null>>;
  /** `lasting`: also on a handle that replaces this one. */
  define(definition: Definition, lasting: boolean): Promise<Outcome<null>>;
  setAuthorizer(source: Source | null, lasting: boolean): Promise<Outcome<null>>;
  /** Replaces a handle whose state was changed by a new one. */
  reopen(): Promise<Outcome<Opened>>;
  /** Replaces the contents of an in-memory or temporary database. True if that took a new handle. */
  replace(image: Uint8Array): Promise<Outcome<boolean>>;
  /** Turns a database into an in-memory one with these contents. True if that took a new handle. */
  deserialize(image: Uint8Array, name: string): Promise<Outcome<boolean>>;
  /**
   * True if the thread is as good as new, so that another connection can use it. With `emptiesLog`, a write-ahead log is
   * emptied first, as far as other connections allow.
   */
  close(emptiesLog: boolean): Promise<Outcome<boolean>>;
}

/** The data that every thread for connections is started with, besides {@link ThreadData} or {@link WaitingData}. */
export interface StartData {
  readonly loading: Loading;
}

/** The data for starting a thread that serves no connection yet. */
export interface WaitingData {
  /** The engine that it loads ahead. */
  readonly engineAhead: string;
  /** A MessagePort that it posts to when it has loaded the engine. */
  readonly ready: unknown;
}

/**
 * The data for serving a connection. A thread is started with it, or receives it after the previous connection was
 * closed.
 */
export interface ThreadData {
  readonly control: SharedArrayBuffer;
  /** A MessagePort for messages to the main side. Messages to the thread come by its parentPort. */
  readonly answers: unknown;
  /** Memory of an AnswerSlot. */
  readonly slot: SharedArrayBuffer;
  /** A MessagePort for calls of the main side's closures. */
  readonly callbacks: unknown;
  /** One word, shared by all threads of the process: the number of polling threads. */
  readonly pollers: SharedArrayBuffer;
  /** How many threads may poll at a time. */
  readonly maxPollers: number;
  /**
   * The native companion's number of the Worker that started the thread; 0 for the main thread, or without the
   * companion.
   */
  readonly environment: number;
}
