import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createPool } from "@sqlite-aio/core";
import { amountOf, CALLERS, isBooking, SCHEMA, textOf } from "./load.ts";

// Writes until it is killed or told to stop, and says before each write that it is about to begin, and when it was
// acknowledged. `writeSync` to a pipe: what was said has been said, whatever happens to this process next.
const [path = "", first = "0", life = ""] = process.argv.slice(2);
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

const pool = await createPool(path, { checkpoint: "external" });
await pool.exec(SCHEMA.replaceAll("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"));

let next = Number(first);
const stopping = new AbortController();
process.once("SIGTERM", () => stopping.abort());

async function write(id: number): Promise<void> {
  if (!isBooking(id)) {
    await pool.run("INSERT INTO entry VALUES (?, ?)", [id, textOf(life, id)]);
    return;
  }
  await pool.transaction(async (tx) => {
    await tx.run("INSERT INTO booking VALUES (?, 'debit', ?)", [id, -amountOf(id)]);
    await tx.run("INSERT INTO booking VALUES (?, 'credit', ?)", [id, amountOf(id)]);
  });
}

async function caller(): Promise<void> {
  while (!stopping.signal.aborted) {
    const id = next++;
    say(`begin ${id}`);
    await write(id);
    say(`done ${id}`);
    await sleep(1);
  }
}

say("ready");
await Promise.all(Array.from({ length: CALLERS }, caller));
await pool.close();
say("closed");
