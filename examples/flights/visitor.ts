// A visitor of the server, in its own thread, so that it is not blocked with the main loop.
import { once } from "node:events";
import { Agent, get } from "node:http";
import { parentPort, workerData } from "node:worker_threads";
import type { Visit } from "./visits.ts";

const { port, flights } = workerData as { port: number; flights: number };
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** Requests one flight. Resolves when it has arrived. */
async function ask(id: number): Promise<void> {
  const [response] = await once(get({ host: "127.0.0.1", port, path: `/${id}`, agent }), "response");
  let flight = "";
  for await (const chunk of response) flight += chunk;
  if (response.statusCode !== 200) throw new Error(`the server answered ${response.statusCode}: ${flight}`);
}

// One-time costs, such as the connection, are not counted.
await ask(1);
const over = new AbortController();
parentPort?.once("message", () => over.abort());
parentPort?.postMessage("ready");

const visit: Visit = { answered: 0, longestMs: 0 };
while (!over.signal.aborted) {
  const began = performance.now();
  await ask(1 + (visit.answered % flights));
  visit.answered++;
  visit.longestMs = Math.max(visit.longestMs, performance.now() - began);
}
agent.destroy();
parentPort?.postMessage(visit);
