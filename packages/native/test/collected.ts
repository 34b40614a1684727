// Drops a database with a half-read statement and a guard, and reports which files are open after it was collected.
import { readdirSync, readlinkSync } from "node:fs";
import { codeOf, native, open } from "./engine.ts";

const [path = ""] = process.argv.slice(2);

function abandon(): [token: number, id: number] {
  const { db, token } = open(path);
  db.exec("create table t (a); insert into t values (1), (2)");
  const { id } = native.prepare(token, "select a from t")!;
  native.rows(token, id, 1, 1000, 0, false);
  native.guard(db, token, true);
  return [token, id];
}

const files = (): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(path);
    } catch {
      return false;
    }
  }).length;

const [token, id] = abandon();
for (let round = 0; round < 20 && files() > 0; round++) {
  globalThis.gc!();
  await new Promise(setImmediate);
}
const code = codeOf(() => native.rows(token, id, 1, 1000, 0, false));
console.log(JSON.stringify({ files: files(), code }));
