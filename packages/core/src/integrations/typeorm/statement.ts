import { types } from "node:util";
import { factsOf } from "@sqlite-aio/worker/sql";
import type { Connection } from "../../connection/connection.js";
import { DataError } from "../../errors/errors.js";
import type { Parameters } from "../../values/bind.js";
import { statementKind } from "../statement-kind.js";
import type { SentTransaction } from "./sent-transaction.js";

/** The result of a statement in the form that TypeORM reads. */
export interface TypeormResult {
  /** Number of changed rows; undefined for a statement that only reads. */
  readonly changes: number | undefined;
  /** TypeORM's raw result for a text that begins with `INSERT INTO`. */
  readonly lastInsertRowId: unknown;
  /** TypeORM's raw result for any other text. */
  getAllAsync(): Promise<unknown>;
}

/** A statement. The thread compiles it when it is executed, unless its cache has it. */
export class TypeormStatement {
  readonly #transaction: SentTransaction;
  readonly #sql: string;

  /** @internal Use `prepareAsync()`. */
  constructor(transaction: SentTransaction, sql: string) {
    this.#transaction = transaction;
    this.#sql = sql;
  }

  /**
   * Runs the statement in one round trip. In a transaction that SQLite has rolled back it rejects without running: the
   * statement would be committed on its own.
   */
  async executeAsync(parameters: readonly unknown[] = []): Promise<TypeormResult> {
    const values = parameters.map(storable) as Parameters;
    const done = await this.#transaction.run(this.#sql, (connection) => this.#execute(connection, values));
    return done ?? result(0, undefined, []);
  }

  async #execute(connection: Connection, values: Parameters): Promise<TypeormResult> {
    const sql = this.#sql;
    const kind = statementKind(sql);
    if (kind === "insert" || kind === "change") {
      const { changes, lastInsertRowid } = await connection.run(sql, values);
      return result(
        changes,
        lastInsertRowid,
        kind === "insert" && !isPlainInsert(sql) ? lastInsertRowid : [],
      );
    }
    const rows = await connection.executeFetchall(sql, values);
    if (kind !== "rows") return result(0, undefined, rows);
    // With RETURNING, each changed row gives one row.
    return result(factsOf(sql).returns ? rows.length : undefined, rows, rows);
  }

  /** Does nothing: the thread decides itself how long it caches a compiled statement. */
  async finalizeAsync(): Promise<void> {}
}

/** TypeORM uses this rule to choose between the two raw results. */
function isPlainInsert(sql: string): boolean {
  return sql.startsWith("INSERT INTO");
}

function result(changes: number | undefined, lastInsertRowId: unknown, all: unknown): TypeormResult {
  return { changes, lastInsertRowId, getAllAsync: async () => all };
}

/** A Date of a raw query, in the form that TypeORM stores in a column: UTC, with a blank between date and time. */
function storable(value: unknown, index: number): unknown {
  if (!types.isDate(value)) return value;
  if (Number.isNaN(value.getTime()))
    throw new DataError(`parameter ${index + 1}: an invalid Date`, { code: "SQLITE_MISMATCH" });
  return value.toISOString().replace("T", " ").slice(0, -1);
}
