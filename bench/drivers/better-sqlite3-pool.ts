import { ALL_CAPABILITIES, type Driver, type Parameters, pragmas, type Row } from "../driver.ts";
import { loadPackage } from "../packages.ts";
import { preparedOnce } from "./prepared.ts";

interface Statement {
  get(...parameters: Parameters): Promise<Row | undefined>;
  all(...parameters: Parameters): Promise<Row[]>;
  iterate(): AsyncIterable<Row>;
  run(...parameters: Parameters): Promise<unknown>;
}

interface Database {
  prepare(sql: string): Statement;
  pragma(source: string): Promise<unknown>;
  transaction(
    work: (rows: Iterable<Parameters>) => Promise<void>,
  ): (rows: Iterable<Parameters>) => Promise<void>;
  close(): Promise<void>;
}

interface Pool {
  create(file: string): Promise<Database>;
}

export const betterSqlite3Pool: Driver = {
  name: "better-sqlite3-pool",
  title: "better-sqlite3-pool",
  packages: ["better-sqlite3-pool", "better-sqlite3-multiple-ciphers"],
  blocks: false,
  usage:
    "its default workers (one writer, one reader that may become two); statements kept; `transaction()` for bulk",
  capabilities: ALL_CAPABILITIES,
  async open(file, settings) {
    const { create } = await bound();
    const database = await create(file);
    for (const pragma of pragmas(settings)) await database.pragma(pragma);
    const prepared = preparedOnce((sql) => database.prepare(sql));
    return {
      get: (sql, parameters) => prepared(sql).get(...parameters),
      all: (sql, parameters) => prepared(sql).all(...parameters),
      run: (sql, parameters) => prepared(sql).run(...parameters),
      iterate: async (sql, visit) => {
        for await (const row of prepared(sql).iterate()) visit(row);
      },
      insertMany: (sql, rows) =>
        database.transaction(async (given) => {
          const insert = database.prepare(sql);
          for (const row of given) await insert.run(...row);
        })(rows),
      close: () => database.close(),
    };
  },
};

async function bound(): Promise<Pool> {
  const Database = await loadPackage<Pool>("better-sqlite3-pool");
  return { create: (file) => Database.create(file) };
}
