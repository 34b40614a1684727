import { withoutKeys } from "@sqlite-aio/worker/sql";
import { Op, sharedNow, Verb } from "@sqlite-aio/worker/wire";
import type { Parameters } from "../values/bind.js";
import { shownParameters } from "./shown-parameters.js";
import type { Call, CallObserver } from "../thread/call.js";
import { readOnly } from "../errors/errors.js";
import { queryChannel, type QueryEvent, Trace } from "./channels.js";

/** What the traces of all statements of a connection have in common. */
export interface Watched {
  /** Path of the database. */
  readonly database: string;
  /** Duration in ms from which a statement gives a warning; 0: none does. */
  readonly slowQueryMs: number;
}

/** Whether statements have to be traced. */
export function isWatched({ slowQueryMs }: Watched): boolean {
  return queryChannel.hasSubscribers || slowQueryMs > 0;
}

const OPERATIONS: Readonly<Record<number, QueryEvent["operation"]>> = {
  [Op.QUERY]: "query",
  [Op.CONTROL]: "query",
  [Op.FETCH]: "fetch",
  [Op.MANY]: "many",
  [Op.SCRIPT]: "script",
};

/** Traces a statement from the call of the method to its outcome. */
export class QueryTrace implements CallObserver {
  readonly #trace: Trace<QueryEvent>;
  readonly #slowQueryMs: number;
  readonly #sql: string;
  readonly #calledAt = sharedNow();
  /** The traced call; null if there may be several. */
  readonly #call: Call | null;
  #begunAt: number | undefined;
  #ran = 0;
  /** The call of the latest timing, and its duration so far. */
  #latest: Call | null = null;
  #latestRan = 0;

  private constructor(event: QueryEvent, slowQueryMs: number, call: Call | null) {
    this.#trace = new Trace(queryChannel, event);
    this.#slowQueryMs = slowQueryMs;
    this.#sql = event.sql;
    this.#call = call;
  }

  /** For a method that may make several calls. Null if there is no subscriber. */
  static of(code: number, sql: string, parameters: object | undefined, watched: Watched): QueryTrace | null {
    if (!isWatched(watched)) return null;
    const event = eventOf(code, sql, shownParameters(parameters), watched, undefined);
    return new QueryTrace(event, watched.slowQueryMs, null);
  }

  /** For a single call that the public method `caller` is about to send. Null if nothing is to be traced. */
  static ofCall(call: Call, caller: unknown, watched: Watched, thread: number): QueryTrace | null {
    const sql = call.code === Op.CONTROL ? controlSql(call) : call.sql;
    if (call.trace !== null || sql === undefined || (caller === null && call.code !== Op.FETCH)) return null;
    const event = eventOf(call.code, sql, call.parameters, watched, thread);
    return new QueryTrace(event, watched.slowQueryMs, call);
  }

  /** Adds `call` to the trace. */
  has(call: Call, thread: number): void {
    call.watchedBy(this);
    this.#trace.tell({ thread });
  }

  /** Sends the traced call. `toError` makes the error of a rejection that nobody awaits. */
  send(send: () => void, toError: (reason: unknown) => unknown): void {
    const call = this.#call!;
    call.watchedBy(this);
    try {
      this.#trace.run(send);
    } catch (error) {
      // The sending method is async, so its caller sees a rejection.
      this.failed(error);
      throw error;
    }
    call.promise.then(
      () => {
        if (call.refused) this.failed(readOnly(call.sql));
        else this.succeeded(call.rows.length, call.changes);
      },
      (reason: unknown) => {
        // The awaiting caller makes the error in the next microtask, and the event must have the same one.
        queueMicrotask(() => {
          if (this.#trace.over) return;
          if (call.left) this.#cancelled();
          else this.failed(toError(reason));
        });
      },
    );
  }

  /** Runs and traces work that makes several calls. */
  async follow<T>(work: () => Promise<T>, done: (result: T) => void): Promise<T> {
    try {
      const result = await this.#trace.run(work);
      done(result);
      return result;
    } catch (error) {
      this.failed(error);
      throw error;
    }
  }

  /** The thread began `call` at `begun`, and has run it for `ms` so far. */
  timed(call: Call, begun: number, ms: number): void {
    this.#begunAt ??= begun;
    if (this.#latest !== call) this.#ran += this.#latestRan;
    this.#latest = call;
    this.#latestRan = ms;
  }

  /** Drops the timings so far, because they are from the wrong connection. */
  again(): void {
    this.#begunAt = undefined;
    this.#ran = this.#latestRan = 0;
  }

  succeeded(rows: number, changes: number): void {
    this.#trace.tell({ rows, changes: changes < 0 ? undefined : changes });
    this.#measure();
    this.#trace.succeeded();
  }

  /** If this is the trace of that one call, the trace has failed. */
  callFailed(call: Call, error: unknown): void {
    if (this.#call !== call) return;
    if (call.left) this.#cancelled();
    else this.failed(error);
  }

  /** No failure: the rows that it would have had were not wanted any more. */
  #cancelled(): void {
    if (this.#trace.over) return;
    this.#trace.tell({ cancelled: true });
    this.#measure();
    this.#trace.succeeded();
  }

  failed(error: unknown): void {
    if (this.#trace.over) return;
    this.#measure();
    this.#trace.failed(error);
  }

  #measure(): void {
    const queueMs = this.#begunAt === undefined ? undefined : Math.max(0, this.#begunAt - this.#calledAt);
    const execMs = this.#begunAt === undefined ? undefined : this.#ran + this.#latestRan;
    if (queueMs !== undefined) this.#trace.tell({ queueMs, execMs });
    if (this.#slowQueryMs > 0) this.#warn(queueMs, execMs);
  }

  #warn(queueMs: number | undefined, execMs: number | undefined): void {
    const sql = this.#sql;
    const known = queueMs !== undefined && execMs !== undefined;
    const took = known ? queueMs + execMs : sharedNow() - this.#calledAt;
    if (took < this.#slowQueryMs) return;
    const message = known
      ? `a query took ${round(took)} ms: it waited for ${round(queueMs)} ms and ran for ${round(execMs)} ms`
      : `a query was over after ${round(took)} ms; how long it ran is not known`;
    const warning = { name: "SlowQueryWarning", code: "SQLITE_AIO_SLOW", detail: sql, sql, queueMs, execMs };
    process.emitWarning(Object.assign(new Error(message), warning));
  }
}

function eventOf(
  code: number,
  sql: string,
  given: Parameters | undefined,
  watched: Watched,
  thread: number | undefined,
): QueryEvent {
  const shown = withoutKeys(sql);
  return {
    operation: OPERATIONS[code]!,
    sql: shown,
    database: watched.database,
    // The parameters may contain a key.
    parameters: shown === sql ? given : undefined,
    thread,
    queueMs: undefined,
    execMs: undefined,
    rows: 0,
    changes: undefined,
    cancelled: false,
  };
}

/** The text of a connection's `commit()` or `rollback()`. */
function controlSql({ fields: [verb] }: Call): string | undefined {
  return verb === Verb.COMMIT ? "COMMIT" : verb === Verb.ROLLBACK ? "ROLLBACK" : undefined;
}

function round(ms: number): string {
  return ms.toFixed(ms < 10 ? 1 : 0);
}
