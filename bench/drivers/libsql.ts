import {
  ALL_CAPABILITIES,
  type Driver,
  type Eventually,
  type Parameters,
  pragmas,
  type Row,
} from "../driver.ts";
import { loadPackage } from "../packages.ts";

interface Statement {
  get(parameters: Parameters): Eventually<Row | undefined>;
  all(parameters: Parameters): Eventually<Row[]>;
  iterate(): Promise<Iterable<Row>>;
  run(parameters: Parameters): Eventually<unknown>;
}

interface Database {
  prepare(sql: string): Promise<Statement>;
  exec(sql: string): Promise<unknown>;
  close(): void;
}

/**
 * In this package's promise API only preparing and collecting leave the calling thread; the calls of a statement run on
 * it.
 */
export const libsql: Driver = {
  name: "libsql",
  title: "libsql, promise API",
  packages: ["libsql"],
  blocks: true,
  usage: "`libsql/promise`, statements prepared once and kept; BEGIN and COMMIT around a loop for bulk",
  capabilities: ALL_CAPABILITIES,
  async open(file, settings) {
    const Database = await loadPackage<new (file: string) => Database>("libsql/promise");
    const database = new Database(file);
    for (const pragma of pragmas(settings)) await (await database.prepare(`pragma ${pragma}`)).all([]);
    const kept = new Map<string, Statement>();
    const withStatement = <Answer>(
      sql: string,
      use: (statement: Statement) => Eventually<Answer>,
    ): Eventually<Answer> => {
      const known = kept.get(sql);
      if (known) return use(known);
      return database.prepare(sql).then((statement) => {
        kept.set(sql, statement);
        return use(statement);
      });
    };
    return {
      get: (sql, parameters) => withStatement(sql, (statement) => statement.get(parameters)),
      all: (sql, parameters) => withStatement(sql, (statement) => statement.all(parameters)),
      run: (sql, parameters) => withStatement(sql, (statement) => statement.run(parameters)),
      iterate: (sql, visit) =>
        withStatement(sql, async (statement) => {
          for (const row of await statement.iterate()) visit(row);
        }),
      insertMany: async (sql, rows) => {
        const insert = await database.prepare(sql);
        await database.exec("begin");
        for (const row of rows) await insert.run(row);
        await database.exec("commit");
      },
      close: () => database.close(),
    };
  },
};
