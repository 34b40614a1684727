import Database from "../../packages/worker/node_modules/better-sqlite3/lib/index.js";
import { file, said, SQL } from "./question.mjs";

const db = new Database(file);
const row = db.prepare(SQL).get(1);
said(row.name);
db.close();
