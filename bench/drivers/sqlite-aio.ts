import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  ALL_CAPABILITIES,
  type Driver,
  LOG_ROW,
  type Parameters,
  pragmas,
  type Row,
  type Settings,
} from "../driver.ts";
import { loadPackage } from "../packages.ts";

interface Blob extends AsyncDisposable {
  createReadStream(): Readable;
  createWriteStream(options: { autoClose: boolean }): Writable;
}

interface Connection {
  blobopen(table: string, column: string, row: number, options?: object): Promise<Blob>;
  execute(sql: string, parameters?: Parameters): Promise<unknown>;
  executeFetchall(sql: string, parameters?: Parameters): Promise<Row[]>;
  executemany(sql: string, rows: Iterable<Parameters>): Promise<unknown>;
  transaction(work: (transaction: Connection) => Promise<unknown>): Promise<void>;
  commit(): Promise<void>;
  close(): Promise<void>;
}

interface CursorLike extends AsyncIterable<Row> {}

interface LeasedConnection extends Connection, AsyncDisposable {}

interface Pool {
  get(sql: string, parameters?: Parameters): Promise<Row | undefined>;
  all(sql: string, parameters?: Parameters): Promise<Row[]>;
  run(sql: string, parameters?: Parameters): Promise<unknown>;
  iterate(sql: string, parameters?: Parameters): AsyncIterable<Row>;
  acquire(): Promise<LeasedConnection>;
  close(): Promise<void>;
}

interface Pools {
  use<T>(key: number, work: (pool: Pool) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

interface Library {
  Row: unknown;
  connect(file: string, options: object): Promise<Connection & { rowFactory: unknown }>;
  createPool(file: string, options: object): Promise<Pool>;
  createPools(options: object): Pools;
}

export const sqliteAioConnection: Driver = {
  name: "sqlite-aio-connection",
  title: "sqlite-aio (connection)",
  packages: ["@sqlite-aio/core", "@sqlite-aio/worker", "better-sqlite3"],
  blocks: false,
  usage:
    "`connect()` with `isolationLevel: null` and rows as objects; `transaction()` with `executemany()` for bulk",
  capabilities: [...ALL_CAPABILITIES, "blob"],
  async open(file, settings) {
    const { connect, Row } = await loadPackage<Library>("@sqlite-aio/core");
    const database = await connect(file, { isolationLevel: null, pragmas: pragmaOptions(settings) });
    database.rowFactory = Row;
    return {
      get: async (sql, parameters) => (await database.executeFetchall(sql, parameters))[0],
      all: (sql, parameters) => database.executeFetchall(sql, parameters),
      run: (sql, parameters) => database.execute(sql, parameters),
      iterate: async (sql, visit) => {
        for await (const row of database.execute(sql) as unknown as CursorLike) visit(row);
      },
      insertMany: (sql, rows) => database.transaction((transaction) => transaction.executemany(sql, rows)),
      blob: {
        make: async (bytes) => {
          await database.execute("create table blobs (bytes)");
          await database.execute(`insert into blobs values (zeroblob(${bytes}))`);
        },
        readInto: async (sink) => {
          await using blob = await database.blobopen("blobs", "bytes", 1, { readonly: true });
          await pipeline(blob.createReadStream(), sink);
        },
        writeFrom: async (source) => {
          const blob = await database.blobopen("blobs", "bytes", 1);
          await pipeline(source, blob.createWriteStream({ autoClose: true }));
        },
      },
      close: () => database.close(),
    };
  },
};

export const sqliteAioPool: Driver = {
  name: "sqlite-aio-pool",
  title: "sqlite-aio (pool)",
  packages: ["@sqlite-aio/core", "@sqlite-aio/worker", "better-sqlite3"],
  blocks: false,
  usage: "`createPool()` with its defaults; `acquire()` and `executemany()` for bulk",
  capabilities: ALL_CAPABILITIES,
  async open(file, settings) {
    const { createPool } = await loadPackage<Library>("@sqlite-aio/core");
    const pool = await createPool(file, { pragmas: pragmaOptions(settings) });
    return {
      get: (sql, parameters) => pool.get(sql, parameters),
      all: (sql, parameters) => pool.all(sql, parameters),
      run: (sql, parameters) => pool.run(sql, parameters),
      iterate: async (sql, visit) => {
        for await (const row of pool.iterate(sql)) visit(row);
      },
      insertMany: async (sql, rows) => {
        await using connection = await pool.acquire();
        await connection.executemany(sql, rows);
        await connection.commit();
      },
      close: () => pool.close(),
    };
  },
  async openMany(fileOf, settings, max) {
    const { createPools } = await loadPackage<Library>("@sqlite-aio/core");
    const options = { readers: 0, pragmas: pragmaOptions(settings) };
    const pools = createPools({ open: (key: number) => ({ database: fileOf(key), options }), max });
    return {
      ask: (key, write, read) =>
        pools.use(key, async (pool) => {
          if (write !== null) await pool.run(write, LOG_ROW);
          return await pool.get(read);
        }),
      close: () => pools.close(),
    };
  },
};

/** The pragmas of all other drivers, in the form of the library's option. */
function pragmaOptions(settings: Settings): Readonly<Record<string, string>> {
  return Object.fromEntries(pragmas(settings).map((pragma) => pragma.split(" = ") as [string, string]));
}
