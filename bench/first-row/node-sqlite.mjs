import { DatabaseSync } from "node:sqlite";
import { file, said, SQL } from "./question.mjs";

const db = new DatabaseSync(file);
const row = db.prepare(SQL).get(1);
said(row.name);
db.close();
