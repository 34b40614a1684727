import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../..", import.meta.url));
const bin = (name: string): string => join(root, "node_modules/.bin", name);

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "packaging-"));
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

/** SECURITY.md says that there is nothing else. */
const DEPENDENCIES: Readonly<Record<string, readonly string[]>> = {
  core: ["@sqlite-aio/worker", "comlink"],
  worker: ["better-sqlite3", "comlink"],
  sqlite3: ["@sqlite-aio/core", "@sqlite-aio/worker"],
};

describe.each(Object.keys(DEPENDENCIES))("the packed @sqlite-aio/%s", (name) => {
  let tarball: string;
  let files: string[];
  let unpacked: string;

  beforeAll(async () => {
    tarball = await pack(name);
    unpacked = await unpack(tarball);
    const { stdout } = await run("tar", ["-tzf", tarball]);
    files = stdout
      .trim()
      .split("\n")
      .map((file) => file.replace(/^package\//, ""));
  });

  it("passes publint", async () => {
    const { stdout } = await run(bin("publint"), ["run", tarball, "--strict"]);
    expect(stdout).toContain("All good!");
  });

  it("has types that resolve for import, for require and for old resolutions", async () => {
    const { stdout } = await run(bin("attw"), [tarball, "--format", "json"], { maxBuffer: 2 ** 26 });
    const { analysis } = JSON.parse(stdout) as { analysis: { types: unknown; problems: unknown[] } };
    expect(analysis.types).toMatchObject({ kind: "included" });
    expect(analysis.problems).toEqual([]);
  });

  it("brings its code, types, sources and licence, and no tests", async () => {
    expect(files).toEqual(
      expect.arrayContaining(["package.json", "LICENSE", "dist/index.js", "dist/index.d.ts", "src/index.ts"]),
    );
    const beside = files.filter((file) => !/^(dist|src)\/|^(package\.json|LICENSE|README\.md)$/.test(file));
    expect(beside).toEqual([]);
    expect(files.filter((file) => /test|tsbuildinfo/.test(file))).toEqual([]);
    expect(await readFile(join(unpacked, "LICENSE"), "utf8")).toBe(
      await readFile(join(root, "LICENSE"), "utf8"),
    );
  });

  it("brings every file that its exports name, and every source that its maps name", async () => {
    const manifest = JSON.parse(await readFile(join(unpacked, "package.json"), "utf8")) as Manifest;
    const targets = [manifest.main, ...leavesOf(manifest.exports), ...leavesOf(manifest.typesVersions ?? {})];
    expect(targets.map((target) => target.replace("./", "")).filter((file) => !files.includes(file))).toEqual(
      [],
    );

    const maps = files.filter((file) => file.endsWith(".map"));
    expect(maps.length).toBeGreaterThan(0);
    for (const map of maps) {
      const { sources, sourcesContent = [] } = JSON.parse(
        await readFile(join(unpacked, map), "utf8"),
      ) as SourceMap;
      for (const [i, source] of sources.entries()) {
        if (typeof sourcesContent[i] !== "string") expect(files, map).toContain(join(map, "..", source));
      }
    }
  });

  it("brings a README of its own, and says where it comes from", async () => {
    const readme = await readFile(join(unpacked, "README.md"), "utf8");
    expect(readme).toMatch(new RegExp(`^# @sqlite-aio/${name}$`, "m"));
    expect(readme).not.toMatch(/\]\((?!https:)/);
    const manifest = JSON.parse(await readFile(join(unpacked, "package.json"), "utf8")) as Manifest;
    expect(manifest).toMatchObject(originOf(name));
  });

  it("says on which Node it runs and depends on published versions only", async () => {
    const { engines, dependencies } = JSON.parse(
      await readFile(join(unpacked, "package.json"), "utf8"),
    ) as Manifest;
    expect(engines).toEqual({ node: ">=22.14" });
    expect(Object.keys(dependencies).toSorted()).toEqual(DEPENDENCIES[name]);
    for (const [dependency, range] of Object.entries(dependencies))
      expect(range, dependency).toMatch(/^\^\d/);
  });
});

describe("the packed @sqlite-aio/native", () => {
  let copy: string;

  // Beside the workspace: here there may be binaries.
  beforeAll(async () => {
    copy = await mkdtemp(join(directory, "native-"));
    const source = join(root, "packages/native");
    for (const name of ["package.json", "README.md", "index.cjs", "index.d.cts", "src", "scripts"]) {
      await cp(join(source, name), join(copy, name), { recursive: true });
    }
    await symlink(join(source, "node_modules"), join(copy, "node_modules"));
  });

  it("is refused without its binaries, and what builds them is said", async () => {
    const error = (await packFolder(copy).catch((reason: unknown) => reason)) as { stderr: string };
    expect(error.stderr).toMatch(/cannot be packed: prebuilds\/ has no binary for linux-x64, .*win32-arm64/);
    expect(error.stderr).toContain("pnpm --filter @sqlite-aio/native build:all");
    expect((await readdir(copy)).filter((name) => name.endsWith(".tgz"))).toEqual([]);
  }, 60_000);

  it("brings a binary for each system, sources and types, and says where it comes from", async () => {
    const binaries = TARGETS.map((target) => `prebuilds/${target}/sqlite-aio.node`);
    for (const binary of binaries) {
      await mkdir(join(copy, binary, ".."), { recursive: true });
      await writeFile(join(copy, binary), "");
    }
    const unpacked = await unpack(await packFolder(copy));
    const files = await readdir(unpacked, { recursive: true });
    expect(files).toEqual(expect.arrayContaining([...binaries, "index.cjs", "index.d.cts", "README.md"]));
    expect(files.filter((file) => /^(scripts|test|build)/.test(file))).toEqual([]);
    const manifest = JSON.parse(await readFile(join(unpacked, "package.json"), "utf8")) as Manifest;
    expect(manifest).toMatchObject(originOf("native"));
  }, 60_000);
});

describe("both tarballs, unpacked where nothing of the workspace is", () => {
  it("open a database and answer a query", async () => {
    const app = await mkdtemp(join(directory, "app-"));
    const modules = join(app, "node_modules");
    for (const name of ["core", "worker"]) {
      const target = join(modules, "@sqlite-aio", name);
      await mkdir(target, { recursive: true });
      await run("tar", ["-xzf", await pack(name), "-C", target, "--strip-components=1"]);
    }
    for (const name of ["comlink", "better-sqlite3"]) {
      await symlink(join(root, "packages/worker/node_modules", name), join(modules, name));
    }
    const program = `
      import { connect } from "@sqlite-aio/core";
      const db = await connect("new.db");
      await db.execute("CREATE TABLE t (a)");
      await db.executeInsert("INSERT INTO t VALUES (?)", ["packed"]);
      await db.commit();
      console.log(JSON.stringify(await db.executeFetchall("SELECT a FROM t")));
      await db.close();
    `;
    await writeFile(join(app, "package.json"), '{ "type": "module" }');
    await writeFile(join(app, "program.js"), program);
    const { stdout, stderr } = await run(process.execPath, ["program.js"], { cwd: app });
    expect([stdout, stderr]).toEqual(['[["packed"]]\n', ""]);
  });
});

/** The targets that packages/native/README.md names. */
const TARGETS = ["linux", "darwin", "win32"]
  .flatMap((platform) => [`${platform}-x64`, `${platform}-arm64`])
  .concat("linux-x64-musl", "linux-arm64-musl");

const REPOSITORY = "https://github.com/sqlite-aio/sqlite-aio";

/** The fields of every package about its origin. */
function originOf(name: string): object {
  return {
    homepage: `${REPOSITORY}#readme`,
    bugs: `${REPOSITORY}/issues`,
    repository: { type: "git", url: `git+${REPOSITORY}.git`, directory: `packages/${name}` },
    license: "MIT",
    publishConfig: { access: "public" },
  };
}

interface SourceMap {
  readonly sources: string[];
  readonly sourcesContent?: (string | null)[];
}

interface Manifest {
  readonly main: string;
  readonly exports: object;
  readonly typesVersions?: object;
  readonly engines: Record<string, string>;
  readonly dependencies: Record<string, string>;
}

/** The paths that an object of package.json names, at whatever depth. */
function leavesOf(value: unknown): string[] {
  return typeof value === "string" ? [value] : Object.values(value as object).flatMap(leavesOf);
}

/** Packs as a release would. */
function pack(name: string): Promise<string> {
  return packFolder(join(root, "packages", name));
}

/** pnpm is the one that runs this test, or else the one npx brings. */
async function packFolder(cwd: string): Promise<string> {
  const pnpm = process.env["npm_config_user_agent"]?.startsWith("pnpm/")
    ? process.env["npm_execpath"]
    : undefined;
  const args = ["pack", "--json", "--pack-destination", directory];
  const { stdout } = pnpm
    ? await run(pnpm, args, { cwd })
    : await run("npx", ["-y", "pnpm@12", ...args], { cwd });
  return (JSON.parse(stdout) as { filename: string }).filename;
}

/** A folder with what is in the tarball. */
async function unpack(tarball: string): Promise<string> {
  const folder = await mkdtemp(join(directory, "unpacked-"));
  await run("tar", ["-xzf", tarball, "-C", folder, "--strip-components=1"]);
  return folder;
}
