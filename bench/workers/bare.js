import { parentPort, workerData } from "node:worker_threads";
import { Database } from "./better-sqlite3.js";

const database = new Database(workerData.file);
for (const pragma of workerData.pragmas) database.pragma(pragma);

parentPort.on("message", ({ sql, parameters }) => {
  parentPort.postMessage(database.prepare(sql).get(...parameters));
});
