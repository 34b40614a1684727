import { ALL_CAPABILITIES, type Driver, pragmas, type Row } from "../driver.ts";
import { preparedOnce } from "./prepared.ts";

export const nodeSqlite: Driver = {
  name: "node:sqlite",
  title: "node:sqlite (main thread)",
  packages: ["node:sqlite"],
  blocks: true,
  usage: "statements prepared once and kept; BEGIN and COMMIT around a loop for bulk",
  capabilities: ALL_CAPABILITIES,
  async open(file, settings) {
    const { DatabaseSync } = await import("node:sqlite");
    const database = new DatabaseSync(file);
    for (const pragma of pragmas(settings)) database.exec(`pragma ${pragma}`);
    const prepared = preparedOnce((sql) => database.prepare(sql));
    return {
      get: (sql, parameters) => prepared(sql).get(...parameters) as Row | undefined,
      all: (sql, parameters) => prepared(sql).all(...parameters) as Row[],
      run: (sql, parameters) => prepared(sql).run(...parameters),
      iterate: (sql, visit) => {
        for (const row of prepared(sql).iterate()) visit(row as Row);
      },
      insertMany: (sql, rows) => {
        const insert = prepared(sql);
        database.exec("begin");
        for (const row of rows) insert.run(...row);
        database.exec("commit");
      },
      close: () => database.close(),
    };
  },
};
