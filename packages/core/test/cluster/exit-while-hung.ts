import { createRequire } from "node:module";
import { once } from "node:events";
import { pathToFileURL } from "node:url";
import { createPool } from "@sqlite-aio/core";

// Ends while a sync waits for a primary that does not answer.
const [url = "", path = ""] = process.argv.slice(2);
const engine = pathToFileURL(createRequire(import.meta.url).resolve("libsql"));
const pool = await createPool(path, { engine, primary: { url, syncInterval: 0 } });
process.send!("ready");
await once(process, "message");
void pool.sync().catch(() => {});
setTimeout(() => process.exit(7), 200);
