import { globSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));

interface Import {
  /** The file that imports, from the root of the workspace, such as `packages/core/src/thread/worker-thread.ts`. */
  readonly from: string;
  readonly specifier: string;
  /** Whether nothing of it is left at run time. */
  readonly typeOnly: boolean;
}

const sources = new Map(
  globSync("packages/*/src/**/*.ts", { cwd: root })
    .toSorted()
    .map((file) => [file, readFileSync(join(root, file), "utf8")] as const),
);
const imports = [...sources].flatMap(([file, text]) => importsOf(file, text));

const inCore = (file: string): boolean => file.startsWith("packages/core/");
const inWorker = (file: string): boolean => file.startsWith("packages/worker/");
const inWire = (file: string): boolean => file.startsWith("packages/worker/src/wire/");

describe("reading import lines", () => {
  it("sees every form of import, and which of them are gone at run time", () => {
    const text = `
      // import "./comment.js";
      import "./effect.js";
      import { a, type B } from "./value.js";
      import {
        many,
      } from "./lines.js";
      import type { C } from "./type.js";
      export * from "./star.js";
      export type { D } from "./exported-type.js";
      const late = await import("./late.js");
      export type E = { kind: "./kind.js" };
      export const text = 'from "./string.js"';
    `;
    expect(importsOf("x.ts", text).map(({ specifier, typeOnly }) => [specifier, typeOnly])).toEqual([
      ["./effect.js", false],
      ["./value.js", false],
      ["./lines.js", false],
      ["./type.js", true],
      ["./star.js", false],
      ["./exported-type.js", true],
      ["./late.js", false],
    ]);
  });

  it("finds the sources of both packages", () => {
    expect([...sources.keys()]).toEqual(
      expect.arrayContaining([
        "packages/core/src/index.ts",
        "packages/core/src/thread/worker-thread.ts",
        "packages/worker/src/entry.ts",
        "packages/worker/src/handle/session.ts",
        "packages/worker/src/wire/index.ts",
      ]),
    );
  });
});

describe("the layers", () => {
  it("let the wire import nothing but itself, Node and Comlink's types", () => {
    const outside = imports.filter(
      ({ from, specifier }) => inWire(from) && !isBuiltin(specifier) && !inWire(resolved(from, specifier)),
    );
    expect(lines(outside.filter((one) => !(one.specifier === "comlink" && one.typeOnly)))).toEqual([]);
  });

  it("never let the worker import core", () => {
    const upward = imports.filter(
      ({ from, specifier }) =>
        inWorker(from) && (specifier.startsWith("@sqlite-aio/core") || inCore(resolved(from, specifier))),
    );
    expect(lines(upward)).toEqual([]);
  });

  it("let core reach the worker only by the names that its package exports", () => {
    const paths = Object.keys(packageJson("worker").exports);
    const exported = new Set(paths.map((path) => path.replace(/^\./, "@sqlite-aio/worker")));
    const crossing = imports.filter(
      ({ from, specifier }) =>
        inCore(from) && (specifier.startsWith("@sqlite-aio/worker") || inWorker(resolved(from, specifier))),
    );
    expect(crossing.length).toBeGreaterThan(0);
    expect(lines(crossing.filter(({ specifier }) => !exported.has(specifier)))).toEqual([]);
  });

  it("import other packages only where package.json names them", () => {
    const named = (file: string): string[] => {
      const { dependencies, peerDependencies = {} } = packageJson(file.split("/")[1] as string);
      return Object.keys({ ...dependencies, ...peerDependencies });
    };
    const unnamed = imports.filter(
      ({ from, specifier }) =>
        !specifier.startsWith(".") && !isBuiltin(specifier) && !named(from).includes(packageName(specifier)),
    );
    expect(lines(unnamed)).toEqual([]);
  });

  it("load the engine in the thread alone, where a handle is opened and statements are run", () => {
    const allowed = new Set(
      ["engine/load-engine", "handle/session", "handle/statement"].map(
        (name) => `packages/worker/src/${name}.ts`,
      ),
    );
    expect(filesThatLoad("better-sqlite3").filter((file) => !allowed.has(file))).toEqual([]);
    // Which module is the engine is an option, so it is imported by a name that only run time knows.
    const late = filesWith((text) => /\bimport\((?!\s*["'])/.test(text));
    expect(late).toContain("packages/worker/src/engine/load-engine.ts");
    expect(late.filter(inCore)).toEqual([]);
  });

  it("use threads only where one is started, in its entry, and where either side looks at its ports", () => {
    expect(filesThatLoad("node:worker_threads")).toEqual(
      only(
        "packages/core/src/thread/thread-port.ts",
        "packages/core/src/thread/start-thread.ts",
        "packages/worker/src/entry.ts",
        "packages/worker/src/handle/functions.ts",
        "packages/worker/src/loop/poller.ts",
      ),
    );
  });

  it("keep the optional parts out of what index.ts brings in", () => {
    const reached = reach("packages/core/src/index.ts");
    expect(reached).toContain("packages/core/src/connection/connect.ts");
    const optional = reached.filter((file) => /\/(integrations|electron)\/|\/diagnostics\b/.test(file));
    expect(optional).toEqual([]);
  });
});

describe("the sources", () => {
  it("write nothing to the console", () => {
    expect(filesWith((text) => /\bconsole\s*\./.test(text))).toEqual([]);
  });

  it("have files of one thing each: 450 lines at most, the error tree excepted", () => {
    const long = filesWith((text) => text.split("\n").length > 451);
    expect(long.filter((file) => file !== "packages/core/src/errors/errors.ts")).toEqual([]);
  });

  it("name each file for what it holds, in kebab-case", () => {
    const names = [...sources.keys()].map((file) => file.split("/").at(-1) as string);
    expect(names.filter((name) => !/^[a-z][a-z0-9]*(-[a-z0-9]+)*\.ts$/.test(name))).toEqual([]);
    expect(names.filter((name) => /^(utils?|types?|helpers?|common|misc)\.ts$/.test(name))).toEqual([]);
  });

  it("end relative imports in .js, as they are run", () => {
    const relative = imports.filter(({ specifier }) => specifier.startsWith("."));
    expect(lines(relative.filter(({ specifier }) => !specifier.endsWith(".js")))).toEqual([]);
    expect(lines(relative.filter(({ from, specifier }) => !sources.has(resolved(from, specifier))))).toEqual(
      [],
    );
  });
});

function importsOf(from: string, text: string): Import[] {
  const code = withoutComments(text);
  const statement =
    /^[ \t]*(?:import|export)\s+(?<clause>[\w$\s{},*]+?)\s+from\s+["'](?<path>[^"']+)["']|^[ \t]*import\s+["'](?<effect>[^"']+)["']|\bimport\(\s*["'](?<late>[^"']+)["']/gm;
  return [...code.matchAll(statement)].map(({ groups = {} }) => ({
    from,
    specifier: (groups["path"] ?? groups["effect"] ?? groups["late"]) as string,
    typeOnly: /^\s*type\b/.test(groups["clause"] ?? ""),
  }));
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

/** The source file that a relative import means; any other specifier is its own answer. */
function resolved(from: string, specifier: string): string {
  return specifier.startsWith(".")
    ? normalize(join(from, "..", specifier)).replace(/\.js$/, ".ts")
    : specifier;
}

/** Every file that runs when `file` is imported. */
function reach(file: string, seen = new Set<string>()): string[] {
  if (!seen.has(file)) {
    seen.add(file);
    for (const { from, specifier, typeOnly } of imports) {
      if (from === file && !typeOnly && specifier.startsWith(".")) reach(resolved(from, specifier), seen);
    }
  }
  return [...seen];
}

function filesThatLoad(specifier: string): string[] {
  return [
    ...new Set(imports.filter((one) => one.specifier === specifier && !one.typeOnly).map(({ from }) => from)),
  ];
}

function filesWith(test: (code: string) => boolean): string[] {
  return [...sources].filter(([, text]) => test(withoutComments(text))).map(([file]) => file);
}

/** Matches a list that is not empty and holds none but these files. */
function only(...files: string[]): unknown {
  return {
    asymmetricMatch: (list: string[]) => list.length > 0 && list.every((file) => files.includes(file)),
    toString: () => `only ${files.join(", ")}`,
  };
}

function lines(list: readonly Import[]): string[] {
  return list.map(({ from, specifier }) => `${from} imports ${specifier}`);
}

function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function packageJson(name: string): {
  exports: Record<string, unknown>;
  dependencies: Record<string, string>;
  peerDependencies?: Record<string, string>;
} {
  return JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"));
}
