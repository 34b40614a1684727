/**
 * A client for Knex over a pool.
 *
 * @module @sqlite-aio/core/knex
 */
import { once } from "node:events";
import type { Writable } from "node:stream";
import { types } from "node:util";
import knex, { type Knex } from "knex";
import type { Parameters } from "../../values/bind.js";
import type { CallOptions } from "../../options/connect-options.js";
import {
  BuilderConnection,
  enterTransaction,
  type LeaseLimit,
  refuseInsideTransaction,
} from "../builder-connection.js";
import { isPool, type SessionPool } from "../session-pool.js";
import { ClientPool, type CountedPool } from "./client-pool.js";
import { insideTransaction, switchForeignKeys, type TableRebuild } from "./rebuild.js";
import { endingStreams, refusingInVain, type Runner } from "./runner.js";

export type { CountedPool, PoolCounts } from "./client-pool.js";

/** The part of a pool that the client uses. */
export type KnexPool = SessionPool & CountedPool;

/** A query as Knex gives it to its client. */
interface KnexQuery {
  readonly sql: string;
  readonly bindings?: readonly unknown[];
  /** The Knex method that made it; undefined for statements that Knex sends by itself. */
  readonly method?: string | undefined;
  /** The argument of `options()`. */
  readonly options?: { readonly safeIntegers?: unknown } | undefined;
  response?: unknown;
  context?: { lastID: number | bigint; changes: number };
}

/** The parts of Knex's SQLite client that its types leave out. */
interface SqliteClient extends Knex.Client {
  _escapeBinding(value: unknown, context?: unknown): string;
  emit(event: string, ...values: unknown[]): boolean;
  /** This client belongs to a transaction. */
  readonly transacting?: boolean;
  ddl(...args: unknown[]): TableRebuild;
}
interface SqliteClientClass {
  new (config: Knex.Config): SqliteClient;
  readonly prototype: SqliteClient;
}

/** Rows per chunk of a stream. */
const STREAM_CHUNK = 256;

let lastUid = 0;

/** Knex's connection. Its running query can be cancelled. */
class KnexConnection extends BuilderConnection {
  /** Knex's events carry this id. */
  readonly __knexUid = `sqlite-aio-${++lastUid}`;
  /** The owner for the check against waiting for its own transaction. */
  readonly owner: ClientPool<KnexPool>;
  #running = new AbortController();

  constructor(owner: ClientPool<KnexPool>, pool: KnexPool, limit: LeaseLimit | undefined) {
    super(pool, limit);
    this.owner = owner;
  }

  get signal(): AbortSignal {
    return this.#running.signal;
  }

  cancel(): void {
    this.#running.abort();
    this.#running = new AbortController();
  }
}

/**
 * A client class for Knex over a pool, or a function that opens one at the first query. Knex's `destroy()` closes the
 * pool.
 *
 * @example
 * const db = knex({ client: knexClient(() => createPool("app.db")) });
 * const notes = await db("note").where("id", ">", 7);
 */
export function knexClient(pool: KnexPool | (() => Promise<KnexPool>)): typeof Knex.Client {
  if (typeof pool !== "function" && !isPool(pool)) {
    throw new TypeError("knexClient: the argument must be a pool or a function that opens one");
  }
  // Without a connection Knex loads no driver. Only the class of this instance is needed.
  const Base = knex({ client: "sqlite3", useNullAsDefault: true }).client.constructor as SqliteClientClass;

  // Knex makes a transaction's client without the constructor, so this class must not have fields.
  class SqliteAioClient extends Base {
    constructor(config: Knex.Config) {
      super({ useNullAsDefault: true, ...config });
      this.initializePool();
    }

    /** No driver is loaded: the pool is one. */
    override initializeDriver(): void {}

    /** Knex also calls it after `destroy()`; the next query then opens the pool again. */
    override initializePool(): void {
      this.pool ??= new ClientPool(pool) as unknown as Knex.Client["pool"];
    }

    override async acquireConnection(): Promise<KnexConnection> {
      const clientPool = this.pool as unknown as ClientPool<KnexPool> | undefined;
      if (clientPool === undefined) throw new Error("Unable to acquire a connection");
      refuseInsideTransaction(clientPool, "the Knex instance");
      // Before the first await: destroy() is to know of each query that was called before it.
      clientPool.take();
      try {
        return new KnexConnection(clientPool, await clientPool.open(), leaseLimit(this.config));
      } catch (error) {
        clientPool.giveBack();
        throw error;
      }
    }

    override async releaseConnection(connection: KnexConnection): Promise<void> {
      // Knex releases the connection of a stream twice.
      if (connection.released) return;
      try {
        await connection.release();
      } finally {
        connection.owner.giveBack();
      }
    }

    override runner(builder: unknown): Runner {
      const runner = endingStreams(super.runner(builder) as Runner);
      return this.transacting === true ? runner : refusingInVain(runner);
    }

    /** Knex rebuilds a table for changes that ALTER TABLE cannot make. */
    override ddl(...args: unknown[]): TableRebuild {
      const rebuild = super.ddl(...args);
      return this.transacting === true ? insideTransaction(rebuild) : rebuild;
    }

    async ["_query"](connection: KnexConnection, query: KnexQuery): Promise<KnexQuery> {
      try {
        return await run(connection, query, this.config);
      } catch (error) {
        throw keepMessage(error);
      }
    }

    async ["_stream"](connection: KnexConnection, query: KnexQuery, stream: Writable): Promise<void> {
      // It was destroyed while the connection was awaited.
      if (stream.destroyed) return;
      // Destroying the stream stops the statement, even before the first row.
      const over = new AbortController();
      stream.once("close", () => over.abort());
      const { options, convert } = reading(connection, query, this.config);
      const rows = connection.stream<unknown>(query.sql, bindingsOf(query), STREAM_CHUNK, {
        ...options,
        signal: AbortSignal.any([connection.signal, over.signal]),
      });
      try {
        for await (const chunk of rows) {
          for (const row of convert(chunk)) {
            if (stream.destroyed) return;
            if (!stream.write(row)) await drained(stream);
          }
        }
        stream.end();
      } catch (error) {
        if (over.signal.aborted) return;
        stream.emit("error", error);
        throw error;
      }
    }
  }
  Object.assign(SqliteAioClient.prototype, {
    driverName: "sqlite-aio",
    canCancelQuery: true,
    cancelQuery: async (connection: KnexConnection) => connection.cancel(),
    _escapeBinding: (value: unknown, context?: unknown) => escaped(Base, value, context),
  });

  async function run(connection: KnexConnection, query: KnexQuery, config: Knex.Config): Promise<KnexQuery> {
    if (query.sql === "") throw new Error("The query is empty");
    const turn = turnOf(connection, query);
    if (turn !== null) {
      if (query.sql === "BEGIN;") enterTransaction(connection.owner, connection);
      await turn();
      return query;
    }
    if (query.method === undefined && connection.inTransaction && SETTING.test(query.sql)) {
      await switchForeignKeys(connection, query.sql.endsWith("ON"));
      query.response = [];
      return query;
    }
    const { options, convert } = reading(connection, query, config);
    const result = await connection
      .execute<unknown>(query.sql, bindingsOf(query), options)
      .catch((error: unknown) => {
        if (connection.released && SETTING.test(query.sql)) return { rows: [] };
        throw error;
      });
    if (result.rows === null) {
      const { changes, lastInsertRowid } = result;
      query.response = { changes, lastInsertRowid };
      query.context = { lastID: lastInsertRowid, changes };
    } else {
      query.response = convert(result.rows);
    }
    return query;
  }

  return SqliteAioClient as unknown as typeof Knex.Client;
}

/**
 * How the rows of a query are read. The option `safeIntegers` is better-sqlite3's; a query's own value wins over the
 * client's.
 */
function reading(
  { signal }: KnexConnection,
  { options }: KnexQuery,
  { connection }: Knex.Config,
): { options: CallOptions; convert: (rows: unknown[]) => unknown[] } {
  const all = connection as { readonly options?: { readonly safeIntegers?: unknown } } | undefined;
  const own = options?.safeIntegers;
  const safe = typeof own === "boolean" ? own : all?.options?.safeIntegers;
  if (safe === true) return { options: { signal, integers: "bigint" }, convert: (rows) => rows };
  return { options: { signal }, convert: safe === false ? withNumbers : (rows) => rows };
}

/** Converts all integers to numbers, even if they lose digits. */
function withNumbers(rows: unknown[]): unknown[] {
  for (const row of rows as Record<string, unknown>[]) {
    for (const [name, value] of Object.entries(row)) {
      if (typeof value === "bigint") row[name] = Number(value);
    }
  }
  return rows;
}

/** How long a transaction may wait for its connection: the smallest of Knex's options. */
function leaseLimit({ acquireConnectionTimeout, pool }: Knex.Config): LeaseLimit | undefined {
  const limits = [acquireConnectionTimeout, pool?.acquireTimeoutMillis].filter(
    (ms) => typeof ms === "number",
  );
  if (limits.length === 0) return undefined;
  const message =
    "Knex: Timeout acquiring a connection. The pool is probably full. Are you missing a .transacting(trx) call?";
  return { ms: Math.min(...limits), error: () => new knex.KnexTimeoutError(message) };
}

/**
 * Recognizes the statements by which Knex begins and ends a transaction; they have no method. Savepoints are ordinary
 * statements.
 */
function turnOf(connection: KnexConnection, { sql, method }: KnexQuery): (() => Promise<void>) | null {
  if (method !== undefined) return null;
  switch (sql) {
    case "BEGIN;":
      return () => connection.begin();
    case "COMMIT;":
      return () => connection.commit();
    case "ROLLBACK":
      return () => connection.rollback();
    default:
      return null;
  }
}

/**
 * How Knex turns foreign keys off and on to rebuild a table, even in a transaction. Knex also sends it after it has
 * released the connection, to restore the setting; by then the pool has restored it.
 */
const SETTING = /^PRAGMA foreign_keys = (?:ON|OFF)$/;

/** As in Knex's own SQLite clients, a date is stored as milliseconds. */
function bindingsOf({ bindings = [] }: KnexQuery): Parameters {
  return bindings.map((value) => (types.isDate(value) ? value.valueOf() : value)) as Parameters;
}

/** A value as SQL text, for messages and `toString()`. Knex throws for some values that SQLite can store. */
function escaped(Base: SqliteClientClass, value: unknown, context: unknown): string {
  if (typeof value === "bigint") return String(value);
  const known = ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : value;
  try {
    return Base.prototype["_escapeBinding"](known, context);
  } catch {
    // An error while a message is made must not replace the error that the message is about.
    return "?";
  }
}

const OWN_MESSAGE = Symbol.for("sqlite-aio:message");

/** Keeps an error's own message: Knex will put the statement and its values in front of it. */
function keepMessage(error: unknown): unknown {
  if (typeof error !== "object" || error === null || OWN_MESSAGE in error) return error;
  const { message: value } = error as { message?: unknown };
  return Object.isExtensible(error)
    ? Object.defineProperty(error, OWN_MESSAGE, { value, configurable: true })
    : error;
}

/** Resolves when the stream can take more or is closed. */
async function drained(stream: Writable): Promise<void> {
  const over = new AbortController();
  try {
    await Promise.race(["drain", "close"].map((event) => once(stream, event, { signal: over.signal })));
  } finally {
    over.abort();
  }
}
