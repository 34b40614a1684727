// A thread that ends with open statements: one is half read, or in the middle of a step.
import { parentPort, workerData } from "node:worker_threads";
import { native, open } from "./engine.ts";

const { path, extension, endless } = workerData as { path: string; extension?: string; endless: boolean };
const handle = open(path);
// Protects the handle from garbage collection.
Object.assign(globalThis, { handle });
if (endless) {
  const { id } = native.prepare(
    handle.token,
    "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
  )!;
  parentPort?.postMessage(handle.token);
  native.rows(handle.token, id, 1, 1000, 0, false);
} else {
  handle.db.exec("create table if not exists t (a); insert into t values (1), (2)");
  if (extension !== undefined && extension !== "") handle.db.loadExtension(extension);
  const { id } = native.prepare(handle.token, "select a from t")!;
  native.rows(handle.token, id, 1, 1000, 0, false);
  native.prepare(handle.token, "insert into t values (1)");
  native.guard(handle.db, handle.token, true);
  parentPort?.postMessage("half read");
  setInterval(() => {}, 1000);
}
