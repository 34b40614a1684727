import { createRequire } from "node:module";

// JavaScript, not TypeScript: a worker that had to strip types would start later than the ones it is compared with.
const fromWorker = createRequire(new URL("../../packages/worker/package.json", import.meta.url));

export const Database = fromWorker("better-sqlite3");
export const Comlink = () => fromWorker("comlink");
export const nodeEndpoint = () => fromWorker("comlink/dist/umd/node-adapter.js");
