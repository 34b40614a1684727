import { parentPort } from "node:worker_threads";
import { Comlink, Database, nodeEndpoint } from "./better-sqlite3.js";

let database;
const statements = new Map();
const cursors = [];

function prepared(sql) {
  let statement = statements.get(sql);
  if (!statement) statements.set(sql, (statement = database.prepare(sql)));
  return statement;
}

const api = {
  open(file, pragmas) {
    database = new Database(file);
    for (const pragma of pragmas) database.pragma(pragma);
  },
  get: (sql, parameters) => prepared(sql).get(...parameters),
  all: (sql, parameters) => prepared(sql).all(...parameters),
  run: (sql, parameters) => prepared(sql).run(...parameters),
  insertMany(sql, rows) {
    const insert = prepared(sql);
    database.transaction(() => {
      for (const row of rows) insert.run(...row);
    })();
  },
  startIterating: (sql) => cursors.push(prepared(sql).iterate()) - 1,
  nextRows(cursor, count) {
    const rows = [];
    while (rows.length < count) {
      const { value, done } = cursors[cursor].next();
      if (done) break;
      rows.push(value);
    }
    return rows;
  },
};

Comlink().expose(api, nodeEndpoint()(parentPort));
