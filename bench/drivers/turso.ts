import { ALL_CAPABILITIES, type Driver, type Parameters, pragmas, type Row } from "../driver.ts";
import { loadPackage } from "../packages.ts";
import { StatementShelf } from "./prepared.ts";

interface Statement {
  get(...parameters: Parameters): Promise<Row | undefined>;
  all(...parameters: Parameters): Promise<Row[]>;
  iterate(): AsyncIterable<Row>;
  run(...parameters: Parameters): Promise<unknown>;
}

interface Transaction {
  prepare(sql: string): Promise<Statement>;
}

interface Database {
  prepare(sql: string): Promise<Statement>;
  exec(sql: string): Promise<void>;
  transactionAsync(
    work: (transaction: Transaction, rows: Iterable<Parameters>) => Promise<void>,
  ): (rows: Iterable<Parameters>) => Promise<void>;
  close(): Promise<void>;
}

interface Turso {
  connect(file: string): Promise<Database>;
}

/**
 * Two calls on one statement overwrite each other's parameters before they run, so each call gets a statement of its
 * own.
 */
export const turso: Driver = {
  name: "turso",
  title: "@tursodatabase/database",
  packages: ["@tursodatabase/database"],
  blocks: true,
  usage: "statements prepared once and kept, one for each call in flight; `transactionAsync()` for bulk",
  capabilities: ALL_CAPABILITIES,
  async open(file, settings) {
    const { connect } = await loadPackage<Turso>("@tursodatabase/database");
    const database = await connect(file);
    for (const pragma of pragmas(settings)) await (await database.prepare(`pragma ${pragma}`)).all();
    const shelf = new StatementShelf((sql) => database.prepare(sql));
    return {
      get: (sql, parameters) => shelf.lend(sql, (statement) => statement.get(...parameters)),
      all: (sql, parameters) => shelf.lend(sql, (statement) => statement.all(...parameters)),
      run: (sql, parameters) => shelf.lend(sql, (statement) => statement.run(...parameters)),
      iterate: (sql, visit) =>
        shelf.lend(sql, async (statement) => {
          for await (const row of statement.iterate()) visit(row);
        }),
      insertMany: (sql, rows) =>
        database.transactionAsync(async (transaction, given) => {
          const insert = await transaction.prepare(sql);
          for (const row of given) await insert.run(...row);
        })(rows),
      close: () => database.close(),
    };
  },
};
