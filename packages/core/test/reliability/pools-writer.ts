// Run by pools-kill.test.ts, which kills it: `node pools-writer.ts <folder> <first id> <databases> <max>`. Writes without
// end into many databases, chosen by Zipf's law, with only `max` open at a time. Prints each acknowledged write with the
// most threads so far, and fails where a database is open twice.
import { readdirSync, readlinkSync } from "node:fs";
import { stat } from "node:fs/promises";
import { createPools } from "@sqlite-aio/core";
import { say } from "./say.ts";

const [folder, ...numbers] = process.argv.slice(2) as [string, string, string, string];
const [first, databases, max] = numbers.map(Number) as [number, number, number];
const CALLERS = 16;
const LINUX = process.platform === "linux";

let next = first;
let threads = 0;

const pools = createPools({
  open: (key: number) => {
    lookAround(key);
    return { database: `${folder}/${key}.db`, options: { readers: 0 } };
  },
  max,
});

/** What the system knows, at the moment when a database is about to be opened. */
function lookAround(key: number): void {
  if (!LINUX) return;
  const open = openDatabases();
  if (open.includes(`${folder}/${key}.db`)) throw new Error(`${key} is opened while it is open`);
  if (new Set(open).size < open.length) throw new Error(`open twice: ${open.toSorted().join(" ")}`);
  if (open.length > max) throw new Error(`${open.length} databases are open`);
  threads = Math.max(threads, threadsNow());
}

function openDatabases(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.endsWith(".db") ? [path] : [];
    } catch (error) {
      // Another thread has closed it meanwhile.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  });
}

function threadsNow(): number {
  return LINUX ? readdirSync("/proc/self/task").length : 0;
}

async function caller(): Promise<void> {
  for (;;) {
    const id = next++;
    // The n-th with a probability proportional to 1 / n: some are open all the time, most are opened for one write.
    const key = Math.floor((databases + 1) ** Math.random()) - 1;
    await pools.use(key, async (pool) => {
      await pool.exec("CREATE TABLE IF NOT EXISTS written (id INTEGER PRIMARY KEY, body TEXT NOT NULL)");
      await pool.run("INSERT INTO written VALUES (?, ?)", [id, String(id).repeat(50)]);
    });
    say(`${key} ${id} ${threads}`);
  }
}

// Node's own threads have started then, all but those of the databases.
await Promise.all(Array.from({ length: 16 }, () => stat(folder)));
say("begin");
say(`threads ${threadsNow()}`);
await Promise.all(Array.from({ length: CALLERS }, caller));
