import type { Bindable } from "@sqlite-aio/core";
import { Answer, report, reportLater, tell } from "../calls/answer.js";
import { type Callback, split, splitEach } from "../calls/arguments.js";
import { fromCore, type Sqlite3Error } from "../calls/errors.js";
import type { Handle, OnRows } from "../connection/handle.js";
import { Kind } from "../scheduling/job.js";
import { type Bindings, bindingsOf } from "../statement/parameters.js";
import { eachRow } from "../statement/rows.js";
import type { Session } from "../scheduling/session.js";
import { oneShot, type Statement } from "../statement/statement.js";
import { type StatementText, statementText } from "../connection/statement-text.js";

type Values = readonly Bindable[];

/** A statement that a Database prepares, runs and finalizes in one call, by one message. */
interface Shot<T> {
  readonly type: string;
  readonly kind: number;
  work(handle: Handle, statement: StatementText, values: Values): Promise<T>;
  /** The callback's arguments after the null for no error. */
  answer(statement: Statement, result: T): readonly unknown[];
}

/** `run()`, `get()` and `all()` of a Database. */
export class OneShots {
  readonly #session: Session;
  /** Runs of one statement without callbacks, to be sent together. */
  #runs: { readonly sql: string; readonly sets: Values[] } | null = null;

  constructor(session: Session) {
    this.#session = session;
  }

  run(sql: string, given: readonly unknown[]): void {
    const { values, callback } = split(given);
    if (callback === undefined && this.#join(sql, values)) return;
    this.#shoot(sql, values, callback, {
      type: "sqlite3.Statement.Run",
      kind: Kind.MESSAGE,
      work: (handle, text, bound) => handle.run(text, bound),
      answer: (statement, outcome) => {
        Object.assign(statement, outcome);
        return [];
      },
    });
  }

  get(sql: string, given: readonly unknown[]): void {
    const { values, callback } = split(given);
    this.#shoot(sql, values, callback, {
      type: "sqlite3.Statement.Get",
      kind: Kind.MESSAGE,
      work: (handle, text, bound) => handle.get(text, bound),
      answer: (_, row) => (row === undefined ? [] : [row]),
    });
  }

  all(sql: string, given: readonly unknown[]): void {
    const { values, callback } = split(given);
    this.#shoot(sql, values, callback, {
      type: "sqlite3.Statement.All",
      kind: Kind.MESSAGE,
      work: (handle, text, bound) => handle.all(text, bound),
      answer: (_, rows) => [rows],
    });
  }

  /**
   * An error of compiling goes to the last function. Any other error goes to the function for rows; the last one still
   * gets the number of rows.
   */
  each(sql: string, given: readonly unknown[]): void {
    const { values, callback, complete } = splitEach(given);
    const { text, statement, bindings } = this.#make(sql, values);
    const answer = Answer.of(callback, "sqlite3.Statement.Each");
    const completed = Answer.of(complete, "sqlite3.Statement.Each");
    let count = 0;
    let compiled = true;
    const onRows: OnRows = (rows) => {
      count += rows.length;
      return eachRow(statement, answer, rows);
    };
    this.#session.schedule({
      kind: Kind.LONG,
      start: async () => {
        const { handle } = this.#session;
        try {
          if (bindings.error !== null) await afterCompiling(handle, text, bindings.error);
          await handle.each(text, bindings.values, onRows);
        } catch (error) {
          // Compile again to find out which of the two it was.
          if (count === 0) await handle.compile(text).catch(() => (compiled = false));
          throw error;
        }
      },
      done: (error) => {
        if (error !== null && !compiled) {
          report(statement, completed ?? answer, error);
          return;
        }
        try {
          if (error !== null) report(statement, answer, error);
        } finally {
          completed?.call(statement, null, count);
        }
      },
      refuse: (error) => tell(statement, completed ?? answer, error),
    });
  }

  #shoot<T>(sql: string, values: readonly unknown[], callback: Callback | undefined, shot: Shot<T>): void {
    const { text, statement, bindings } = this.#make(sql, values);
    const answer = Answer.of(callback, shot.type);
    this.#session.schedule({
      kind: shot.kind,
      start: () => {
        const { handle } = this.#session;
        return bindings.error === null
          ? shot.work(handle, text, bindings.values)
          : afterCompiling(handle, text, bindings.error);
      },
      done: (error, result) => {
        if (error !== null) report(statement, answer, error);
        else {
          const results = shot.answer(statement, result as T);
          answer?.call(statement, null, ...results);
        }
      },
      refuse: (error) => tell(statement, answer, error),
    });
  }

  #make(
    sql: string,
    values: readonly unknown[],
  ): { text: StatementText; statement: Statement; bindings: Bindings } {
    const statement = oneShot(this.#session.owner, sql);
    const text = statementText(sql);
    const bindings = bindingsOf(text.parameters, values) ?? { values: text.unbound, error: null };
    return { text, statement, bindings };
  }

  /** Keeps a run without a callback, to send it with following ones; false if that is not possible. */
  #join(sql: string, values: readonly unknown[]): boolean {
    if (typeof sql !== "string" || this.#session.scheduler.over) return false;
    const text = statementText(sql);
    if (!text.dml) return false;
    const bindings = bindingsOf(text.parameters, values);
    if (bindings !== null && bindings.error !== null) return false;
    if (this.#runs?.sql !== sql) {
      const sets: Values[] = [];
      this.#session.scheduler.holdBack(() => {
        this.#runs = null;
        this.#session.schedule(this.#joined(sql, text, sets));
      });
      this.#runs = { sql, sets };
    }
    this.#runs.sets.push(bindings?.values ?? text.unbound);
    return true;
  }

  #joined(sql: string, text: StatementText, sets: readonly Values[]): Parameters<Session["schedule"]>[0] {
    const { owner } = this.#session;
    const one = sets.length === 1;
    const failed = (error: unknown): void => reportLater(oneShot(owner, sql), fromCore(error));
    return {
      kind: one ? Kind.MESSAGE : Kind.LONG,
      start: async () => {
        const { handle } = this.#session;
        if (one) await handle.run(text, sets[0]!);
        else await handle.many(text, sets, failed);
      },
      done: (error) => {
        if (error !== null) failed(error);
      },
      refuse: () => false,
    };
  }
}

/** sqlite3 compiles the text before it looks at values, so an error of the text comes first. */
async function afterCompiling(handle: Handle, text: StatementText, wrong: Sqlite3Error): Promise<never> {
  await handle.compile(text);
  throw wrong;
}
