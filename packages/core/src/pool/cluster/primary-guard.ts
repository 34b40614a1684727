import type { Batch, BatchCond } from "@libsql/hrana-client";
import { OperationalError } from "../../errors/errors.js";
import type { HranaModule } from "./hrana.js";
import type { RemoteStatement } from "./remote-values.js";

/** A name that nothing else has. Loading the module takes longer than all of the pool's own, and few have a primary. */
export function newIdentity(): string {
  return process.getBuiltinModule("node:crypto").randomUUID();
}

/** The table with the row by which a primary is known. */
const TABLE = "_sqlite_aio_primary";
/** Gives what a primary is known by. */
export const IDENTITY_QUERY = `SELECT id FROM ${TABLE}`;
/** Gives a primary a row to be known by, unless it has one. */
export const identify = (identity: string): RemoteStatement[] => [
  [`CREATE TABLE IF NOT EXISTS ${TABLE} (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL)`, []],
  [`INSERT OR IGNORE INTO ${TABLE} VALUES (1, ?)`, [identity]],
];

/** Of one request: the condition for what follows, and whether it was met. */
export interface Guarded {
  readonly condition: BatchCond | null;
  readonly passed: Promise<unknown>;
}

/** For what only reads. */
export const UNGUARDED: Guarded = { condition: null, passed: Promise.resolve() };

/**
 * Lets nothing be written to another database than the one that is expected: an empty one may have taken its place at the
 * same address, and a replica of the old one would not notice.
 */
export class PrimaryGuard {
  readonly #hrana: HranaModule;
  readonly #host: string;
  #query: RemoteStatement | null = null;

  constructor(hrana: HranaModule, host: string) {
    this.#hrana = hrana;
    this.#host = host;
  }

  /** From now on what is written goes to the database with this row only. */
  expect(identity: string): void {
    // An error is the one thing that a condition of the protocol can tell from a result.
    this.#query ??= [
      `SELECT CASE ? WHEN (${IDENTITY_QUERY}) THEN 1 ELSE abs(-9223372036854775808) END`,
      [identity],
    ];
  }

  /** Begins a request. */
  guard(batch: Batch): Guarded {
    if (this.#query === null) return UNGUARDED;
    const step = batch.step();
    const passed = step.run(this.#query).catch((error: unknown) => {
      throw this.#replaced(error);
    });
    passed.catch(() => {});
    return { condition: this.#hrana.BatchCond.ok(step), passed };
  }

  #replaced(error: unknown): unknown {
    if (!/integer overflow|no such table/.test(String(error))) return error;
    return new OperationalError(
      `the primary at ${this.#host} is not the one that this is a replica of; nothing was written`,
      { code: "SQLITE_AIO_PRIMARY_REPLACED", cause: error },
    );
  }
}
