import type { Batch, BatchCond } from "@libsql/hrana-client";
import { OperationalError } from "../../errors/errors.js";
import type { HranaModule } from "./hrana.js";
import type { RemoteStatement } from "./remote-values.js";

/**
 * A unique name. `node:crypto` is loaded here only: loading it takes longer than all modules of the pool, and few pools
 * have a primary.
 */
export function newIdentity(): string {
  return process.getBuiltinModule("node:crypto").randomUUID();
}

/** The table whose only row identifies a primary. */
const TABLE = "_sqlite_aio_primary";
/** Reads the identity of a primary. */
export const IDENTITY_QUERY = `SELECT id FROM ${TABLE}`;
/** Gives a primary an identity, unless it has one. */
export const identify = (identity: string): RemoteStatement[] => [
  [`CREATE TABLE IF NOT EXISTS ${TABLE} (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL)`, []],
  [`INSERT OR IGNORE INTO ${TABLE} VALUES (1, ?)`, [identity]],
];

/** The guard of one request: the condition for its statements, and whether it was met. */
export interface Guarded {
  readonly condition: BatchCond | null;
  readonly passed: Promise<unknown>;
}

/** For requests that only read. */
export const UNGUARDED: Guarded = { condition: null, passed: Promise.resolve() };

/**
 * Refuses writes to a database other than the expected one. An empty database may have taken its place at the same
 * address, and a replica of the old one would not notice.
 */
export class PrimaryGuard {
  readonly #hrana: HranaModule;
  readonly #host: string;
  #query: RemoteStatement | null = null;

  constructor(hrana: HranaModule, host: string) {
    this.#hrana = hrana;
    this.#host = host;
  }

  /** From now on, writes go only to the database with this identity. */
  expect(identity: string): void {
    // Conditions of the protocol can only test whether a step succeeded, so the query fails on purpose if the identity
    // differs.
    this.#query ??= [
      `SELECT CASE ? WHEN (${IDENTITY_QUERY}) THEN 1 ELSE abs(-9223372036854775808) END`,
      [identity],
    ];
  }

  /** Adds the guard's step to a request. */
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
