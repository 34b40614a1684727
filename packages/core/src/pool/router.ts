import { factsOf, type Setting, splitScript } from "@sqlite-aio/worker/sql";
import { Flag, Mode, Op, type SqlValue, type TableAccess } from "@sqlite-aio/worker/wire";
import { bindParameters } from "../values/bind.js";
import type { Call } from "../thread/call.js";
import { Cursor } from "../connection/cursor.js";
import { OperationalError, ProgrammingError, readOnly } from "../errors/errors.js";
import { isInstance } from "../errors/is-instance.js";
import { callSiteOf, keepCallSite, weakCallSite } from "../errors/call-site.js";
import { setInVain } from "../errors/set-in-vain.js";
import type { CallOptions } from "../options/connect-options.js";
import { Deadline } from "../options/deadline.js";
import type { Dispatcher, Make } from "./dispatcher.js";
import type { MemberGroup } from "./member-group.js";
import type { Lease } from "./leases.js";
import { shownDatabase } from "../options/database-path.js";
import { journalMode } from "./open-options.js";
import type { ResolvedPoolOptions } from "./options.js";

import type { Maintenance } from "./maintenance.js";
import { QueryTrace, type Watched } from "../tracing/query-trace.js";
import { type StatementInfo, statementInfo } from "../connection/describe.js";
import { type BatchSource, followed, runBatches, sourceOf, takeSets } from "../connection/executemany.js";
import { type Caller, type Handle, integerFlag } from "../connection/handle.js";
import { resultOf, RowIterator } from "../connection/row-iterator.js";
import { runTransaction } from "../connection/transaction.js";
import { partsOf, type SqlStatement, statementParts, textWithoutValues } from "../values/sql-statement.js";
import { checkSql } from "../thread/statement-cache.js";
import { ANY, type Profile, StatementProfiles } from "./statement-profile.js";

/** Without `off`, which the engine ignores. */
const JOURNAL_MODES = new Set(["delete", "truncate", "persist", "memory", "wal"]);

/** Sends each statement to a reader or the writer. It learns from SQLite which statements write. */
export class Router {
  readonly #options: ResolvedPoolOptions;
  readonly #dispatcher: Dispatcher;
  readonly #writers: MemberGroup;
  readonly #readers: MemberGroup;
  readonly #maintenance: Maintenance;
  readonly #watched: Watched;
  readonly #journal: string | null;
  readonly #profiles = new StatementProfiles(2000);

  constructor(
    options: ResolvedPoolOptions,
    dispatcher: Dispatcher,
    writers: MemberGroup,
    readers: MemberGroup,
    maintenance: Maintenance,
  ) {
    this.#options = options;
    this.#dispatcher = dispatcher;
    this.#writers = writers;
    this.#readers = readers;
    this.#maintenance = maintenance;
    this.#journal = journalMode(options);
    const { slowQueryMs, thread } = options.connection;
    this.#watched = { database: shownDatabase(thread.open.path), slowQueryMs };
  }

  /** Runs a statement to its end. */
  query(
    mode: number,
    sql: string | SqlStatement,
    parameters: object | undefined,
    options: CallOptions | undefined,
    caller: Caller,
    objects = true,
  ): Promise<Call> {
    if (typeof sql !== "string") [sql, parameters] = statementParts(sql, parameters);
    return this.#traced(mode, sql, parameters, options, caller, objects);
  }

  #traced(
    mode: number,
    sql: string,
    parameters: object | undefined,
    options: CallOptions | undefined,
    caller: Caller,
    objects: boolean,
  ): Promise<Call> {
    const trace = QueryTrace.of(Op.QUERY, sql, parameters, this.#watched);
    if (trace === null) return this.#query(mode, sql, parameters, options, caller, objects, null);
    return trace.follow(
      () => this.#query(mode, sql, parameters, options, caller, objects, trace),
      (call) => trace.succeeded(call.rows.length, call.changes),
    );
  }

  async #query(
    mode: number,
    sql: string,
    parameters: object | undefined,
    options: CallOptions | undefined,
    caller: Caller,
    objects: boolean,
    trace: QueryTrace | null,
  ): Promise<Call> {
    this.#dispatcher.check();
    const profile = this.#profile(sql);
    // Bound once and now, because the call may be sent again, to the writer or to another thread.
    const values = bindParameters(profile.parameters, parameters);
    const deadline = Deadline.of(options, this.#options.callTimeout);
    const integers = integerFlag(options);
    for (;;) {
      const reads = mode !== Mode.RUN && !profile.writes;
      const group = reads ? this.#readers : this.#writers;
      const guarded = reads && this.#splits;
      const flags = guarded ? Flag.READ_ONLY : this.#options.groupCommit ? Flag.GROUP : 0;
      const make: Make = (handle, waited) => {
        const call = handle.queryBound(mode, sql, values, { flags: flags | integers, objects });
        trace?.has(call, handle.thread);
        // After a wait, the stack is that of the call that freed the connection, not the caller's.
        handle.submit(call, deadline, waited ? null : caller);
        return call;
      };
      let call: Call;
      try {
        call =
          profile.kind === "alone"
            ? await this.#alone(group, deadline, make, caller)
            : await this.#dispatcher.perform(group, profile, deadline, make);
      } catch (error) {
        // REINDEX and PRAGMA optimize write, although sqlite3_stmt_readonly() is true for them.
        if (!guarded || !this.#needsWriter(error, sql)) throw error;
        profile.writes = true;
        trace?.again();
        continue;
      }
      if (call.refused) {
        if (this.#options.connection.thread.open.readonly) throw readOnly(sql);
        profile.writes = true;
        trace?.again();
        continue;
      }
      profile.spent(call.took);
      if (!reads || profile.writes) this.#maintenance.wrote();
      return call;
    }
  }

  /** The tables that a query reads; null if it cannot be compiled. */
  async access(sql: string, options: CallOptions): Promise<TableAccess | null> {
    this.#dispatcher.check();
    const deadline = Deadline.of(options, this.#options.callTimeout);
    const call = await this.#dispatcher.perform(this.#readers, ANY, deadline, (handle) => {
      const made = handle.method("tableAccess", sql);
      handle.submit(made, deadline, null);
      return made;
    });
    return call.value as TableAccess | null;
  }

  /** Compiles a statement without running it. */
  async describe(sql: string, options: CallOptions | undefined, caller: Caller): Promise<StatementInfo> {
    this.#dispatcher.check();
    const deadline = Deadline.of(options, this.#options.callTimeout);
    const call = await this.#dispatcher.perform(this.#readers, ANY, deadline, (handle, waited) => {
      const made = handle.compile(sql);
      handle.submit(made, deadline, waited ? null : caller);
      return made;
    });
    return statementInfo(call);
  }

  /** Throws if a single call cannot run this text. */
  checkStatement(sql: string): void {
    this.#profile(sql);
  }

  /** Rows, read on demand. */
  iterate(
    given: string | SqlStatement,
    parameters: object | undefined,
    options: CallOptions | undefined,
    caller: Caller,
  ): RowIterator {
    const site = callSiteOf(caller);
    const place = weakCallSite(site);
    let lease: Lease | undefined;
    // Arguments are taken now, not when the first row is requested. Their errors are thrown at the first row.
    const taken = resultOf(() => {
      const [sql, own] = partsOf(given, parameters);
      const profile = this.#profile(sql);
      const limits = options === undefined ? {} : { ...Deadline.check(options) };
      const values = bindParameters(profile.parameters, own);
      return { sql, profile, values, limits, integers: integerFlag(options) };
    });
    let deadline: Deadline | undefined;
    const open = async (): Promise<Cursor> => {
      this.#dispatcher.check();
      const { sql, profile, values, limits, integers } = taken();
      deadline = Deadline.of(limits, this.#options.callTimeout)!;
      for (;;) {
        const guarded = this.#splits && !profile.writes;
        const group = guarded ? this.#readers : this.#writers;
        lease = await this.#dispatcher.lease(group, "iterate", place, deadline);
        try {
          return await openCursor(lease, sql, values, (guarded ? Flag.READ_ONLY : 0) | integers, deadline);
        } catch (error) {
          const ended = lease.end();
          if (!guarded || !this.#needsWriter(error, sql)) throw error;
          await ended;
          profile.writes = true;
        }
      }
    };
    const close = async (): Promise<void> => {
      dropped.unregister(token);
      await lease?.leave();
    };
    const token = {};
    const rows = new RowIterator({ open, giveUp: (reason) => deadline?.end(reason), close }, options?.signal);
    keepCallSite(rows, site);
    dropped.register(rows, close, token);
    return rows;
  }

  /**
   * Runs a statement for each parameter set, in one transaction on the writer. Gives the changed rows, -1 if it is no
   * DML.
   */
  many(
    given: string | SqlStatement,
    sets: Iterable<object> | AsyncIterable<object>,
    options: CallOptions | undefined,
    caller: Caller,
  ): Promise<number> {
    const sql = textWithoutValues(given);
    const source = sourceOf(caller, QueryTrace.of(Op.MANY, sql, undefined, this.#watched));
    return followed(source, () => this.#many(sql, sets, options, source));
  }

  async #many(
    sql: string,
    sets: Iterable<object> | AsyncIterable<object>,
    options: CallOptions | undefined,
    source: BatchSource,
  ): Promise<number> {
    this.#dispatcher.check();
    const taken = takeSets(this.#profile(sql).parameters, sets);
    const deadline = Deadline.of(options, this.#options.callTimeout);
    const lease = await this.#dispatcher.lease(this.#writers, "executemany", source.origin, deadline);
    const handle = lease.handle("pool");
    const work = (signal?: AbortSignal): Promise<number> => {
      const limits = Deadline.of(signal && { signal });
      const inner = (tx: Handle): Handle => tx;
      const fill = (tx: Handle): Promise<number> => runBatches(tx, sql, taken, limits, source);
      return runTransaction(handle, inner, fill, { mode: "immediate", signal }, null);
    };
    try {
      return await lease.unlessRevoked(deadline === undefined ? work() : deadline.signalled(work, sql));
    } finally {
      void lease.end();
    }
  }

  /** Runs the statements of a script on the writer, which no other call uses meanwhile. */
  script(script: string | SqlStatement, options: CallOptions | undefined, caller: Caller): Promise<void> {
    const sql = textWithoutValues(script);
    const trace = QueryTrace.of(Op.SCRIPT, sql, undefined, this.#watched);
    if (trace === null) return this.#script(sql, options, caller, null);
    return trace.follow(
      () => this.#script(sql, options, caller, trace),
      () => trace.succeeded(0, -1),
    );
  }

  async #script(
    sql: string,
    options: CallOptions | undefined,
    caller: Caller,
    trace: QueryTrace | null,
  ): Promise<void> {
    this.#dispatcher.check();
    checkSql(sql);
    this.#refuseInVain(sql);
    const place = callSiteOf(caller);
    const deadline = Deadline.of(options, this.#options.callTimeout);
    await this.#dispatcher.alone(this.#writers, "exec()", place, deadline, (handle) => {
      const call = handle.script(sql, 0);
      trace?.has(call, handle.thread);
      handle.submit(call, deadline, caller);
      return call;
    });
  }

  /** A reader found out that `sql` writes, and the writer may run it. */
  #needsWriter(error: unknown, sql: string): boolean {
    if (this.#options.connection.thread.open.readonly) return false;
    // The error must be about this statement, not about one that opened the reader.
    return isInstance(error, OperationalError) && error.code === "SQLITE_READONLY" && error.sql === sql;
  }

  /** Readers and writers are different connections. */
  get #splits(): boolean {
    return this.#readers !== this.#writers;
  }

  #profile(sql: string): Profile {
    const profile = this.#profiles.get(sql);
    if (profile.kind === "plain") return profile;
    if (profile.kind === "alone") {
      if (this.#changesJournal(sql)) throw setInVain("PRAGMA", sql, "a connection of acquire()");
      return profile;
    }
    if (profile.kind !== "control") throw setInVain(profile.kind, sql, "a connection of acquire()");
    throw new ProgrammingError(
      "a call of the pool is a transaction of its own: use transaction(), or acquire() for a connection of one's own",
      { code: "SQLITE_MISUSE", sql },
    );
  }

  /** Throws for a script that sets something and then does nothing with it. */
  #refuseInVain(script: string): void {
    let kind: Setting | null = null;
    for (const piece of splitScript(script)) {
      kind = factsOf(piece).setting ?? (this.#changesJournal(piece) ? "PRAGMA" : null);
      if (kind === null) return;
    }
    if (kind !== null) throw setInVain(kind, script, "a connection of acquire()");
  }

  /**
   * Whether it sets another journal mode than the pool opens its connections with. It would be set back with the next
   * one, and could not be set beside others: SQLite waits until they are closed.
   */
  #changesJournal(sql: string): boolean {
    const { pragma } = factsOf(sql);
    if (this.#journal === null || pragma?.name !== "journal_mode" || pragma.schema === "temp") return false;
    return pragma.value !== this.#journal && JOURNAL_MODES.has(pragma.value ?? "");
  }

  #alone(group: MemberGroup, deadline: Deadline | undefined, make: Make, caller: Caller): Promise<Call> {
    const place = callSiteOf(caller);
    return this.#dispatcher.alone(group, `${caller.name}()`, place, deadline, make);
  }
}

async function openCursor(
  lease: Lease,
  sql: string,
  values: readonly SqlValue[],
  flags: number,
  deadline: Deadline,
): Promise<Cursor> {
  if (deadline.over) throw deadline.reason(sql);
  const stopWatching = deadline.watch((reason) => lease.member.channel.cancelAll(reason), sql);
  try {
    return await new Cursor(null, lease.handle("pool"), flags).executeBound(sql, values);
  } finally {
    stopWatching();
  }
}

/** A half-read iterator that is garbage-collected must not keep its connection for ever. */
const dropped = new FinalizationRegistry<() => Promise<void>>((close) => void close());
