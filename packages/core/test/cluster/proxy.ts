import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A proxy to a server. It can delay, close and cut connections. */
export class Proxy {
  /** From now on, requests of replicators are lost without an error. */
  swallowsSyncs = false;
  readonly #port: number;
  readonly #sockets = new Set<Socket>();
  /** Delay in milliseconds, each way. */
  delay = 0;
  /** From now on, answers to the client are dropped, and the connection is closed. */
  cutsAnswers = false;

  private constructor(port: number) {
    this.#port = port;
  }

  static async to(port: number): Promise<Proxy> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = new Proxy((server.address() as AddressInfo).port);
    server.on("connection", (client) => proxy.#connect(client, port));
    onTestFinished(async () => {
      proxy.cut();
      server.close();
      await once(server, "close");
    });
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** All connections are reset. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  #connect(client: Socket, port: number): void {
    const server = connect(port, "127.0.0.1");
    const pair = [client, server] as const;
    for (const socket of pair) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        for (const other of pair) other.destroy();
      });
    }
    this.#pass(client, server, false);
    this.#pass(server, client, true);
  }

  #pass(from: Socket, to: Socket, answers: boolean): void {
    from.on("data", (bytes: Buffer) => {
      if (!answers && this.swallowsSyncs && bytes.includes("ReplicationLog")) return;
      if (answers && this.cutsAnswers) {
        to.resetAndDestroy();
        return;
      }
      if (this.delay === 0) to.write(bytes);
      else setTimeout(() => to.write(bytes), this.delay);
    });
    from.on("end", () => to.end());
  }
}
