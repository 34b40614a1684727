import { execFile } from "node:child_process";
import { access, cp, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from "vitest";
import { filesOf } from "../frameworks/document.ts";
import { isCheckpointed, visitsIn } from "../frameworks/written.ts";
import { buildah } from "./builder.ts";
import { Container } from "./container.ts";
import { Registry } from "./registry.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../../../..");
const IMAGE = "sqlite-aio-app";

let folder: string;
let container: Container;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sqlite-aio-image-"));
  const tarballs = await Promise.all(inject("tarballs").map(withCompanion));
  const registry = await Registry.of(tarballs);
  try {
    const files = { ...filesOf("Docker"), "package.json": '{ "private": true, "type": "module" }' };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    // The image's npm knows of the registry by the lockfile alone.
    const flags = [
      "--omit-lockfile-registry-resolved=false",
      "--package-lock-only",
      "--no-audit",
      "--no-fund",
    ];
    await run("npm", ["install", ...flags, `--@sqlite-aio:registry=${registry.url}`, "@sqlite-aio/core"], {
      cwd: folder,
    });
    await buildah("build", "--isolation", "chroot", "--pull-never", "--network", "host", "-t", IMAGE, folder);
  } finally {
    await registry.close();
  }
  container = await Container.of(IMAGE);
});

afterAll(async () => {
  await container?.remove();
  await rm(folder, { recursive: true });
});

/** The companion's binaries are built for a release; here there is the one of this machine. */
async function withCompanion(tarball: string): Promise<string> {
  if (!/native/.test(tarball)) return tarball;
  const to = await mkdtemp(join(folder, "native-"));
  await run("tar", ["-xzf", tarball, "-C", to]);
  await cp(join(root, "packages/native/build"), join(to, "package/build"), { recursive: true });
  const packed = join(to, "native.tgz");
  await run("tar", ["-czf", packed, "-C", to, "package"]);
  return packed;
}

it("the Dockerfile of docs/frameworks.md gives an image without compiler and Python, with the companion, whose folder for the database is its user's", async () => {
  expect(container.settings).toMatchObject({
    Cmd: ["node", "server.js"],
    User: "node",
    WorkingDir: "/app",
    Volumes: { "/data": {} },
  });
  const said = await container.output("node", "-p", 'require("@sqlite-aio/core").capabilities.interrupt');
  expect(said).toBe("true\n");
  for (const program of ["gcc", "make", "python3"])
    await expect(access(container.file(`/usr/bin/${program}`))).rejects.toMatchObject({ code: "ENOENT" });
  expect((await stat(container.file("/data"))).uid).toBe(1000);
});

it("a container of it answers, ends by itself on SIGTERM with all in the file, and finds it there at its next start", async () => {
  for (const visits of [1, 3]) {
    const server = await container.start();
    onTestFinished(() => server.kill());
    expect(await server.ask("/")).toEqual({ visits });
    expect(await server.ask("/")).toEqual({ visits: visits + 1 });
    expect(await server.stop()).toBe(0);
    const database = container.file("/data/app.db");
    expect(await isCheckpointed(database)).toBe(true);
    expect(await visitsIn(database)).toBe(visits + 1);
  }
});
