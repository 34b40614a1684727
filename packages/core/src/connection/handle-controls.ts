import type { Authorizer } from "@sqlite-aio/worker";
import type { Definition } from "@sqlite-aio/worker/wire";
import { capabilities, needsNative } from "../capabilities.js";
import * as switches from "../dbconfig-codes.js";
import { boolean, type CallOptions, integer, resolveExtension } from "../options/connect-options.js";
import { Deadline } from "../options/deadline.js";
import { type Caller, type Handle, placed } from "./handle.js";
import type { HookKind, UpdateHook } from "../functions/hook-listeners.js";
import type { AggregateClass, WindowFunction } from "../functions/aggregate-groups.js";
import type { Collation } from "../functions/collation.js";
import {
  authorizerSource,
  collationSpec,
  type ExportOptions,
  type FunctionOptions,
  functionSpec,
  type SqlFunction,
  tableSpec,
} from "../functions/definitions.js";
import { traceCallback } from "../functions/trace-callback.js";
import { alone } from "./turns.js";
import type { Callbacks } from "../thread/callbacks.js";
import { callSiteOf } from "../errors/call-site.js";

/** What a program can set on a SQLite handle: functions, extensions, hooks, limits. */
export abstract class HandleControls {
  /** @internal */
  protected readonly handle: Handle;

  /** @internal */
  constructor(handle: Handle) {
    this.handle = handle;
  }

  /**
   * Makes a JavaScript function callable from SQL; null removes it. A closure runs on the main thread while the
   * connection's thread waits; a module's export runs in that thread. `parameters` is -1 for any number.
   *
   * @example
   * await db.createFunction("slug", 1, (text: string) => text.toLowerCase().replaceAll(" ", "-"));
   * await db.createFunction("slug", 1, new URL("./slug.js", import.meta.url), { export: "slug" });
   */
  async createFunction(
    name: string,
    parameters: number,
    fn: SqlFunction | URL | null,
    options: FunctionOptions = {},
  ): Promise<void> {
    await this.#define(this.createFunction, (closures) =>
      functionSpec("function", name, parameters, fn, options, closures),
    );
  }

  /**
   * Makes a class an aggregate function; null removes it. Each group gets an instance: `step(...)` is called for each
   * row, and `finalize()` gives the value. A group without rows is NULL. For a class on the main thread, all rows of a
   * group cross threads together; a module's class runs in the connection's thread.
   *
   * @example
   * await db.createAggregate("product", 1, class {
   *   #product = 1;
   *   step(factor: number) { this.#product *= factor; }
   *   finalize() { return this.#product; }
   * });
   */
  async createAggregate(
    name: string,
    parameters: number,
    Aggregate: AggregateClass | URL | null,
    options: FunctionOptions = {},
  ): Promise<void> {
    await this.#define(this.createAggregate, (closures) =>
      functionSpec("aggregate", name, parameters, Aggregate, options, closures),
    );
  }

  /**
   * Like {@link createAggregate}, for a class that also works with OVER: `inverse(...)` is called for a row that leaves
   * the window, and `value()` gives the current value. See https://sqlite.org/windowfunctions.html#udfwinfunc.
   */
  async createWindowFunction(
    name: string,
    parameters: number,
    Window: AggregateClass<WindowFunction> | URL | null,
    options: FunctionOptions = {},
  ): Promise<void> {
    await this.#define(this.createWindowFunction, (closures) =>
      functionSpec("window", name, parameters, Window, options, closures),
    );
  }

  /**
   * Makes a function the order of texts under `COLLATE name`; null removes it. A closure is called on the main thread
   * for every comparison; a module's export is much faster. Needs `@sqlite-aio/native`.
   *
   * @example
   * await db.createCollation("german", new Intl.Collator("de").compare);
   */
  async createCollation(
    name: string,
    collation: Collation | URL | null,
    options: ExportOptions = {},
  ): Promise<void> {
    await this.#define(this.createCollation, (closures) => collationSpec(name, collation, options, closures));
  }

  /**
   * Makes a module's export a table-valued function, in better-sqlite3's form: `{ columns, parameters, rows }` with a
   * generator, or a function that returns such an object for CREATE VIRTUAL TABLE.
   */
  async createTable(name: string, module: URL, options: ExportOptions = {}): Promise<void> {
    await this.#define(this.createTable, () => tableSpec(name, module, options));
  }

  async #define(caller: Caller, make: (closures: Callbacks) => Definition): Promise<void> {
    const { channel, settings } = this.handle;
    const definition = make(channel.closures);
    const origin = callSiteOf(caller);
    try {
      await alone(this.handle, () => channel.define(definition, settings.lasting));
    } catch (error) {
      channel.closures.forget(definition.source);
      throw placed(error, origin);
    }
  }

  /** Allows or forbids {@link loadExtension}. Forbidden by default. */
  async enableLoadExtension(enabled: boolean, options?: CallOptions): Promise<void> {
    if (typeof enabled !== "boolean") throw new TypeError("enableLoadExtension takes true or false");
    await this.handle.perform(
      this.handle.method("enableLoadExtension", enabled),
      options,
      this.enableLoadExtension,
    );
  }

  /** Loads a SQLite extension. Rejects with "not authorized" unless that is enabled. */
  async loadExtension(path: string, entryPoint?: string, options?: CallOptions): Promise<void> {
    const extension = resolveExtension(path, entryPoint);
    const call = this.handle.method("loadExtension", extension.path, extension.entryPoint);
    await this.handle.perform(call, options, this.loadExtension);
  }

  /** Calls `callback` with the text of each statement that runs, with its parameters filled in; null ends that. */
  async setTraceCallback(callback: ((sql: string) => void) | null): Promise<void> {
    if (callback !== null && typeof callback !== "function")
      throw new TypeError("the callback must be a function or null");
    const { channel } = this.handle;
    await this.handle.perform(this.handle.method("trace", callback !== null));
    channel.onTrace = callback === null ? null : traceCallback(callback);
  }

  /**
   * Calls `handler` on the main thread every `n` milliseconds while a statement runs. If it throws or returns something
   * truthy, the statement stops with "interrupted". Null removes it. Needs `@sqlite-aio/native`.
   */
  async setProgressHandler(handler: (() => unknown) | null, n: number): Promise<void> {
    if (handler !== null && typeof handler !== "function")
      throw new TypeError("the handler must be a function or null");
    const progress = handler === null ? null : { handler, ms: integer(n, "n", 1, 1) };
    if (!capabilities.progressHandler) throw needsNative("setProgressHandler()");
    this.handle.check();
    this.handle.channel.setProgress(progress);
  }

  /**
   * Asks `authorizer` about every action of a statement that is being compiled. It answers SQLITE_OK, SQLITE_DENY or
   * SQLITE_IGNORE; throwing denies. A closure is called on the main thread, a module's export in the connection's. Null
   * removes it. Needs `@sqlite-aio/native`; see https://sqlite.org/c3ref/set_authorizer.html.
   *
   * @example
   * await db.setAuthorizer((action) => (action === SQLITE_DROP_TABLE ? SQLITE_DENY : SQLITE_OK));
   */
  async setAuthorizer(authorizer: Authorizer | URL | null, options: { export?: string } = {}): Promise<void> {
    const { channel, settings } = this.handle;
    const source = authorizerSource(authorizer, options, channel.closures);
    try {
      await alone(this.handle, () => channel.setAuthorizer(source, settings.lasting));
    } catch (error) {
      channel.closures.forget(source);
      throw error;
    }
  }

  /**
   * Calls `hook` for each row that is inserted, updated or deleted, before the statement's own call resolves.
   * Arguments: the action (SQLITE_INSERT, SQLITE_UPDATE or SQLITE_DELETE), the database, the table and the rowid. Null
   * ends that. Tables without rowid are not reported, see https://sqlite.org/c3ref/update_hook.html. Needs
   * `@sqlite-aio/native`.
   */
  async setUpdateHook(hook: UpdateHook | null, options?: CallOptions): Promise<void> {
    await this.#setHook("update", hook, options, this.setUpdateHook);
  }

  /**
   * Calls `hook` after each commit; null ends that. It runs on the main thread when the commit is done, so it cannot
   * veto it, whatever it returns or throws. Needs `@sqlite-aio/native`.
   */
  async setCommitHook(hook: (() => void) | null, options?: CallOptions): Promise<void> {
    await this.#setHook("commit", hook, options, this.setCommitHook);
  }

  /** Calls `hook` after each rollback; null ends that. Needs `@sqlite-aio/native`. */
  async setRollbackHook(hook: (() => void) | null, options?: CallOptions): Promise<void> {
    await this.#setHook("rollback", hook, options, this.setRollbackHook);
  }

  async #setHook(
    kind: HookKind,
    hook: UpdateHook | (() => void) | null,
    options: CallOptions | undefined,
    caller: Caller,
  ): Promise<void> {
    if (hook !== null && typeof hook !== "function")
      throw new TypeError("the hook must be a function or null");
    requireNative(capabilities.hooks, `${caller.name}()`, options);
    const { handle } = this;
    const { hooks } = handle.settings;
    const wanted = hooks.wantedWith(kind, hook !== null);
    await handle.perform(handle.method("hooks", wanted), options, caller);
    hooks.set(kind, hook);
    handle.channel.onHooks = (events) => hooks.tell(events);
  }

  /**
   * Sets one of the limits of https://sqlite.org/c3ref/c_limit_attached.html and gives the previous value. A negative
   * limit changes nothing. SQLite cuts a limit to its own upper bound. Needs `@sqlite-aio/native`.
   *
   * @example
   * await db.setlimit(SQLITE_LIMIT_SQL_LENGTH, 1_000_000);
   */
  async setlimit(category: number, limit: number, options?: CallOptions): Promise<number> {
    const args = [int32(category, "category"), int32(limit, "limit")];
    requireNative(capabilities.limits, "setlimit()", options);
    const call = await this.handle.perform(this.handle.method("limit", ...args), options, this.setlimit);
    return call.value as number;
  }

  /** One of the limits of https://sqlite.org/c3ref/c_limit_attached.html. Needs `@sqlite-aio/native`. */
  async getlimit(category: number, options?: CallOptions): Promise<number> {
    const args = [int32(category, "category"), -1];
    requireNative(capabilities.limits, "getlimit()", options);
    const call = await this.handle.perform(this.handle.method("limit", ...args), options, this.getlimit);
    return call.value as number;
  }

  /**
   * Turns one of the switches of https://sqlite.org/c3ref/c_dbconfig_defensive.html on or off. Throws RangeError if the
   * code is no switch. Needs `@sqlite-aio/native`.
   *
   * @example
   * await db.setconfig(SQLITE_DBCONFIG_ENABLE_TRIGGER, false);
   */
  async setconfig(op: number, enable = true, options?: CallOptions): Promise<void> {
    const args = [switchCode(op), boolean(enable, "enable")];
    requireNative(capabilities.limits, "setconfig()", options);
    await this.handle.perform(this.handle.method("setconfig", ...args), options, this.setconfig);
  }

  /** Whether a switch is on; see {@link setconfig}. */
  async getconfig(op: number, options?: CallOptions): Promise<boolean> {
    const method = this.handle.method("getconfig", switchCode(op));
    requireNative(capabilities.limits, "getconfig()", options);
    return (await this.handle.perform(method, options, this.getconfig)).value as boolean;
  }
}

/** Throws NotSupportedError without the companion. Wrong arguments are refused before, with it and without it. */
function requireNative(there: boolean, what: string, options: CallOptions | undefined): void {
  Deadline.of(options);
  if (!there) throw needsNative(what);
}

function int32(value: number, name: string): number {
  if (typeof value !== "number" || !Number.isInteger(value))
    throw new TypeError(`${name} must be an integer`);
  if (value !== (value | 0)) throw new RangeError(`${name} must have 32 bits at the most`);
  return value;
}

const SWITCHES: ReadonlySet<unknown> = new Set(Object.values(switches));

function switchCode(op: number): number {
  if (typeof op !== "number") throw new TypeError("the config must be a number");
  if (!SWITCHES.has(op)) throw new RangeError(`unknown config 'op': ${op}`);
  return op;
}
