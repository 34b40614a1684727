import type { HttpStream, RowsResult } from "@libsql/hrana-client";
import { factsOf } from "@sqlite-aio/worker/sql";
import { type CrashOutcome, PrimaryError, ProgrammingError, SqliteError } from "../../errors/errors.js";
import type { RowSettings } from "../../values/row-maker.js";
import type { HranaModule } from "./hrana.js";
import { type PrimaryGuard, UNGUARDED } from "./primary-guard.js";
import { remoteError, transactionLost } from "./remote-errors.js";
import { type RemoteResult, remoteResult, type RemoteStatement } from "./remote-values.js";

/**
 * A connection at the primary, as long as it is held. The primary may end a transaction by itself, and would run later
 * statements as transactions of their own. So each statement is sent with the condition that the transaction is still
 * open.
 */
export class PrimaryStream {
  readonly #stream: HttpStream;
  readonly #hrana: HranaModule;
  /** Needed for the first statement only: after it, the stream stays with the same server. */
  #guard: PrimaryGuard | null;
  readonly #rows: RowSettings;
  #inTransaction = false;
  /** Set when the stream has ended: the error of further statements. */
  #end: SqliteError | null = null;
  /** Set when an error has ended the transaction: the error of further statements until `rollback()`. */
  #lost: SqliteError | null = null;

  constructor(stream: HttpStream, hrana: HranaModule, guard: PrimaryGuard, rows: RowSettings) {
    this.#stream = stream;
    this.#hrana = hrana;
    this.#guard = guard;
    this.#rows = rows;
  }

  /** As of the latest answer. */
  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  /** The stream has ended. */
  get ended(): boolean {
    return this.#end !== null;
  }

  /** Begins a transaction for the next statements. */
  async begin(mode: "deferred" | "immediate" | "exclusive"): Promise<void> {
    await this.#run([`BEGIN ${mode.toUpperCase()}`, []], false, "not-started");
  }

  /** Runs one statement, in the transaction if there is one. */
  execute(statement: RemoteStatement): Promise<RemoteResult> {
    const commits = factsOf(statement[0]).transaction?.verb === "commit";
    return this.#run(statement, this.#inTransaction, commits ? "unknown" : undefined);
  }

  /**
   * Commits. If there was no answer, rejects with a PrimaryError whose outcome is unknown. Any other error means that
   * the transaction is rolled back.
   */
  async commit(): Promise<void> {
    await this.#run(["COMMIT", []], true, "unknown");
  }

  async rollback(): Promise<void> {
    // The primary rolls back what an ended stream leaves open.
    if (this.#end !== null || !this.#inTransaction) {
      this.#lost = null;
      return;
    }
    try {
      await this.#run(["ROLLBACK", []], true);
    } catch (error) {
      if (this.#end === null && this.#lost === null) throw error;
      this.#lost = null;
    }
  }

  /** Closes the stream. The primary rolls back an open transaction. */
  close(): void {
    this.#inTransaction = false;
    this.#end ??= new ProgrammingError("the transaction is over", { code: "SQLITE_MISUSE" });
    this.#stream.close();
  }

  async #run(
    statement: RemoteStatement,
    inside: boolean,
    outcome: CrashOutcome = inside ? "not-started" : "unknown",
  ): Promise<RemoteResult> {
    const over = this.#end ?? this.#lost;
    if (over !== null) throw over;
    const [sql] = statement;
    const { BatchCond } = this.#hrana;
    const batch = this.#stream.batch();
    const { condition, passed } = this.#guard?.guard(batch) ?? UNGUARDED;
    this.#guard = null;
    const step = batch.step();
    if (condition !== null) step.condition(condition);
    if (inside) step.condition(BatchCond.not(BatchCond.isAutocommit(batch)));
    const answer = step.query(statement);
    answer.catch(() => {});
    const wasOpen = this.#inTransaction;
    try {
      // Both are sent in the same request.
      const [, autocommit] = await Promise.all([batch.execute(), this.#stream.getAutocommit()]);
      this.#inTransaction = !autocommit;
    } catch (error) {
      throw this.#broken(error, sql, outcome);
    }
    let result: RowsResult | undefined;
    try {
      await passed;
      result = await answer;
    } catch (error) {
      const mapped = remoteError(error, sql);
      if (!inside || !wasOpen || this.#inTransaction || !(mapped instanceof SqliteError)) throw mapped;
      this.#lost = transactionLost({ cause: mapped });
      throw Object.assign(mapped, { rolledBack: true });
    }
    if (result === undefined) throw (this.#lost = transactionLost({ sql }));
    return remoteResult(result, this.#rows);
  }

  /** The stream has ended, so its transaction is rolled back, unless the COMMIT got no answer. */
  #broken(error: unknown, sql: string, outcome: CrashOutcome): unknown {
    let mapped = remoteError(error, sql);
    if (mapped instanceof PrimaryError && outcome === "not-started") {
      const message = mapped.message.replace(/; the call .*/, "; the transaction is rolled back");
      mapped = Object.assign(new PrimaryError(message, outcome, { sql, cause: mapped.cause }), {
        rolledBack: true,
      });
    }
    this.#inTransaction = false;
    if (mapped instanceof SqliteError) this.#end = mapped;
    return mapped;
  }
}
