import { ALL_CAPABILITIES, type Driver, LOG_ROW, type Parameters, pragmas, type Row } from "../driver.ts";
import { loadPackage } from "../packages.ts";
import { preparedOnce } from "./prepared.ts";

interface Statement {
  get(...parameters: Parameters): Row | undefined;
  all(...parameters: Parameters): Row[];
  iterate(...parameters: Parameters): Iterable<Row>;
  run(...parameters: Parameters): unknown;
}

interface Database {
  prepare(sql: string): Statement;
  pragma(source: string): unknown;
  transaction<Arguments extends unknown[]>(
    work: (...given: Arguments) => void,
  ): (...given: Arguments) => void;
  close(): void;
}

export const betterSqlite3: Driver = {
  name: "better-sqlite3",
  title: "better-sqlite3 (main thread)",
  packages: ["better-sqlite3"],
  blocks: true,
  usage: "statements prepared once and kept; `transaction()` for bulk",
  capabilities: ALL_CAPABILITIES,
  async open(file, settings) {
    const Database = await loadPackage<new (file: string) => Database>("better-sqlite3");
    const database = new Database(file);
    for (const pragma of pragmas(settings)) database.pragma(pragma);
    const prepared = preparedOnce((sql) => database.prepare(sql));
    return {
      get: (sql, parameters) => prepared(sql).get(...parameters),
      all: (sql, parameters) => prepared(sql).all(...parameters),
      run: (sql, parameters) => prepared(sql).run(...parameters),
      iterate: (sql, visit) => {
        for (const row of prepared(sql).iterate()) visit(row);
      },
      insertMany: (sql, rows) => {
        const insert = prepared(sql);
        database.transaction((given: Iterable<Parameters>) => {
          for (const row of given) insert.run(...row);
        })(rows);
      },
      close: () => database.close(),
    };
  },
  async openMany(fileOf, settings) {
    const Database = await loadPackage<new (file: string) => Database>("better-sqlite3");
    return {
      ask(key, write, read) {
        const database = new Database(fileOf(key));
        for (const pragma of pragmas(settings)) database.pragma(pragma);
        if (write !== null) database.prepare(write).run(...LOG_ROW);
        const row = database.prepare(read).get();
        database.close();
        return row;
      },
      close: () => {},
    };
  },
};
