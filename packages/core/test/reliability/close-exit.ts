// Run by close.test.ts: `node close-exit.ts <state> <ending> <turns> <database>`. Brings connections into a state and
// ends the process in one of the ways a process can end. Says which writes were acknowledged, and when it is leaving.
import { Worker } from "node:worker_threads";
import { capabilities, connect, createPool } from "@sqlite-aio/core";
import { say } from "./say.ts";

const [state, ending, turns, path] = process.argv.slice(2) as [string, string, string, string];
const INSERT = "INSERT INTO t (x) VALUES (?)";
const numbers = (limit: number): string =>
  `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${limit}) SELECT max(i) FROM n`;
/** These calls may be answered or not; the process ends meanwhile. */
const whatever = (work: Promise<unknown>): void => void work.catch(() => {});
/** Objects that must not be collected, which would be another story. */
const kept: unknown[] = [];

const states: Readonly<Record<string, () => Promise<void>>> = {
  async idle() {
    const pool = await createPool(path);
    await pool.get("SELECT 1");
    kept.push(pool, await connect(path), await connect(":memory:"));
  },
  /** A statement that takes its time; one without an end only where it can be stopped and is going to be. */
  async computing() {
    const db = await connect(path);
    const endless = capabilities.interrupt && ending !== "natural" && ending !== "exitCode";
    whatever(db.executeFetchall(numbers(endless ? 3_000_000_000 : 300_000)));
    kept.push(db);
  },
  async writing() {
    const pool = await createPool(path);
    for (let x = 0; x < 16; x++) whatever(pool.run(INSERT, [x]).then(() => say(`stored ${x}`)));
    kept.push(pool);
  },
  async transaction() {
    const db = await connect(path);
    await db.execute(INSERT, [-1]);
    kept.push(db);
  },
  async callback() {
    const pool = await createPool(path);
    await new Promise<void>((begun) => {
      whatever(
        pool.transaction(async (tx) => {
          await tx.run(INSERT, [-1]);
          begun();
          await new Promise(() => {});
        }),
      );
    });
    kept.push(pool);
  },
  async leased() {
    const pool = await createPool(path);
    const conn = await pool.acquire();
    await conn.execute(INSERT, [-1]);
    kept.push(pool, conn);
  },
  async iterating() {
    const pool = await createPool(path);
    const rows = pool.iterate(numbers(100_000).replace("max(i)", "i"));
    await rows.next();
    kept.push(pool, rows);
  },
  async crashed() {
    let worker!: Worker;
    const db = await connect(path, { createWorker: (url, options) => (worker = new Worker(url, options)) });
    whatever(db.execute(INSERT, [-1]));
    void worker.terminate();
    kept.push(db);
  },
  async crashedPool() {
    const workers: Worker[] = [];
    const pool = await createPool(path, {
      createWorker: (url, options) => {
        const worker = new Worker(url, options);
        workers.push(worker);
        return worker;
      },
    });
    await pool.get("SELECT 1");
    for (const worker of workers) void worker.terminate();
    kept.push(pool);
  },
  async opening() {
    whatever(connect(path));
    whatever(createPool(path));
  },
  async closing() {
    const pool = await createPool(path);
    for (let x = 0; x < 16; x++) whatever(pool.run(INSERT, [x]).then(() => say(`stored ${x}`)));
    whatever(pool.close());
    whatever(pool.close());
    const db = await connect(path);
    whatever(db.execute(INSERT, [-1]));
    whatever(db.close());
    whatever(db.close());
  },
  async waiting() {
    const holder = await connect(path);
    await holder.execute(INSERT, [-1]);
    const db = await connect(path, { timeout: ending === "natural" || ending === "exitCode" ? 200 : 60_000 });
    whatever(db.execute(INSERT, [-1]));
    kept.push(holder, db);
  },
};

await states[state]!();
for (let i = Number(turns); i > 0; i--) await new Promise(setImmediate);
say("leaving");
switch (ending) {
  case "natural":
    break;
  case "exitCode":
    process.exitCode = 5;
    break;
  case "exit":
    process.exit(7);
    break;
  case "throw":
    setImmediate(() => {
      throw new Error("nobody catches this");
    });
    break;
  case "reject":
    void Promise.reject(new Error("nobody handles this"));
    break;
  default:
    process.kill(process.pid, "SIGTERM");
}
