// Run by kill.test.ts, which kills it: `node kill-writer.ts <kind> <database> <first id>`. Writes without end, and says
// of each write when it is acknowledged.
import { connect, createPool } from "@sqlite-aio/core";
import { bodyOf, IN_FLIGHT, INSERT, type Kind, partsOf } from "./kill-rows.ts";
import { say } from "./say.ts";

const [kind, path, first] = process.argv.slice(2) as [Kind, string, string];
let next = Number(first);

function rows(id: number): [number, number, string][] {
  return Array.from({ length: partsOf(kind) }, (_, part) => [id, part, bodyOf(id, part)]);
}

async function inFlight(write: (id: number) => Promise<unknown>): Promise<void> {
  const caller = async (): Promise<void> => {
    for (;;) {
      const id = next++;
      await write(id);
      say(String(id));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
}

const writers: Readonly<Record<Kind, () => Promise<void>>> = {
  /** Grouped: those of several callers share a commit. */
  async autocommit() {
    const pool = await createPool(path);
    await inFlight((id) => pool.run(INSERT, rows(id)[0]));
  },
  async transaction() {
    const pool = await createPool(path);
    await inFlight((id) =>
      pool.transaction(async (tx) => {
        for (const row of rows(id)) await tx.run(INSERT, row);
      }),
    );
  },
  async many() {
    const db = await connect(path);
    await inFlight((id) => db.transaction((tx) => tx.executemany(INSERT, rows(id))));
  },
  /** What the connection's own transaction holds is acknowledged by its commit. */
  async commit() {
    const db = await connect(path);
    for (;;) {
      const ids = Array.from({ length: IN_FLIGHT }, () => next++);
      await Promise.all(ids.map((id) => db.execute(INSERT, rows(id)[0])));
      await db.commit();
      for (const id of ids) say(String(id));
    }
  },
};

say("begin");
await writers[kind]();
