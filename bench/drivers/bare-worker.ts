import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { type Driver, pragmas, type Row } from "../driver.ts";

/** The minimum cost of a connection in a thread: a Worker that loads better-sqlite3, opens the file and answers. */
export const bareWorker: Driver = {
  name: "bare-worker",
  title: "Bare Worker that loads better-sqlite3",
  packages: ["better-sqlite3"],
  blocks: false,
  usage: "the baseline for opening; answers one query, nothing else",
  capabilities: ["get"],
  onlyWhenNamed: true,
  async open(file, settings) {
    const worker = new Worker(new URL("../workers/bare.js", import.meta.url), {
      workerData: { file, pragmas: pragmas(settings) },
    });
    return {
      get: async (sql, parameters) => {
        worker.postMessage({ sql, parameters });
        const [row] = (await once(worker, "message")) as [Row | undefined];
        return row;
      },
      close: async () => {
        await worker.terminate();
      },
    };
  },
};
