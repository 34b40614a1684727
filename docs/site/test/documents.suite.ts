import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const run = promisify(execFile);

/** What the blocks assume: `app.db` exists, and a block without imports has it open as `db`. */
const prelude = `import { connect } from "@sqlite-aio/core";
await using db = await connect("app.db");
`;
const tables = `await db.executescript(\`
  CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER);
  INSERT INTO account VALUES (1, 100), (2, 0);
  CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT);
  CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, stock INTEGER);
\`);
`;

describe.each(["README.md", ...globSync("docs/*.md", { cwd: root }).toSorted()])("%s", (path) => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "documents-test-"));
    await symlink(join(root, "examples", "node_modules"), join(folder, "node_modules"));
  });

  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  it("has TypeScript that runs as it is written, block after block", async () => {
    const blocks = blocksOf(readFileSync(join(root, path), "utf8"));
    const programs = blocks.map((block) => (block.startsWith("import ") ? block : prelude + block));
    for (const [index, block] of [prelude + tables, ...programs].entries()) {
      const program = join(folder, `${index}.mts`);
      await writeFile(program, block);
      await expect(run(process.execPath, [program], { cwd: folder }), block).resolves.toMatchObject({
        stderr: "",
      });
    }
  });

  it("links to files that are there", () => {
    const text = readFileSync(join(root, path), "utf8");
    const folderOf = join(root, path, "..");
    for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)) {
      expect(globSync(target ?? "", { cwd: folderOf }), target).toHaveLength(1);
    }
  });
});

describe("the blocks of TypeScript", () => {
  it("compile as they are written", async () => {
    const folder = await mkdtemp(join(tmpdir(), "documents-test-"));
    await symlink(join(root, "examples", "node_modules"), join(folder, "node_modules"));
    const pages = ["README.md", ...globSync("docs/*.md", { cwd: root })];
    for (const path of pages) {
      for (const [index, block] of blocksOf(readFileSync(join(root, path), "utf8")).entries()) {
        const program = block.startsWith("import ") ? block : prelude + block;
        await writeFile(join(folder, `${path.replace("/", "-")}-${index}.mts`), `${program}\nexport {};\n`);
      }
    }
    const compilerOptions = {
      target: "es2024",
      lib: ["esnext"],
      module: "nodenext",
      types: ["node"],
      typeRoots: [join(root, "node_modules/@types")],
      strict: true,
      skipLibCheck: true,
      noEmit: true,
    };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const { stdout } = await run(process.execPath, [tsc, "-p", folder]).catch(
      (error: unknown) => error as { stdout: string },
    );
    await rm(folder, { recursive: true });
    expect(stdout).toBe("");
  });
});

describe("CONTRIBUTING.md", () => {
  it("names files that are there", () => {
    const text = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");
    const named = [...text.matchAll(/`([\w./-]+\.(?:ts|md|json|c|cjs|cts|mjs))`/g)].map(
      ([, path]) => path ?? "",
    );
    expect(named.length).toBeGreaterThan(5);
    for (const path of named) {
      if (/^(?:utils|types)\.ts$/.test(path)) continue;
      const found = globSync(
        ["", "packages/", "packages/*/src/", "packages/worker/src/wire/"].map((base) => base + path),
        {
          cwd: root,
        },
      );
      expect(found, path).toHaveLength(1);
    }
  });
});

function blocksOf(markdown: string): string[] {
  return [...markdown.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block]) => block ?? "");
}
