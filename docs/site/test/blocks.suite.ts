import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parser as python } from "@lezer/python";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { root } from "../pages.ts";
import { blocks, inLanguage } from "./blocks.ts";

/** What checks each kind of block. A block without a language is not code but output or a list of files. */
const SEEN_TO: Readonly<Record<string, string>> = {
  "": "nobody",
  ts: "documents.suite.ts runs them",
  mts: "packages/core/test/works-with runs them, with the client that Prisma makes of the schema",
  prisma: "packages/core/test/works-with generates from it",
  typescript:
    "packages/core/test/bundlers compiles Electron's against its types; test/frameworks compiles and runs NestJS's",
  javascript: "packages/core/test/frameworks builds them, and asks what is built",
  dockerfile: "read below; packages/core/test/docker builds it",
  js: "compiled below",
  sh: "read below; litestream's are run by packages/core/test/litestream",
  yaml: "read below; litestream.yml is used by packages/core/test/litestream",
  python: "read below",
};

it("every block of the README and the documents is run, compiled or read by a test", () => {
  const unknown = blocks.filter(({ language }) => !(language in SEEN_TO));
  expect(unknown.map(({ page, language }) => `${page}: ${language}`)).toEqual([]);
  const pagesOf = (language: string): Set<string> => new Set(inLanguage(language).map(({ page }) => page));
  expect(pagesOf("typescript")).toEqual(new Set(["docs/electron.md", "docs/frameworks.md"]));
  expect(pagesOf("javascript")).toEqual(new Set(["docs/frameworks.md"]));
});

describe("js", () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sqlite-aio-blocks-"));
    await symlink(join(root, "examples/node_modules"), join(folder, "node_modules"));
  });

  afterAll(() => rm(folder, { recursive: true }));

  it("compiles", () => {
    const files = inLanguage("js").map(({ text }, index) => {
      const file = `${index}.mjs`;
      // A block without imports continues the block before it.
      const before = /^import /m.test(text) || text.startsWith("//") ? "" : PRELUDE;
      writeFileSync(join(folder, file), before + text);
      return file;
    });
    expect(files.length).toBeGreaterThan(3);
    // As electron-vite declares it.
    writeFileSync(
      join(folder, "path.d.ts"),
      'declare module "*?modulePath" {\n  const path: string;\n  export default path;\n}\n',
    );
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          target: "es2024",
          lib: ["es2024", "esnext.disposable"],
          module: "nodenext",
          allowJs: true,
          checkJs: true,
          strict: true,
          noImplicitAny: false,
          noEmit: true,
          skipLibCheck: true,
          types: ["node"],
          typeRoots: [join(root, "node_modules/@types")],
        },
        files: ["path.d.ts", ...files],
      }),
    );
    expect(compile(folder)).toBe("");
  });
});

const PRELUDE = 'import { dirname, join } from "node:path";\nimport { Worker } from "node:worker_threads";\n';

function compile(folder: string): string {
  try {
    return execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

describe("sh", () => {
  it.each(inLanguage("sh"))(
    "of $page is no mistake for a shell, and names scripts, folders and files that are there",
    ({ text }) => {
      execFileSync("sh", ["-n", "-c", text]);
      let folder = root;
      for (const line of commandsOf(text)) {
        const [command = "", ...args] = line.split(/\s+/);
        if (command === "cd") {
          folder = join(folder, args[0] ?? "");
          expect(existsSync(folder), line).toBe(true);
        } else if (["npm", "npx", "pnpm"].includes(command)) {
          expect(scriptOf(line, folder), line).toBe(true);
        } else if (command === "node" && args[0]?.includes("/")) {
          expect(existsSync(join(folder, args[0])), line).toBe(true);
        } else {
          expect(ELSEWHERE, line).toContain(command);
        }
      }
    },
  );
});

function commandsOf(text: string): string[] {
  return text
    .replaceAll("\\\n", "")
    .split(/\n|&&/)
    .map((line) =>
      line
        .replace(/#.*$/, "")
        .replace(/^\s*(?:[A-Z_]+=\S+\s+)+/, "")
        .trim(),
    )
    .filter((line) => line !== "");
}

/** Whether a package manager's command exists in that folder. */
function scriptOf(line: string, folder: string): boolean {
  const [, prefix = "."] = /--prefix (\S+)/.exec(line) ?? [];
  const [, name = ""] = /^(?:npx -y pnpm@12|pnpm|npm)(?: --prefix \S+)?(?: run)? (\S+)/.exec(line) ?? [];
  if (name === "exec") {
    const [tool = "", ...args] = line.slice(line.indexOf(" exec ") + 6).split(/\s+/);
    const files = [`node_modules/.bin/${tool}`, ...args.filter((arg) => arg.includes("/"))];
    return files.every((file) => existsSync(join(folder, file)));
  }
  if (name === "install") return existsSync(join(folder, prefix, "package.json"));
  const { scripts } = JSON.parse(readFileSync(join(folder, prefix, "package.json"), "utf8")) as {
    scripts: object;
  };
  return Object.hasOwn(scripts, name);
}

/** Commands that the suites of the bundlers and of Litestream run, as they are or with other files. */
const ELSEWHERE = ["cp", "echo", "esbuild", "litestream", "node", "postject"];

describe("dockerfile", () => {
  it.each(inLanguage("dockerfile"))(
    "of $page has instructions and stages that there are, a Node that is new enough, and a CMD without a shell",
    ({ text }) => {
      const lines = text
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("#"))
        .map((line) => line.split(/\s+/));
      const stages = new Set<string>();
      for (const [instruction = "", ...args] of lines) {
        expect(INSTRUCTIONS).toContain(instruction);
        if (instruction === "FROM") {
          expect(args[0]).toMatch(/^node:\d+-(?:alpine|bookworm-slim)$/);
          expect(Number(/\d+/.exec(args[0] ?? "")?.[0])).toBeGreaterThanOrEqual(22);
          if (args[1] === "AS") stages.add(args[2] ?? "");
        }
        const [, stage] = /^--from=(.*)$/.exec(args[0] ?? "") ?? [];
        if (stage !== undefined) expect(stages).toContain(stage);
      }
      const last = (name: string): string[] => lines.findLast(([instruction]) => instruction === name) ?? [];
      expect(JSON.parse(last("CMD").slice(1).join(" "))).toEqual(["node", "server.js"]);
      // The database is in the volume's folder, which the user of the process can write to.
      const [, volume = "no volume"] = last("VOLUME");
      expect(last("ENV").join(" ")).toContain(`DATABASE=${volume}/`);
      expect(text).toContain(`chown ${last("USER")[1]}:${last("USER")[1]} ${volume}`);
    },
  );
});

/** The instructions of Docker's reference that a Node program uses. */
const INSTRUCTIONS = ["FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "CMD"];

describe("yaml", () => {
  it.each(inLanguage("yaml"))("of $page can be read", ({ text }) => {
    expect(parseYaml(text)).toBeTypeOf("object");
  });
});

describe("python", () => {
  it.each(inLanguage("python"))("of $page can be read", ({ text }) => {
    const errors: number[] = [];
    python.parse(text).iterate({
      enter: ({ type, from }) => {
        if (type.isError) errors.push(from);
      },
    });
    expect(errors).toEqual([]);
  });
});
