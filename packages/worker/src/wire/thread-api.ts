import { type Definition, isModule, type Source } from "./definitions.js";
import type { Fault } from "./fault.js";
import type { IntegerMode } from "./integers.js";

/** How a thread opens its handle; all of it checked by the main side. */
export interface OpenOptions {
  /** A path, `:memory:`, the empty string, or a name as {@link memoryPath} gives it. */
  readonly path: string;
  /** Contents of the database, as `serialize()` gives them; `path` is then `:memory:`. */
  readonly image: Uint8Array | null;
  readonly readonly: boolean;
  /** Nobody changes the file: it is neither locked nor looked at again. */
  readonly immutable: boolean;
  readonly fileMustExist: boolean;
  /** Milliseconds to wait for another connection's lock. */
  readonly timeout: number;
  readonly integers: IntegerMode;
  /** Name and value, ready to stand in `PRAGMA name = value`. */
  readonly pragmas: readonly (readonly [name: string, literal: string])[];
  readonly extensions: readonly ExtensionSpec[];
  /** URL of a module whose default export is given the handle. */
  readonly setup: string | null;
  /** Specifier of a module with better-sqlite3's API. */
  readonly engine: string;
  readonly functions: readonly Definition[];
  /** See https://sqlite.org/c3ref/limit.html. */
  readonly limits: readonly (readonly [category: number, limit: number])[];
  /** A name in double quotes that is no column is a string. */
  readonly doubleQuotedStrings: boolean;
  /** Set `query_only` at the end. */
  readonly queryOnly: boolean;
  /** A connection of a pool, which different callers get one after the other. */
  readonly pooled: boolean;
}

/** What the companion's VFS opens as a database in the memory of the process, which connections share by its name. */
const MEMORY_PREFIX = "file:sqlite-aio-memory/";

/** The path of the database in memory that has this name. */
export function memoryPath(name: string): string {
  return MEMORY_PREFIX + encodeURIComponent(name);
}

/** Whether it is a database in memory that connections share. */
export function isSharedMemory(path: string): boolean {
  return path.startsWith(MEMORY_PREFIX);
}

/** Whether the database is one of the connection's own, which is gone when that is closed. */
export function isPrivate(path: string): boolean {
  return path === "" || path === ":memory:";
}

/** Whether opening runs code of the caller's in the thread. */
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
  /** A database in memory can be moved to a fresh handle. */
  readonly serializes: boolean;
  readonly sqliteVersion: string;
}

export interface BackupOptions {
  readonly path: string;
  readonly name: string;
  /** Pages per step; all at once if not above zero. */
  readonly pages: number;
  /** Number of the main side's progress closure, 0 for none. */
  readonly progress: number;
  /** Milliseconds to sleep when a step met a lock. */
  readonly sleep: number;
}

/** The native code of an engine, as one file of the system. */
export interface EngineCopy {
  readonly file: string;
  /** The same for what is loaded once. */
  readonly id: string;
}

/** What the thread exposes through Comlink. `run` crosses in the compact form of the endpoint. */
export interface ThreadApi {
  /** Loads the engine, before any file is opened with it. */
  engine(specifier: string): Promise<Outcome<EngineCopy>>;
  open(options: OpenOptions): Promise<Outcome<Opened>>;
  run(frame: unknown[]): unknown[];
  backup(options: BackupOptions): Promise<Outcome<null>>;
  /** `lasting`: also on a handle that takes the place of this one. */
  define(definition: Definition, lasting: boolean): Promise<Outcome<null>>;
  setAuthorizer(source: Source | null, lasting: boolean): Promise<Outcome<null>>;
  /** A fresh handle in place of one whose state was changed. */
  reopen(): Promise<Outcome<Opened>>;
  /** Replaces the contents of an in-memory or temporary database; true if that took a fresh handle. */
  replace(image: Uint8Array): Promise<Outcome<boolean>>;
  /** Lets a database be one in memory, with these contents; true if that took a fresh handle. */
  deserialize(image: Uint8Array, name: string): Promise<Outcome<boolean>>;
  /** True if the thread is as new, so that another connection can have it. */
  close(): Promise<Outcome<boolean>>;
}

/** What a thread is started with that serves no connection yet. */
export interface WaitingData {
  /** The engine that it will be asked for. */
  readonly engineAhead: string;
  /** A MessagePort that it posts to when it has loaded that. */
  readonly ready: unknown;
}

/** What a thread needs to serve a connection: it is started with it, or sent it when the connection before is closed. */
export interface ThreadData {
  readonly control: SharedArrayBuffer;
  /** A MessagePort for what the thread posts to the main side; what it is asked comes by its parentPort. */
  readonly answers: unknown;
  /** A MessagePort for the closures of the main side. */
  readonly callbacks: unknown;
  /** One word, shared by all threads of the process: how many are polling. */
  readonly pollers: SharedArrayBuffer;
  /** How many may poll at a time. */
  readonly maxPollers: number;
  /** What the native companion calls the Worker that started the thread; 0 if that is the main thread, or without it. */
  readonly environment: number;
}
