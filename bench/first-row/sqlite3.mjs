import sqlite3 from "sqlite3";
import { file, said, SQL } from "./question.mjs";

const db = new sqlite3.Database(file);
db.get(SQL, [1], (error, row) => {
  if (error) throw new Error("the query failed", { cause: error });
  said(row.name);
  db.close();
});
