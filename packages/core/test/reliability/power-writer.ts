// Run by power.test.ts under strace: `node power-writer.ts <folder> <writes>`. Writes to a database in each way, and to
// a file, which the trace shows as well, what is acknowledged.
import { openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Connection, connect, createPool } from "@sqlite-aio/core";

const [folder, times] = process.argv.slice(2) as [string, string];
const writes = Number(times);
const INSERT = "INSERT INTO written (id, body) VALUES (?, ?)";
/** Small, so that the log is checkpointed and begun anew while this runs. */
const pragmas = { wal_autocheckpoint: 20 };

function acknowledgements(name: string): (id: number) => void {
  const file = openSync(join(folder, `${name}.acks`), "w");
  return (id) => void writeSync(file, `${id}\n`);
}

const row = (id: number): [number, string] => [id, `${id}:`.padEnd(50 + ((id * 31) % 400), "x")];

async function inFlight(callers: number, write: (id: number) => Promise<unknown>, name: string) {
  const acknowledge = acknowledgements(name);
  let next = 1;
  const caller = async (): Promise<void> => {
    while (next <= writes) {
      const id = next++;
      await write(id);
      acknowledge(id);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

/** Group commit: some of those in flight share a sync. */
async function poolWrites(name: string, synchronous: string) {
  const pool = await createPool(join(folder, `${name}.db`), {
    pragmas: { ...pragmas, synchronous },
  });
  await inFlight(16, (id) => pool.run(INSERT, row(id)), name);
  await pool.close();
}

async function poolTransactions(name: string) {
  const pool = await createPool(join(folder, `${name}.db`), { pragmas });
  await inFlight(4, (id) => pool.transaction((tx) => tx.run(INSERT, row(id))), name);
  await pool.close();
}

/** The connection's own transaction: three rows and their commit. */
async function commits(name: string, settings: Readonly<Record<string, string | number>>) {
  const db: Connection = await connect(join(folder, `${name}.db`), { pragmas: settings });
  const acknowledge = acknowledgements(name);
  for (let id = 1; id <= writes; id += 3) {
    const ids = [id, id + 1, id + 2];
    for (const one of ids) void db.execute(INSERT, row(one));
    await db.commit();
    for (const one of ids) acknowledge(one);
  }
  await db.close();
}

await poolWrites("pool", "FULL");
await poolTransactions("transactions");
await commits("connection", pragmas);
await commits("journal", { synchronous: "EXTRA" });
// What does not keep the promise, to see that the trace shows it.
await poolWrites("normal", "NORMAL");
await commits("journal-full", { synchronous: "FULL" });
