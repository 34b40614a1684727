// Run by pools-kill.test.ts, which kills it: `node pools-writer.ts <folder> <first id>`. Writes without end into many
// databases, with only a few open at a time, and prints each acknowledged write.
import { createPools } from "@sqlite-aio/core";
import { say } from "./say.ts";

const [folder, first] = process.argv.slice(2) as [string, string];
const DATABASES = 12;
const OPEN = 3;
const CALLERS = 8;

let next = Number(first);
const pools = createPools({
  open: (key: number) => ({ database: `${folder}/${key}.db`, options: { readers: 0 } }),
  max: OPEN,
});

/** Most writes go to few databases, so that some are open all the time and others are closed and opened again. */
async function caller(): Promise<void> {
  for (;;) {
    const id = next++;
    const key = Math.floor(Math.random() ** 2 * DATABASES);
    await pools.use(key, async (pool) => {
      await pool.exec("CREATE TABLE IF NOT EXISTS written (id INTEGER PRIMARY KEY, body TEXT NOT NULL)");
      await pool.run("INSERT INTO written VALUES (?, ?)", [id, String(id).repeat(50)]);
    });
    say(`${key} ${id}`);
  }
}

say("begin");
await Promise.all(Array.from({ length: CALLERS }, caller));
