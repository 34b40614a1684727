import { types } from "node:util";
import { factsOf } from "@sqlite-aio/worker/sql";
import type { Connection } from "../../connection/connection.js";
import { DataError } from "../../errors/errors.js";
import type { Parameters } from "../../values/bind.js";
import { statementKind } from "../statement-kind.js";
import type { LostTransaction } from "./lost-transaction.js";

/** What became of a statement, as TypeORM reads it. */
export interface TypeormResult {
  /** Rows that were changed; undefined for a statement that only reads. */
  readonly changes: number | undefined;
  /** What TypeORM hands on as the raw result of a text that begins with `INSERT INTO`. */
  readonly lastInsertRowId: unknown;
  /** What TypeORM hands on as the raw result of any other text. */
  getAllAsync(): Promise<unknown>;
}

/** A statement, which the thread compiles when it is executed, or finds among those it keeps. */
export class TypeormStatement {
  readonly #connection: Connection;
  readonly #lost: LostTransaction;
  readonly #sql: string;

  /** @internal Use `prepareAsync()`. */
  constructor(connection: Connection, lost: LostTransaction, sql: string) {
    this.#connection = connection;
    this.#lost = lost;
    this.#sql = sql;
  }

  /**
   * Runs it in one round trip. Rejects, without running it, in a transaction that SQLite has rolled back: it would be
   * committed on its own.
   */
  async executeAsync(parameters: readonly unknown[] = []): Promise<TypeormResult> {
    const values = parameters.map(storable) as Parameters;
    const done = await this.#lost.run(this.#sql, () => this.#execute(values));
    return done ?? result(0, undefined, []);
  }

  async #execute(values: Parameters): Promise<TypeormResult> {
    const sql = this.#sql;
    const kind = statementKind(sql);
    if (kind === "insert" || kind === "change") {
      const { changes, lastInsertRowid } = await this.#connection.run(sql, values);
      return result(
        changes,
        lastInsertRowid,
        kind === "insert" && !isPlainInsert(sql) ? lastInsertRowid : [],
      );
    }
    const rows = await this.#connection.executeFetchall(sql, values);
    if (kind !== "rows") return result(0, undefined, rows);
    // With RETURNING there is a row for each that was changed.
    return result(factsOf(sql).returns ? rows.length : undefined, rows, rows);
  }

  /** The thread keeps or drops compiled statements by itself. */
  async finalizeAsync(): Promise<void> {}
}

/** By this TypeORM tells which of the two raw results it hands on. */
function isPlainInsert(sql: string): boolean {
  return sql.startsWith("INSERT INTO");
}

function result(changes: number | undefined, lastInsertRowId: unknown, all: unknown): TypeormResult {
  return { changes, lastInsertRowId, getAllAsync: async () => all };
}

/** A Date in a raw query as TypeORM stores one in a column: UTC, with a blank between date and time. */
function storable(value: unknown, index: number): unknown {
  if (!types.isDate(value)) return value;
  if (Number.isNaN(value.getTime()))
    throw new DataError(`parameter ${index + 1}: an invalid Date`, { code: "SQLITE_MISMATCH" });
  return value.toISOString().replace("T", " ").slice(0, -1);
}
