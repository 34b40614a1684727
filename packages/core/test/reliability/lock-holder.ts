// Takes the write lock of a database, tells its parent so, and commits when its parent says so.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../../worker/package.json", import.meta.url));
const Database = require("better-sqlite3") as new (
  path: string,
) => { exec(sql: string): void; close(): void };

const db = new Database(process.argv[2]!);
db.exec("BEGIN IMMEDIATE; INSERT INTO t (x) VALUES (0)");
process.on("message", () => {
  db.exec("COMMIT");
  db.close();
  process.send!("released", () => process.exit(0));
});
process.send!("locked");
