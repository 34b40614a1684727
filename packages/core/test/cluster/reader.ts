import { createRequire } from "node:module";
import { once } from "node:events";
import { pathToFileURL } from "node:url";
import { createPool } from "@sqlite-aio/core";

// Reads from its own replica for some time, and prints the number of rows per second.
const [url = "", path = "", time = "0"] = process.argv.slice(2);
const engine = pathToFileURL(createRequire(import.meta.url).resolve("libsql"));
const pool = await createPool(path, { engine, primary: { url } });
process.send!("ready");
await once(process, "message");
const began = performance.now();
const end = began + Number(time);
let reads = 0;
const caller = async (): Promise<void> => {
  while (performance.now() < end) await pool.get("SELECT text FROM t WHERE id = ?", [1 + (reads++ % 1000)]);
};
await Promise.all(Array.from({ length: 16 }, caller));
process.send!(Math.round((reads / (performance.now() - began)) * 1000));
await pool.close();
process.disconnect();
