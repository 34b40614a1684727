import type { EngineDatabase, EngineStatement } from "../engine/engine-api.js";
import type { SessionParts } from "../handle/session-parts.js";

type OwnParts = Pick<SessionParts, "handle" | "lockWait" | "counts" | "changes">;

/**
 * A transaction that the driver puts around callers' statements. Its own statements are not subject to an authorizer,
 * and no trace shows them.
 */
export class OwnTransaction {
  readonly #session: OwnParts;
  #statements: OwnStatements | null = null;

  constructor(session: OwnParts) {
    this.#session = session;
  }

  exec(which: Exclude<keyof OwnStatements, "db">): void {
    const { handle, changes } = this.#session;
    const { db } = handle;
    handle.privately(() => {
      // SQLite may have done so at an attempt before.
      if (which === "rollback" && !handle.inTransaction) return;
      if (this.#statements?.db !== db) this.#statements = ownStatements(db);
      const statement = this.#statements[which];
      changes.mutate(null, () => statement.run());
    });
  }

  /**
   * Commits, and waits for locks as operation `sequence` may. If that fails, the transaction stays open. `afresh`: it may
   * wait for the whole timeout, whatever the operation has waited for before.
   */
  commit(sequence: number, afresh: boolean): void {
    const { lockWait } = this.#session;
    for (let first = afresh; ; first = false) {
      lockWait.attempt(sequence, first, performance.now());
      try {
        this.exec("commit");
        return;
      } catch (error) {
        if (!lockWait.mayRetry(error)) throw error;
      }
    }
  }

  /** Undoes the open transaction, unless SQLite has done so. */
  rollBack(): void {
    const { counts } = this.#session;
    this.exec("rollback");
    counts.wrote();
    counts.rowidMayHaveChanged();
  }
}

/** Prepared statements of one handle. */
interface OwnStatements {
  readonly db: EngineDatabase;
  readonly begin: EngineStatement;
  readonly beginImmediate: EngineStatement;
  readonly commit: EngineStatement;
  readonly rollback: EngineStatement;
  readonly savepoint: EngineStatement;
  readonly release: EngineStatement;
  readonly rollbackTo: EngineStatement;
}

function ownStatements(db: EngineDatabase): OwnStatements {
  return {
    db,
    begin: db.prepare("BEGIN"),
    beginImmediate: db.prepare("BEGIN IMMEDIATE"),
    commit: db.prepare("COMMIT"),
    rollback: db.prepare("ROLLBACK"),
    savepoint: db.prepare("SAVEPOINT sqlite_aio_member"),
    release: db.prepare("RELEASE sqlite_aio_member"),
    rollbackTo: db.prepare("ROLLBACK TO sqlite_aio_member"),
  };
}
