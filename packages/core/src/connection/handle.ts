import { Flag, Mode, Op, type SqlValue, type IntegerMode, Verb } from "@sqlite-aio/worker/wire";
import { bindParameters, type Parameters, refuseCutNames } from "../values/bind.js";
import { ErrorReason, FaultReason, interrupted, thrownFor } from "../errors/rejection.js";
import { Call, type CallTraits } from "../thread/call.js";
import type { WorkerThread } from "../thread/worker-thread.js";
import { fromFault, QueueFullError, SqliteError } from "../errors/errors.js";
import { isInstance } from "../errors/is-instance.js";
import type { CallSite } from "../errors/call-site.js";
import { type CallOptions, type IsolationLevel, oneOf } from "../options/connect-options.js";
import { Deadline } from "../options/deadline.js";
import { isWatched, QueryTrace, type Watched } from "../tracing/query-trace.js";
import type { HookListeners } from "../functions/hook-listeners.js";
import { type Autocommit, LEGACY_TRANSACTION_CONTROL } from "../options/autocommit.js";
import { closedReason, type Lane } from "./lane.js";
import type { RowFactory } from "./cursor.js";
import { OpenCursors } from "../thread/open-cursors.js";
import { buildsObjects, rawTextFlag, type TextFactory } from "../values/row-maker.js";
import { type CachedStatement, checkSql } from "../thread/statement-cache.js";
import { type SqlStatement, statementParts, textWithoutValues } from "../values/sql-statement.js";
import { shownParameters } from "../tracing/shown-parameters.js";

/** What all calls of a connection have in common; its transactions share them. */
export interface Settings extends Watched {
  isolationLevel: IsolationLevel;
  autocommit: Autocommit;
  rowFactory: RowFactory;
  textFactory: TextFactory;
  readonly detectTypes: number;
  readonly integers: IntegerMode;
  readonly iterChunkSize: number;
  readonly maxQueue: number;
  /** Timeout in ms of a user's call that sets none itself; 0 means no limit. */
  readonly callTimeout: number;
  /** Warn when close() rolls back a transaction that was begun implicitly. */
  readonly warnOnRollback: boolean;
  /** Created functions survive when the handle is reopened; false for a lease. */
  readonly lasting: boolean;
  /** The listeners of SQLite's hooks. */
  readonly hooks: HookListeners;
  /** How often `interrupt()` was called. A cursor that is half read at that time is over. */
  interrupts: number;
}

const BEGIN_FLAG: Readonly<Record<string, number>> = { DEFERRED: 1, IMMEDIATE: 2, EXCLUSIVE: 3 };

/** The flag of a QUERY for the integers that its caller wants. Throws TypeError or RangeError. */
export function integerFlag(options: CallOptions | undefined): number {
  const wanted = options?.integers;
  return wanted !== undefined && oneOf(wanted, "integers", "bigint", ["bigint"]) === "bigint"
    ? Flag.BIGINT
    : 0;
}

/** The public method that makes a call. An error's stack begins at the place where it was called. */
export type Caller = (...args: never[]) => unknown;

/** How a statement runs. Omitted fields are 0, or the connection's own. */
export interface QuerySpec extends Pick<CallTraits, "essential" | "housekeeping"> {
  /** The number of the cursor that keeps the rows behind `limit`. */
  readonly cursor?: number;
  /** Rows in the first answer. Default: all. */
  readonly limit?: number;
  /** {@link Flag}s besides the connection's. */
  readonly flags?: number;
  /** False gives rows as arrays of SQLite's values, whatever the row factory, text factory and converters are. */
  readonly objects?: boolean;
}

const PLAIN: QuerySpec = {};

/** Makes calls, sends them down a lane, and turns answers into results and errors. */
export class Handle {
  readonly channel: WorkerThread;
  readonly root: Lane;
  readonly lane: Lane;
  readonly settings: Settings;
  /** The handle belongs to a `transaction()`, which begins and ends by itself. */
  readonly scoped: boolean;
  readonly cursors: OpenCursors;
  #closed = false;
  #leaseOver = false;
  #closedReason: () => Error = closedReason;

  constructor(
    channel: WorkerThread,
    root: Lane,
    lane: Lane,
    settings: Settings,
    scoped = false,
    outer: OpenCursors | null = null,
  ) {
    this.channel = channel;
    this.root = root;
    this.lane = lane;
    this.settings = settings;
    this.scoped = scoped;
    this.cursors = new OpenCursors(this, outer);
  }

  /** A handle for a lease; `scoped` if the lease is a transaction's. */
  within(lane: Lane, scoped: boolean): Handle {
    return new Handle(this.channel, this.root, lane, this.settings, scoped, this.cursors);
  }

  /** Takes no further calls. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The lease has ended, and the connection may belong to somebody else now. */
  get leaseOver(): boolean {
    return this.#leaseOver;
  }

  /** The error for calls on a closed handle. */
  closedReason(): Error {
    return this.#closedReason();
  }

  /** Throws if the handle is closed. */
  check(): void {
    if (this.#closed) throw this.#closedReason();
  }

  /** Sets what {@link check} throws once the handle is closed. */
  endsWith(reason: () => Error): void {
    this.#closedReason = reason;
  }

  /** Closes the handle to further calls. */
  end(): void {
    this.#closed = true;
  }

  /** Notes that the lease is over and others may use the connection. */
  endLease(): void {
    this.#leaseOver = true;
  }

  /** What `console.log()` shows for the handle's owner. After a lease, the connection's state is somebody else's. */
  get shown(): Readonly<Record<string, unknown>> {
    const path = this.settings.database;
    if (this.#leaseOver) return { path, state: "over" };
    const { inTransaction } = this;
    const pending = this.channel.pending + this.lane.waiting;
    return { path, state: this.#closed ? "closed" : "open", inTransaction, pending };
  }

  get thread(): number {
    return this.channel.thread;
  }

  get inTransaction(): boolean {
    return this.channel.inTransaction;
  }

  get totalChanges(): number {
    return this.channel.totalChanges;
  }

  /** A number for a cursor, a job or a blob, unique in the thread. */
  nextNumber(): number {
    return this.channel.nextNumber();
  }

  /** Tells the thread to drop what it keeps under this number. */
  release(number: number): void {
    this.channel.release(number);
  }

  /** Posts the calls of this tick now, without waiting for the tick's end. */
  postNow(): void {
    this.channel.postNow();
  }

  get flags(): number {
    const { settings } = this;
    const { autocommit, isolationLevel } = settings;
    const legacy = autocommit === LEGACY_TRANSACTION_CONTROL && !this.scoped;
    const begin = isolationLevel !== null && legacy ? BEGIN_FLAG[isolationLevel]! : 0;
    return begin | (settings.detectTypes !== 0 ? Flag.BIGINT : 0) | (this.scoped ? Flag.IN_TRANSACTION : 0);
  }

  statement(sql: string): CachedStatement {
    this.check();
    return this.channel.statements.get(sql);
  }

  /** A call for one statement. Throws if the text or the parameters are wrong. */
  query(
    mode: number,
    sql: string | SqlStatement,
    parameters: object | undefined,
    spec: QuerySpec = PLAIN,
  ): Call {
    if (typeof sql !== "string") [sql, parameters] = statementParts(sql, parameters);
    const statement = this.statement(sql);
    const values = bindParameters(statement.parameters, parameters);
    return this.#query(mode, statement, values, spec, shownParameters(parameters), false);
  }

  /** {@link query} with values that are already bound, for a call that may be sent twice. */
  queryBound(mode: number, sql: string, values: readonly SqlValue[], spec: QuerySpec = PLAIN): Call {
    return this.#query(mode, this.statement(sql), values, spec, undefined, true);
  }

  #query(
    mode: number,
    statement: CachedStatement,
    values: readonly SqlValue[],
    spec: QuerySpec,
    parameters: Parameters | undefined,
    keepsValues: boolean,
  ): Call {
    if (statement.facts.opensFile) refuseCutNames(values);
    // Allocated at its final length: a spread leaves room for twenty more, in each call that waits.
    const fields = new Array<unknown>(5 + values.length);
    fields[0] = mode;
    const built = spec.objects !== false;
    fields[1] = this.flags | (spec.flags ?? 0) | (built ? rawTextFlag(this.settings) : 0);
    fields[2] = spec.cursor ?? 0;
    fields[3] = spec.limit ?? -1;
    fields[4] = values.length;
    for (let i = 0; i < values.length; i++) fields[5 + i] = values[i];
    return new Call(Op.QUERY, statement, fields, {
      objects: built && buildsObjects(this.settings),
      parameters,
      keepsValues,
      essential: spec.essential,
      housekeeping: spec.housekeeping,
    });
  }

  /** A call that compiles a statement without running it. */
  compile(sql: string | SqlStatement): Call {
    if (typeof sql !== "string") [sql] = statementParts(sql, undefined);
    const flags = this.scoped ? Flag.IN_TRANSACTION : 0;
    return new Call(Op.QUERY, this.statement(sql), [Mode.DESCRIBE, flags, 0, -1, 0]);
  }

  /** The verb for `commit()` or `rollback()`, which depends on `autocommit`. */
  ending(how: "commit" | "rollback"): number {
    const commits = how === "commit";
    switch (this.settings.autocommit) {
      case true:
        return Verb.BARRIER;
      case false:
        return commits ? Verb.COMMIT_AND_BEGIN : Verb.ROLLBACK_AND_BEGIN;
      default:
        return commits ? Verb.COMMIT : Verb.ROLLBACK;
    }
  }

  control(verb: number, argument = 0): Call {
    return new Call(Op.CONTROL, null, [verb, argument], { essential: true, begins: verb === Verb.BEGIN });
  }

  method(name: string, ...args: unknown[]): Call {
    return this.methodWith(undefined, name, ...args);
  }

  /** {@link method} with buffers that are transferred to the thread. */
  methodWith(transfer: readonly ArrayBuffer[] | undefined, name: string, ...args: unknown[]): Call {
    const flags = this.scoped ? Flag.IN_TRANSACTION : 0;
    return new Call(Op.CALL, null, [name, args, flags], { transfer });
  }

  script(script: string | SqlStatement, flags: number): Call {
    const sql = textWithoutValues(script);
    checkSql(sql);
    return new Call(Op.SCRIPT, null, [sql, flags | (this.scoped ? Flag.IN_TRANSACTION : 0)], { sql });
  }

  /**
   * Sends a call. `caller` is the public method. If the statement has not run yet, the call site is captured now, which
   * costs 2 us. Later calls need none: V8's async stack traces name the caller as long as the promise is awaited.
   */
  submit(call: Call, options: CallOptions | Deadline | undefined, caller: Caller | null): void {
    this.check();
    const { maxQueue } = this.settings;
    // Count only this handle's own lane: calls that wait for a transaction must not stop that transaction.
    if (!call.essential && !call.part && this.channel.pending + this.lane.waiting >= maxQueue) {
      throw new QueueFullError(`${maxQueue} calls are waiting or running already (maxQueue)`, {
        sql: call.sql,
      });
    }
    if (caller !== null && call.statement?.proven !== true) Error.captureStackTrace(call, caller);
    const deadline = Deadline.of(options, caller === null ? 0 : this.settings.callTimeout);
    const trace = isWatched(this.settings)
      ? QueryTrace.ofCall(call, caller, this.settings, this.channel.thread)
      : null;
    if (trace === null) this.lane.submit(call);
    else
      trace.send(
        () => this.lane.submit(call),
        (reason) => toError(reason, call),
      );
    // Watch only after the call was sent: a timer for a refused call would outlive it.
    if (deadline !== undefined) this.watch(call, deadline);
  }

  /** Exclusive use of a child lane, in its turn. */
  async lease(deadline: Deadline | undefined): Promise<Lane> {
    this.check();
    let stopWatching: (() => void) | undefined;
    try {
      return await this.lane.lease((withdraw) => {
        stopWatching = deadline?.watch(withdraw);
      });
    } catch (reason) {
      throw thrownFor(reason);
    } finally {
      stopWatching?.();
    }
  }

  /** Gives a call up when its deadline is over. */
  watch(call: Call, deadline: Deadline): void {
    if (call.settled) return;
    call.onSettled(deadline.watch((reason) => this.giveUp(call, reason), call.sql));
  }

  /** Cancels a call, whether it waits in the lane or is in the thread. */
  giveUp(call: Call, reason: unknown): void {
    if (this.lane.withdraw(call)) call.reject(reason);
    else this.channel.cancel(call, reason);
  }

  /** Cancels a call, whether it waits in the lane or is in the thread: see {@link WorkerThread.discourage}. */
  discourage(call: Call, interrupts: boolean): void {
    if (this.lane.withdraw(call)) call.reject(interrupted);
    else this.channel.discourage(call, interrupts);
  }

  /** Waits for a call's answer. The error's stack names the caller. */
  async settle(call: Call): Promise<Call> {
    try {
      return await call.promise;
    } catch (reason) {
      throw toError(reason, call);
    }
  }

  /** Sends a call and waits. */
  async perform(call: Call, options?: CallOptions, caller: Caller | null = null): Promise<Call> {
    this.submit(call, options, caller);
    try {
      return await call.promise;
    } catch (reason) {
      throw toError(reason, call);
    }
  }
}

/**
 * The error for a rejected call. It is made in the continuation of the caller's await, so that its stack names the
 * caller.
 */
export function toError(reason: unknown, call: Call): unknown {
  let error: Error;
  if (isInstance(reason, FaultReason)) {
    const { fault, thrown } = reason;
    error = fromFault(fault, call.sql, thrown);
    if (fault.set !== undefined) Object.assign(error, { parameterSet: fault.set });
  } else if (isInstance(reason, ErrorReason)) error = reason.make();
  else {
    call.trace?.callFailed(call, reason);
    return reason;
  }
  placed(error, call.stack === undefined ? call.origin : call);
  call.trace?.callFailed(call, error);
  return error;
}

/** Makes the stack of `error` show where the call came from, if that was captured. */
export function placed(error: unknown, origin: CallSite | null): unknown {
  const stack = origin?.stack;
  if (stack !== undefined && isInstance(error, SqliteError)) {
    error.stack = `${error.name}: ${error.message}\n${stack.slice(stack.indexOf("\n    at") + 1)}`;
  }
  return error;
}
