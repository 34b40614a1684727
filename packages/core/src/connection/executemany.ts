import type { ParameterList } from "@sqlite-aio/worker/sql";
import { Op, type SqlValue } from "@sqlite-aio/worker/wire";
import { Batch } from "../values/batch.js";
import { bindParameters } from "../values/bind.js";
import { Call } from "../thread/call.js";
import { SqliteError } from "../errors/errors.js";
import { isInstance } from "../errors/is-instance.js";
import { type CallSite, callSiteOf } from "../errors/call-site.js";
import type { CallOptions } from "../options/connect-options.js";
import { Deadline } from "../options/deadline.js";
import { QueryTrace } from "../tracing/query-trace.js";
import { type SqlStatement, textWithoutValues } from "../values/sql-statement.js";
import { closedReason } from "./lane.js";
import { type Caller, type Handle, toError } from "./handle.js";
import type { CachedStatement } from "../thread/statement-cache.js";

/** Milliseconds that close() waits for a generator of parameter sets before it ends the call. */
const CLOSE_MS = 2000;
/** At most one batch runs while the next one waits in the thread. */
const MAX_BATCHES = 2;

/** Runs a statement for each parameter set. Gives the changed rows, -1 if it is no DML. */
export async function executeBatches(
  handle: Handle,
  given: string | SqlStatement,
  sets: Iterable<object> | AsyncIterable<object>,
  options: CallOptions | undefined,
  caller: Caller,
): Promise<number> {
  const sql = textWithoutValues(given);
  const statement = handle.statement(sql);
  const deadline = Deadline.of(options, handle.settings.callTimeout);
  const source = sourceOf(caller, QueryTrace.of(Op.MANY, sql, undefined, handle.settings));
  return await followed(
    source,
    async () => await runBatches(handle, sql, takeSets(statement.parameters, sets), deadline, source),
  );
}

/** @internal Runs `work`, which gives the changed rows, and traces it. */
export function followed({ trace }: BatchSource, work: () => Promise<number>): Promise<number> {
  return trace === null ? work() : trace.follow(work, (changes) => trace.succeeded(0, changes));
}

/** The origin and the trace that all calls of one executemany share. */
export interface BatchSource {
  readonly origin: CallSite;
  readonly trace: QueryTrace | null;
}

/** @internal `caller` is the public method. */
export function sourceOf(caller: Caller, trace: QueryTrace | null): BatchSource {
  const origin = callSiteOf(caller);
  return { origin, trace };
}

/** Parameter sets. Those of an array are copied when the call is made. */
export type ParameterSets = TakenSets | Iterable<object> | AsyncIterable<object>;

/**
 * @internal Copies the sets of an array now, because the caller may go on using it. Throws TypeError if `sets` is not
 * iterable.
 */
export function takeSets(
  parameters: ParameterList,
  sets: Iterable<object> | AsyncIterable<object>,
): ParameterSets {
  if (typeof sets !== "object" || sets === null || !(Symbol.asyncIterator in sets || Symbol.iterator in sets))
    throw new TypeError("executemany: the parameter sets must be an Iterable or an AsyncIterable");
  return Array.isArray(sets) ? new TakenSets(parameters, sets as readonly object[]) : sets;
}

/** @internal {@link executeBatches} with sets from {@link takeSets}. */
export async function runBatches(
  handle: Handle,
  sql: string,
  sets: ParameterSets,
  deadline: Deadline | undefined,
  source: BatchSource,
): Promise<number> {
  const statement = handle.statement(sql);
  if (Symbol.asyncIterator in sets) {
    const batches = new Batches(handle, statement, deadline, source);
    // Race: the sets themselves may be slow to come.
    return await (deadline === undefined
      ? batches.drain(sets)
      : deadline.race(batches.drain(sets), statement.sql));
  }
  // The lease keeps other statements from coming between the sets. An AsyncIterable gets no lease: if it reads from
  // this connection, it would wait for itself. So other calls may come between its batches.
  const lane = await handle.lease(deadline);
  try {
    const batches = new Batches(handle.within(lane, handle.scoped), statement, deadline, source);
    return await batches.drain(sets);
  } finally {
    lane.end();
  }
}

/** The bound values of an array's sets, up to the first wrong one. */
class TakenSets {
  readonly batches: Batch[] = [];
  readonly failure: { readonly error: unknown } | null = null;

  constructor(parameters: ParameterList, sets: readonly object[]) {
    let taken = 0;
    try {
      let batch: Batch | null = null;
      for (const set of sets) {
        const values = bindParameters(parameters, set);
        if (batch === null) this.batches.push((batch = new Batch(parameters.count)));
        if (batch.add(values)) batch = null;
        taken++;
      }
    } catch (error) {
      if (isInstance(error, SqliteError)) nameParameterSet(error, taken);
      this.failure = { error };
    }
  }
}

class Batches {
  readonly #handle: Handle;
  readonly #statement: CachedStatement;
  readonly #deadline: Deadline | undefined;
  readonly #source: BatchSource;
  /** Lets the thread skip the batch behind a failed one by itself; a message from this side may come too late. */
  readonly #job: number;
  readonly #underWay: { call: Call; first: number }[] = [];
  #batch: Batch;
  #sets = 0;
  #changes = 0;
  #counted = false;

  constructor(
    handle: Handle,
    statement: CachedStatement,
    deadline: Deadline | undefined,
    source: BatchSource,
  ) {
    this.#handle = handle;
    this.#statement = statement;
    this.#deadline = deadline;
    this.#source = source;
    this.#job = handle.nextNumber();
    this.#batch = new Batch(statement.parameters.count);
  }

  async drain(sets: ParameterSets): Promise<number> {
    try {
      if (sets instanceof TakenSets) {
        for (const batch of sets.batches) await this.#send(batch);
        if (sets.failure !== null) throw sets.failure.error;
      } else if (Symbol.asyncIterator in sets) {
        for await (const set of sets) {
          // The caller has got the timeout already. Throwing here calls the iterator's return().
          if (this.#deadline?.over === true) throw this.#deadline.reason(this.#statement.sql);
          if (this.#add(set)) await this.#flush();
        }
      } else {
        for (const set of sets) {
          if (!this.#add(set)) continue;
          await this.#flush();
          // The iterable may be endless, and close() waits for it.
          if (this.#handle.root.closingFor > CLOSE_MS) throw closedReason();
        }
      }
    } catch (error) {
      if (this.#deadline?.over === true) throw error;
      // The sets before the wrong one are still executed, as in CPython.
      await this.#flush();
      while (this.#underWay.length > 0) await this.#receive();
      throw error;
    }
    // Without any set an empty batch is sent, so that a wrong statement is still an error.
    if (this.#sets === 0 || this.#batch.sets > 0) await this.#send(this.#batch);
    while (this.#underWay.length > 0) await this.#receive();
    return this.#counted ? this.#changes : -1;
  }

  /** True when the batch is full. */
  #add(set: object): boolean {
    let values: readonly SqlValue[];
    try {
      values = bindParameters(this.#statement.parameters, set);
    } catch (error) {
      if (isInstance(error, SqliteError)) nameParameterSet(error, this.#sets + this.#batch.sets);
      throw error;
    }
    return this.#batch.add(values);
  }

  /** Sends the sets that were not sent yet. */
  async #flush(): Promise<void> {
    if (this.#batch.sets === 0) return;
    const batch = this.#batch;
    this.#batch = new Batch(this.#statement.parameters.count);
    await this.#send(batch);
  }

  async #send(batch: Batch): Promise<void> {
    const { packed, transfer } = batch.pack();
    const call = new Call(Op.MANY, this.#statement, [this.#handle.flags, packed, this.#job], {
      transfer,
      origin: this.#source.origin,
      part: this.#sets > 0,
    });
    this.#source.trace?.has(call, this.#handle.thread);
    this.#handle.submit(call, this.#deadline, null);
    call.promise.catch(() => {});
    this.#underWay.push({ call, first: this.#sets });
    this.#sets += batch.sets;
    if (this.#underWay.length >= MAX_BATCHES) await this.#receive();
  }

  async #receive(): Promise<void> {
    const { call, first } = this.#underWay.shift()!;
    try {
      await call.promise;
    } catch (reason) {
      for (const { call: later } of this.#underWay.splice(0)) this.#handle.giveUp(later, reason);
      this.#handle.release(this.#job);
      const error = toError(reason, call);
      if (isInstance(error, SqliteError) && error.parameterSet !== undefined) {
        nameParameterSet(error, first + error.parameterSet);
      }
      throw error;
    }
    if (call.changes >= 0) {
      this.#counted = true;
      this.#changes += call.changes;
    }
  }
}

/** Adds to an error which parameter set, counted from 0, it is about. */
function nameParameterSet(error: SqliteError, set: number): void {
  const message = `${error.message} (parameter set ${set})`;
  const stack = error.stack?.replace(error.message, message);
  Object.assign(error, { parameterSet: set, message, stack });
}
