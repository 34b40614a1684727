import { Worker } from "node:worker_threads";
import { ALL_CAPABILITIES, type Driver, type Parameters, pragmas, type Row } from "../driver.ts";
import { loadPackage } from "../packages.ts";

interface Remote {
  open(file: string, pragmas: readonly string[]): Promise<void>;
  get(sql: string, parameters: Parameters): Promise<Row | undefined>;
  all(sql: string, parameters: Parameters): Promise<Row[]>;
  run(sql: string, parameters: Parameters): Promise<unknown>;
  insertMany(sql: string, rows: readonly Parameters[]): Promise<void>;
  startIterating(sql: string): Promise<number>;
  nextRows(cursor: number, count: number): Promise<Row[]>;
}

interface Comlink {
  wrap(endpoint: unknown): Remote;
}

const ROWS_PER_CALL = 1_000;

/** What the tutorials show: an object with the queries as methods, exposed by a worker, one Comlink call per query. */
export const comlink: Driver = {
  name: "comlink",
  title: "Hand-rolled worker with Comlink",
  packages: ["comlink", "better-sqlite3"],
  blocks: false,
  usage:
    "one Comlink call per query, statements kept in the worker; bulk rows sent in one call, iteration 1,000 rows a call",
  capabilities: ALL_CAPABILITIES,
  async open(file, settings) {
    const { wrap } = await loadPackage<Comlink>("comlink");
    const nodeEndpoint = await loadPackage<(worker: Worker) => unknown>("comlink/dist/umd/node-adapter.js");
    const worker = new Worker(new URL("../workers/comlink.js", import.meta.url));
    const remote = wrap(nodeEndpoint(worker));
    await remote.open(file, pragmas(settings));
    return {
      get: (sql, parameters) => remote.get(sql, parameters),
      all: (sql, parameters) => remote.all(sql, parameters),
      run: (sql, parameters) => remote.run(sql, parameters),
      insertMany: (sql, rows) => remote.insertMany(sql, [...rows]),
      iterate: async (sql, visit) => {
        const cursor = await remote.startIterating(sql);
        for (;;) {
          const rows = await remote.nextRows(cursor, ROWS_PER_CALL);
          for (const row of rows) visit(row);
          if (rows.length < ROWS_PER_CALL) return;
        }
      },
      close: async () => {
        await worker.terminate();
      },
    };
  },
};
