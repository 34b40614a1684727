import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Worker } from "node:worker_threads";

/** What a visitor noticed who requested one flight after another. */
export interface Visit {
  /** Number of answered requests. */
  answered: number;
  /** The longest time of a request. */
  longestMs: number;
}

/** What a visitor notices during a piece of work, and its duration. */
export interface Served extends Visit {
  readonly seconds: number;
}

/**
 * Runs `work` in a server from which a visitor requests one flight after another: `flights` of them, then again from
 * the first. `find` finds a flight by its number.
 */
export async function serveDuring(
  flights: number,
  find: (id: number) => unknown,
  work: () => Promise<unknown>,
): Promise<Served> {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    try {
      response.end(JSON.stringify(await find(Number(request.url?.slice(1)))));
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const visitor = new Worker(new URL("./visitor.ts", import.meta.url), { workerData: { port, flights } });
  try {
    await once(visitor, "message");
    const start = performance.now();
    await work();
    const seconds = (performance.now() - start) / 1000;
    const visited = once(visitor, "message");
    visitor.postMessage("over");
    const [visit] = (await visited) as [Visit];
    return { ...visit, seconds };
  } finally {
    await visitor.terminate();
    server.close();
  }
}
