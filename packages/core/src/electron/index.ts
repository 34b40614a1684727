/**
 * For Electron's main process: closing when the application quits, and named methods for pages.
 *
 * @module @sqlite-aio/core/electron
 */
import type { Methods } from "./envelope.js";
import { type ExposeOptions, Exposure, type IpcMainLike } from "./expose.js";
import { requireObject } from "../options/connect-options.js";

export type { Envelope, Methods, RemoteFault } from "./envelope.js";
export type { ExposeOptions, IpcMainLike } from "./expose.js";
export {
  type AppLike,
  type Closable,
  closeOnQuit,
  type CloseOnQuitOptions,
  type PowerMonitorLike,
  type PreventableEvent,
  type WindowLike,
} from "./quit.js";
export type { SenderEvent, SenderOptions, WebContentsLike } from "./sender.js";
export type { PortLike } from "./stream-relay.js";

/** The pool for `exposePool(ipcMain, pool, options)`. */
export interface PoolLike {
  /** One of the two methods that identify a pool. */
  close(options?: { timeout?: number | undefined }): Promise<unknown>;
  /** One of the two methods that identify a pool. */
  transaction(...args: never[]): Promise<unknown>;
}

/** Methods that get the pool before the page's arguments. */
export type PoolMethods<P> = Readonly<Record<string, (pool: P, ...args: never[]) => unknown>>;

/** Options of {@link exposePool} with a pool. */
export interface ExposePoolOptions<P, M extends PoolMethods<P>> extends ExposeOptions {
  /** The methods that pages may call. */
  methods: M;
}

/** {@link PoolMethods} in the page's form: `createClient<WithoutPool<typeof methods>>(...)`. */
export type WithoutPool<M> = {
  readonly [Name in keyof M]: M[Name] extends (pool: never, ...args: infer Args) => infer Result
    ? (...args: Args) => Result
    : never;
};

/**
 * Lets pages call `methods` by name, through `createClient()` of `@sqlite-aio/core/electron/preload`. Only named
 * methods can be called, so pages send no SQL of their own unless a method takes it. Of an error, a page gets name,
 * code and message. An AsyncIterable result is streamed. By default, only pages loaded from files may call (see
 * `origins`), and no frames inside a page. The returned function removes the methods.
 *
 * @example
 * exposePool(ipcMain, {
 *   notes: (text: string) => pool.all("SELECT id, text FROM note WHERE text LIKE ?", [`%${text}%`]),
 *   addNote: (text: string) => pool.run("INSERT INTO note (text) VALUES (?)", [text]),
 * });
 */
export function exposePool(ipcMain: IpcMainLike, methods: Methods, options?: ExposeOptions): () => void;
/**
 * The same with methods that get the pool first. Throws a TypeError if no methods are named.
 *
 * @typeParam M - The methods, whose types pages get by {@link WithoutPool}.
 */
export function exposePool<P extends PoolLike, M extends PoolMethods<P>>(
  ipcMain: IpcMainLike,
  pool: P,
  options: ExposePoolOptions<P, M>,
): () => void;
export function exposePool(
  ipcMain: IpcMainLike,
  first: object,
  options: ExposeOptions & { methods?: PoolMethods<object> } = {},
): () => void {
  requireObject(options);
  const { methods: named, ...rest } = options;
  let methods: Methods;
  if (isPlain(first)) {
    if (named !== undefined) throw new TypeError('option "methods" goes with a pool as the second argument');
    methods = checkMethods(first);
  } else {
    if (named === undefined) {
      throw new TypeError(
        "exposePool: a pool has no methods that a page may call, since each of them takes SQL. " +
          "Name what may be called: exposePool(ipcMain, pool, { methods: { notes: (pool) => pool.all(...) } }), " +
          "or exposePool(ipcMain, { notes: () => pool.all(...) })",
      );
    }
    const bound = Object.entries(checkMethods(named)).map(([name, method]) => [
      name,
      (...args: never[]) => method(first, ...args),
    ]);
    methods = Object.fromEntries(bound) as Methods;
  }
  const exposure = new Exposure(ipcMain, methods, rest);
  return () => exposure.close();
}

function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Takes only own functions of a plain object, so that nothing is exposed by accident. */
function checkMethods(methods: object): Methods {
  if (!isPlain(methods)) throw new TypeError("the methods must be a plain object of functions");
  const entries = Object.entries(methods);
  if (entries.length === 0) throw new TypeError("exposePool: no methods are named");
  for (const [name, method] of entries) {
    if (typeof method !== "function") throw new TypeError(`exposePool: "${name}" is no function`);
    // A client with a method "then" would look like a promise.
    if (name === "then") throw new TypeError('exposePool: no method can be called "then"');
  }
  return methods as Methods;
}
