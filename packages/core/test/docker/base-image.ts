import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, glob, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildah, STORE } from "./builder.ts";

const run = promisify(execFile);

/** What the Dockerfile names, made here: Debian 12 in its smallest form, with this Node, npm and the user `node`. */
const BASE_IMAGE = "docker.io/library/node:24-bookworm-slim";

/** Debian's packages that are in the image of that name, too. */
const LIBRARIES = "libstdc++6";

/** Makes the image, once for each version of Node. */
export async function makeBaseImage(): Promise<void> {
  const tag = `sqlite-aio-base:${process.versions.node}`;
  if ((await buildah("images", "--format", "{{.Name}}:{{.Tag}}")).split("\n").includes(`localhost/${tag}`)) {
    return;
  }
  const files = await debian();
  const npm = [
    "install",
    "--global",
    "--no-audit",
    "--no-fund",
    "--prefix",
    join(files, "usr/local"),
    "npm@11",
  ];
  await run("npm", npm);
  await cp(process.execPath, join(files, "usr/local/bin/node"));
  await giveRegistry(files);
  const container = await buildah("from", "scratch");
  await buildah("copy", container, files, "/");
  await buildah("run", "--isolation", "chroot", container, "--", "chown", "node:node", "/home/node");
  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  await buildah("config", "--cmd", "node", "--env", path, container);
  await buildah("commit", container, BASE_IMAGE);
  await buildah("tag", BASE_IMAGE, tag);
  await buildah("rm", container);
}

/**
 * Debian's files, which are fetched once. Packages are unpacked and not configured: that takes many times as long, and makes of
 * what an image needs only the list of users.
 */
async function debian(): Promise<string> {
  const files = join(STORE, "bookworm");
  if (existsSync(files)) return files;
  const part = `${files}.part`;
  const kept = join(STORE, "packages");
  await rm(part, { recursive: true, force: true });
  await mkdir(kept, { recursive: true });
  const options = ["--foreign", "--variant=minbase", `--include=${LIBRARIES}`, `--cache-dir=${kept}`];
  await run("debootstrap", [...options, "bookworm", part], { maxBuffer: 64 * 1024 * 1024 });
  for await (const archive of glob(join(part, "var/cache/apt/archives/*.deb")))
    await run("sh", ["-c", UNPACK, "sh", archive, part]);
  for (const folder of ["debootstrap", "var/cache/apt/archives"])
    await rm(join(part, folder), { recursive: true });
  // Within a container debootstrap makes links of these.
  for (const folder of ["proc", "sys"]) {
    await rm(join(part, folder), { recursive: true });
    await mkdir(join(part, folder));
  }
  for (const [name, text] of Object.entries(USERS)) await writeFile(join(part, "etc", name), text);
  await mkdir(join(part, "home/node"));
  await rename(part, files);
  return files;
}

/** `/bin` and `/lib` stay the links that they are. */
const UNPACK = 'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"';

const USERS = {
  passwd: "root:x:0:0:root:/root:/bin/bash\nnode:x:1000:1000::/home/node:/bin/bash\n",
  group: "root:x:0:\nnode:x:1000:\n",
} as const;

/** npm's registry as this machine has it, with the certificates that it is known by. */
async function giveRegistry(files: string): Promise<void> {
  const setting = async (name: string): Promise<string> =>
    (await run("npm", ["config", "get", name])).stdout.trim();
  const lines = [`registry=${await setting("registry")}`];
  const certificates = process.env["NODE_EXTRA_CA_CERTS"] ?? (await setting("cafile"));
  if (existsSync(certificates)) {
    await writeFile(join(files, "etc/npm-certificates.crt"), await readFile(certificates));
    lines.push("cafile=/etc/npm-certificates.crt");
  }
  await mkdir(join(files, "usr/local/etc"), { recursive: true });
  await writeFile(join(files, "usr/local/etc/npmrc"), `${lines.join("\n")}\n`);
}
