import { createRequire } from "node:module";

// JavaScript, not TypeScript: a worker that must strip types would start later than the ones with which it is compared.
const fromWorker = createRequire(new URL("../../packages/worker/package.json", import.meta.url));

export const Database = fromWorker("better-sqlite3");
export const Comlink = () => fromWorker("comlink");
export const nodeEndpoint = () => fromWorker("comlink/dist/umd/node-adapter.js");
