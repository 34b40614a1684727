import type { EngineDatabase, EngineStatement } from "../engine/engine-api.js";
import type { SessionParts } from "../handle/session-parts.js";

/**
 * After a violation of these constraints SQLite leaves nothing of the statement behind: it checks them before it writes
 * a row, or undoes the whole statement, for which it keeps a statement journal. After any other error (STRICT types, a
 * text that is too long, a function that throws, triggers nested too deep) the rows that the statement has written so
 * far stay.
 */
export const UNDOES_ITSELF: ReadonlySet<string> = new Set([
  "SQLITE_CONSTRAINT_CHECK",
  "SQLITE_CONSTRAINT_FOREIGNKEY",
  "SQLITE_CONSTRAINT_NOTNULL",
  "SQLITE_CONSTRAINT_PRIMARYKEY",
  "SQLITE_CONSTRAINT_ROWID",
  "SQLITE_CONSTRAINT_TRIGGER",
  "SQLITE_CONSTRAINT_UNIQUE",
]);

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
      if (this.#statements?.db !== db) this.#statements = ownStatements(db);
      const statement = this.#statements[which];
      changes.mutate(null, () => statement.run());
    });
  }

  /** Commits, and waits for locks as operation `sequence` may. If that fails, the transaction stays open. */
  commit(sequence: number): void {
    const { lockWait } = this.#session;
    for (let first = true; ; first = false) {
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
    const { handle, counts } = this.#session;
    if (handle.inTransaction) this.exec("rollback");
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
