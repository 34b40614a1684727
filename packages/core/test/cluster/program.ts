import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type ClusterPool, createPool, PrimaryError, type PrimaryOptions } from "@sqlite-aio/core";
import { ACCOUNTS, AUDIT, SOUND, transfer } from "./bank.ts";

// A machine of a cluster: moves money at the primary and audits its replica, until it is killed or told to stop. It
// prints what it is about to do, the result, and its findings.
const [path = "", life = "", engine = "", primary = "{}"] = process.argv.slice(2);
const CALLERS = 3;

function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      // The pipe is full. Nothing is acknowledged that has not been said.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

const settings = JSON.parse(primary) as PrimaryOptions;
const stopping = new AbortController();
process.once("SIGTERM", () => stopping.abort());
process.on("warning", () => {});

const pool = await open();
say("ready");
let next = 0;
await Promise.all([...Array.from({ length: CALLERS }, (_, index) => caller(index)), auditor()]);
await pool.close();
say("closed");

/** The primary may be unreachable at this moment. The lock of a killed process is gone. */
async function open(): Promise<ClusterPool> {
  for (;;) {
    try {
      return await createPool(path, { engine: new URL(engine), primary: settings });
    } catch (error) {
      if (!(error instanceof PrimaryError)) throw error;
      await sleep(100);
    }
  }
}

async function caller(index: number): Promise<void> {
  while (!stopping.signal.aborted) {
    const name = `${life}-${next++}`;
    const from = 1 + Math.floor(Math.random() * ACCOUNTS);
    const to = 1 + ((from + Math.floor(Math.random() * (ACCOUNTS - 1))) % ACCOUNTS);
    const statements = from === to ? [] : transfer(name, from, to, 1 + Math.floor(Math.random() * 9));
    if (statements.length === 0) continue;
    say(`begin ${name}`);
    try {
      if (index === 0) await pool.batch(statements as never);
      else {
        await pool.transaction(async (tx) => {
          for (const [sql, values] of statements) await tx.run(sql, values as never);
        });
      }
      say(`done ${name}`);
    } catch (error) {
      const { code, outcome } = error as { code?: string; outcome?: string };
      // With these errors, nothing has happened for certain.
      const undone =
        outcome === "not-started" || code === "SQLITE_ABORT_ROLLBACK" || code?.startsWith("SQLITE_BUSY");
      say(
        `${undone === true ? "undone" : "unknown"} ${name} ${code ?? ""}:${code === "SQLITE_ERROR" ? String(error).replaceAll(" ", "_") : ""}`,
      );
      await sleep(20);
    }
  }
}

/** Audits the replica without a pause. Two reads of one snapshot must agree. */
async function auditor(): Promise<void> {
  let looks = 0;
  while (!stopping.signal.aborted) {
    const [first, second] = await pool.read(async (tx) => [await tx.get(AUDIT), await tx.get(AUDIT)]);
    const text = JSON.stringify(first);
    if (text !== JSON.stringify(SOUND) || text !== JSON.stringify(second))
      say(`torn ${text} ${JSON.stringify(second)}`);
    if (++looks % 50 === 0) say(`looked ${looks}`);
  }
}
