import {
  ALL_CAPABILITIES,
  type Driver,
  type Parameters,
  pragmas,
  type Row,
  type Session,
  type Settings,
} from "../driver.ts";
import { loadPackage } from "../packages.ts";
import { preparedOnce, StatementShelf } from "./prepared.ts";

type Callback<Answer> = (error: Error | null, answer: Answer) => void;

interface Queries {
  get(...given: [...unknown[], Callback<Row | undefined>]): unknown;
  all(...given: [...unknown[], Callback<Row[]>]): unknown;
  run(sql: string, parameters: Parameters, done?: Callback<void>): unknown;
  run(parameters: Parameters, done?: Callback<void>): unknown;
}

interface Statement extends Queries {
  finalize(done: Callback<void>): void;
}

interface Database extends Queries {
  prepare(sql: string): Statement;
  exec(sql: string, done: Callback<void>): void;
  serialize(work: () => void): void;
  each(sql: string, row: Callback<Row>, done: Callback<number>): void;
  close(done: Callback<void>): void;
}

interface Sqlite3 {
  Database: new (file: string, opened: (error: Error | null) => void) => Database;
}

type Package = "sqlite3" | "@sqlite-aio/sqlite3";

const USAGE =
  "one caller: statements prepared once and kept; many: `db.get`, `db.run` (the faster documented use of each)";
const CAPABILITIES = [...ALL_CAPABILITIES, "runAll"] as const;

export const sqlite3: Driver = {
  name: "sqlite3",
  title: "sqlite3",
  packages: ["sqlite3"],
  blocks: false,
  usage: USAGE,
  capabilities: CAPABILITIES,
  open: (file, settings) => openFrom("sqlite3", file, settings),
};

/** The same calls on the package that replaces it. */
export const sqliteAioSqlite3: Driver = {
  name: "sqlite-aio-sqlite3",
  title: "@sqlite-aio/sqlite3",
  packages: ["@sqlite-aio/sqlite3", "@sqlite-aio/core", "better-sqlite3"],
  blocks: false,
  usage: `as sqlite3: ${USAGE}`,
  capabilities: CAPABILITIES,
  onlyWhenNamed: true,
  open: (file, settings) => openFrom("@sqlite-aio/sqlite3", file, settings),
};

/**
 * The best that can be made of the package, although its documentation does not show it: one prepared statement of the
 * same text per caller.
 */
export const sqlite3Pooled: Driver = {
  name: "sqlite3-pooled",
  title: "sqlite3 (a statement per caller, by hand)",
  packages: ["sqlite3"],
  blocks: false,
  usage: "a hand-made shelf of prepared statements, one lent to each call",
  capabilities: ["get"],
  onlyWhenNamed: true,
  async open(file, settings) {
    const database = await openDatabase("sqlite3", file, pragmas(settings));
    const shelf = new StatementShelf(async (sql) => database.prepare(sql));
    const base = commonCalls(database);
    return {
      get: (sql, parameters) =>
        shelf.lend(sql, (statement) => promised<Row | undefined>((done) => statement.get(parameters, done))),
      close: async () => {
        for (const statement of shelf.all()) await finalize(statement);
        await base.close();
      },
    };
  },
};

/**
 * A statement serves one call at a time. With one caller, the fastest documented use is a kept statement; with many
 * callers, calls on the database.
 */
async function openFrom(name: Package, file: string, settings: Settings): Promise<Session> {
  const database = await openDatabase(name, file, pragmas(settings));
  const base = commonCalls(database);
  if (settings.callers > 1) {
    return {
      ...base,
      get: (sql, parameters) => promised((done) => database.get(sql, parameters, done)),
      run: (sql, parameters) => promised((done) => database.run(sql, parameters, done)),
    };
  }
  const statements: Statement[] = [];
  const prepared = preparedOnce((sql) => {
    const statement = database.prepare(sql);
    statements.push(statement);
    return statement;
  });
  return {
    ...base,
    get: (sql, parameters) => promised((done) => prepared(sql).get(parameters, done)),
    run: (sql, parameters) => promised((done) => prepared(sql).run(parameters, done)),
    close: async () => {
      for (const statement of statements) await finalize(statement);
      await base.close();
    },
  };
}

async function openDatabase(name: Package, file: string, settings: readonly string[]): Promise<Database> {
  const { Database } = await loadPackage<Sqlite3>(name);
  const database = await new Promise<Database>((resolve, reject) => {
    const opened: Database = new Database(file, (error) => (error ? reject(error) : resolve(opened)));
  });
  for (const pragma of settings) await promised<void>((done) => database.exec(`pragma ${pragma}`, done));
  return database;
}

function commonCalls(
  database: Database,
): Required<Pick<Session, "all" | "iterate" | "insertMany" | "runAll">> & { close(): Promise<void> } {
  return {
    all: (sql, parameters) => promised((done) => database.all(sql, parameters, done)),
    iterate: (sql, visit) =>
      promised((done) => {
        const onRow: Callback<Row> = (error, row) => (error ? done(error) : visit(row));
        database.each(sql, onRow, (error) => done(error));
      }),
    insertMany: async (sql, rows) => {
      await promised<void>((done) => database.exec("begin", done));
      const insert = database.prepare(sql);
      for (const row of rows) insert.run(row);
      await finalize(insert);
      await promised<void>((done) => database.exec("commit", done));
    },
    runAll: (sql, rows) =>
      promised((done) => {
        database.serialize(() => {
          rows.forEach((row, index) =>
            index < rows.length - 1 ? database.run(sql, row) : database.run(sql, row, done),
          );
        });
      }),
    close: () => promised((done) => database.close(done)),
  };
}

function finalize(statement: Statement): Promise<void> {
  return promised((done) => statement.finalize(done));
}

function promised<Answer>(start: (done: Callback<Answer>) => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    start((error, answer) => (error ? reject(error) : resolve(answer)));
  });
}
