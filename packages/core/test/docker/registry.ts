import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";

const run = promisify(execFile);

interface Published {
  readonly manifest: { readonly name: string; readonly version: string };
  readonly tarball: Buffer;
}

/** A registry of packages that are not published, as npm asks one. */
export class Registry {
  readonly #server: Server;
  readonly #packages: readonly Published[];

  private constructor(packages: readonly Published[]) {
    this.#packages = packages;
    this.#server = createServer((request, response) => {
      const answer = this.#answer(decodeURIComponent(request.url ?? "").slice(1));
      if (answer === undefined) response.writeHead(404);
      response.end(answer);
    });
  }

  static async of(tarballs: readonly string[]): Promise<Registry> {
    const registry = new Registry(await Promise.all(tarballs.map(read)));
    registry.#server.listen(0, "127.0.0.1");
    await once(registry.#server, "listening");
    return registry;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #answer(path: string): string | Buffer | undefined {
    const file = this.#packages.find(({ manifest }) => path === `${manifest.name}.tgz`);
    if (file !== undefined) return file.tarball;
    const found = this.#packages.find(({ manifest }) => path === manifest.name);
    if (found === undefined) return undefined;
    const { manifest, tarball } = found;
    const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
    const dist = { tarball: `${this.url}/${manifest.name}.tgz`, integrity };
    return JSON.stringify({
      name: manifest.name,
      "dist-tags": { latest: manifest.version },
      versions: { [manifest.version]: { ...manifest, dist } },
    });
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }
}

async function read(path: string): Promise<Published> {
  const { stdout } = await run("tar", ["-xOzf", path, "package/package.json"]);
  return { manifest: JSON.parse(stdout) as Published["manifest"], tarball: await readFile(path) };
}
