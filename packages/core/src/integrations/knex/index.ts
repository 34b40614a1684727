/**
 * A client for Knex over a pool.
 *
 * @module @sqlite-aio/core/knex
 */
import { once } from "node:events";
import type { Writable } from "node:stream";
import knex, { type Knex } from "knex";
import type { Parameters } from "../../values/bind.js";
import type { CallOptions } from "../../options/connect-options.js";
import { enterTransaction, BuilderConnection, refuseInsideTransaction } from "../builder-connection.js";
import type { SessionPool } from "../session-pool.js";

/** What the client uses of a pool. */
export type KnexPool = SessionPool;

/** What Knex hands to its client to run. */
interface KnexQuery {
  readonly sql: string;
  readonly bindings?: readonly unknown[];
  /** Which method of Knex's made it; undefined for what Knex sends by itself. */
  readonly method?: string | undefined;
  response?: unknown;
  context?: { lastID: number | bigint; changes: number };
}

/** Knex's SQLite client, as far as its types leave it out. */
interface SqliteClient extends Knex.Client {
  _escapeBinding(value: unknown, context?: unknown): string;
  emit(event: string, ...values: unknown[]): boolean;
}
interface SqliteClientClass {
  new (config: Knex.Config): SqliteClient;
  readonly prototype: SqliteClient;
}

/** Rows that a stream takes from the thread at a time. */
const STREAM_CHUNK = 256;

let lastUid = 0;

/** Knex's connection: a session of the pool that can be told to stop what it runs. */
class KnexConnection extends BuilderConnection {
  /** Named as Knex names it in its events. */
  readonly __knexUid = `sqlite-aio-${++lastUid}`;
  #running = new AbortController();

  get options(): CallOptions {
    return { signal: this.#running.signal };
  }

  cancel(): void {
    this.#running.abort();
    this.#running = new AbortController();
  }
}

/**
 * A client class for Knex over a pool, or over what opens one at the first query. `destroy()` of Knex closes it.
 *
 * @example
 * const db = knex({ client: knexClient(() => createPool("app.db")) });
 * const notes = await db("note").where("id", ">", 7);
 */
export function knexClient(pool: KnexPool | (() => Promise<KnexPool>)): typeof Knex.Client {
  if (typeof pool !== "function" && (typeof pool !== "object" || pool === null)) {
    throw new TypeError("knexClient: the argument must be a pool or a function that opens one");
  }
  // Without a connection Knex loads no driver; its class is all that is wanted of this instance.
  const Base = knex({ client: "sqlite3", useNullAsDefault: true }).client.constructor as SqliteClientClass;
  const source = typeof pool === "function" ? pool : async () => pool;
  let opened = typeof pool === "function" ? null : source();
  const open = (): Promise<KnexPool> => {
    opened ??= source().catch((error: unknown) => {
      opened = null;
      throw error;
    });
    return opened;
  };

  // A transaction's client is made without the constructor, so that nothing here may be a field.
  class SqliteAioClient extends Base {
    constructor(config: Knex.Config) {
      super({ useNullAsDefault: true, ...config });
    }

    /** The pool is the driver, and the pool. */
    override initializeDriver(): void {}

    override initializePool(): void {}

    override async acquireConnection(): Promise<KnexConnection> {
      refuseInsideTransaction(open, "the Knex instance");
      return new KnexConnection(await open());
    }

    override async releaseConnection(connection: KnexConnection): Promise<void> {
      await connection.release();
    }

    override async destroy(callback?: (error?: unknown) => void): Promise<void> {
      try {
        await (await opened)?.close();
      } catch (error) {
        if (callback === undefined) throw error;
        callback(error);
        return;
      }
      callback?.();
    }

    async ["_query"](connection: KnexConnection, query: KnexQuery): Promise<KnexQuery> {
      try {
        return await run(connection, query);
      } catch (error) {
        throw keepMessage(error);
      }
    }

    async ["_stream"](connection: KnexConnection, query: KnexQuery, stream: Writable): Promise<void> {
      // Also while the first row is being computed, which nobody waits for once the stream is destroyed.
      const over = new AbortController();
      stream.once("close", () => over.abort());
      const { signal } = connection.options;
      const rows = connection.stream<unknown>(query.sql, bindingsOf(query), STREAM_CHUNK, {
        ...connection.options,
        signal: signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]),
      });
      try {
        for await (const chunk of rows) {
          for (const row of chunk) {
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

  async function run(connection: KnexConnection, query: KnexQuery): Promise<KnexQuery> {
    if (query.sql === "") throw new Error("The query is empty");
    const turn = turnOf(connection, query);
    if (turn !== null) {
      if (query.sql === "BEGIN;") enterTransaction(open, connection);
      await turn();
      return query;
    }
    const result = await connection
      .execute<unknown>(query.sql, bindingsOf(query), connection.options)
      .catch((error: unknown) => {
        if (connection.released && SETTING.test(query.sql)) return { rows: [] };
        throw error;
      });
    if (result.rows === null) {
      const { changes, lastInsertRowid } = result;
      query.response = { changes, lastInsertRowid };
      query.context = { lastID: lastInsertRowid, changes };
    } else {
      query.response = result.rows;
    }
    return query;
  }

  return SqliteAioClient as unknown as typeof Knex.Client;
}

/**
 * What Knex itself sends to begin and end a transaction, without a method; the rest of it, savepoints too, are statements
 * as any other.
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
 * How Knex puts a connection back as it was before a transaction with `enforceForeignCheck`: after it has given the
 * connection back, when the pool has done that already.
 */
const SETTING = /^PRAGMA foreign_keys = (?:ON|OFF)$/;

/** As Knex's own SQLite clients store it: a date is its milliseconds. */
function bindingsOf({ bindings = [] }: KnexQuery): Parameters {
  return bindings.map((value) => (value instanceof Date ? value.valueOf() : value)) as Parameters;
}

/** A value as text of a statement, for messages and `toString()`. Knex throws for some that SQLite stores. */
function escaped(Base: SqliteClientClass, value: unknown, context: unknown): string {
  if (typeof value === "bigint") return String(value);
  const known = ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : value;
  try {
    return Base.prototype["_escapeBinding"](known, context);
  } catch {
    // No message of Knex's may take the place of the error that it is about.
    return "?";
  }
}

const OWN_MESSAGE = Symbol.for("sqlite-aio:message");

/** Keeps an error's message beside the one that Knex makes of it, with the statement and its values before it. */
function keepMessage(error: unknown): unknown {
  if (typeof error !== "object" || error === null || OWN_MESSAGE in error) return error;
  const { message: value } = error as { message?: unknown };
  return Object.isExtensible(error)
    ? Object.defineProperty(error, OWN_MESSAGE, { value, configurable: true })
    : error;
}

/** Whether there is room again, or nobody wants more. */
async function drained(stream: Writable): Promise<void> {
  const over = new AbortController();
  try {
    await Promise.race(["drain", "close"].map((event) => once(stream, event, { signal: over.signal })));
  } finally {
    over.abort();
  }
}
