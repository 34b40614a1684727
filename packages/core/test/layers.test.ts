import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { drawingIn, folderDrawing } from "./support/folder-drawing.ts";
import {
  FOLDERS,
  type Import,
  importsOf,
  placeOf,
  rankOf,
  readSources,
  resolved,
  root,
  withoutComments,
} from "./support/source-imports.ts";

const sources = readSources();
const imports = [...sources].flatMap(([file, text]) => importsOf(file, text));

const imported = new Map<string, string[]>();
const importers = new Map<string, string[]>();
for (const { from, specifier } of imports) {
  const to = resolved(from, specifier);
  if (!sources.has(to)) continue;
  imported.set(from, [...(imported.get(from) ?? []), to]);
  importers.set(to, [...(importers.get(to) ?? []), from]);
}

/** Files that import each other, one line a circle: the fewer the better. */
const CIRCLES = [
  "connection: backup blob connection cursor-rows cursor describe dump-lines executemany handle-controls handle pending-cursor row-iterator transaction turns",
  "pool: functions member",
];

const inCore = (file: string): boolean => file.startsWith("packages/core/");
const inWorker = (file: string): boolean => file.startsWith("packages/worker/");
const inLeaf = (file: string): boolean => /^packages\/worker\/src\/(?:wire|sql)\//.test(file);

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
  it("let an import go to the same folder or to a lower one, types included", () => {
    const upward = imports.filter((one) => {
      const from = placeOf(one.from);
      const to = placeOf(resolved(one.from, one.specifier));
      if (from === null || to === null || from.inPackage !== to.inPackage) return false;
      return rankOf(to.inPackage, to.folder) < rankOf(from.inPackage, from.folder);
    });
    expect(lines(upward)).toEqual([]);
  });

  it("have circles within one folder only, and no others than these", () => {
    const circles = [...sources.keys()].flatMap((file) => {
      const circle = circleOf(file);
      if (circle.length === 1 || circle[0] !== file) return [];
      const folders = new Set(circle.map((one) => placeOf(one)?.folder));
      const names = circle.map((one) => one.slice(one.lastIndexOf("/") + 1, -".ts".length));
      return [`${[...folders].join(" ")}: ${names.join(" ")}`];
    });
    expect(circles).toEqual(CIRCLES);
  });

  it("know every folder, of 20 files at most", () => {
    const count = new Map<string, number>();
    for (const file of sources.keys()) {
      const place = placeOf(file);
      if (place !== null) expect(rankOf(place.inPackage, place.folder), file).toBeGreaterThanOrEqual(0);
      const folder = file.slice(0, file.lastIndexOf("/"));
      count.set(folder, (count.get(folder) ?? 0) + 1);
    }
    expect([...count].filter(([, files]) => files > 20)).toEqual([]);
    expect(FOLDERS.core).toHaveLength(12);
  });

  it("are drawn in CONTRIBUTING.md as they are; `pnpm draw:folders` draws them again", () => {
    expect(drawingIn(readFileSync(join(root, "CONTRIBUTING.md"), "utf8"))).toBe(folderDrawing());
  });

  it("let the wire and the reading of SQL import nothing but themselves, Node and Comlink's types", () => {
    const outside = imports.filter(({ from, specifier }) => {
      const folder = placeOf(from)?.folder;
      return inLeaf(from) && !isBuiltin(specifier) && placeOf(resolved(from, specifier))?.folder !== folder;
    });
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
    // The engine's module is an option, so its name is only known at run time.
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
        "packages/worker/src/functions/callbacks.ts",
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

  it("ask nothing that crossed a thread or came from a caller for its class: there are other realms", () => {
    const classes =
      /\binstanceof (?:\w*Array|\w*ArrayBuffer|\w*Error\b(?<=[^A-Za-z](?:Type|Range|Syntax|)Error)|Date|Map|Promise|RegExp|Set|URL|AbortSignal)\b/;
    // Electron has cloned the values from a page, and the builders pass on the caller's values.
    const others = /src\/(?:electron|integrations)\//;
    expect(filesWith((text) => classes.test(text)).filter((file) => !others.test(file))).toEqual([]);
  });

  it("end relative imports in .js, as they are run", () => {
    const relative = imports.filter(({ specifier }) => specifier.startsWith("."));
    expect(lines(relative.filter(({ specifier }) => !specifier.endsWith(".js")))).toEqual([]);
    expect(lines(relative.filter(({ from, specifier }) => !sources.has(resolved(from, specifier))))).toEqual(
      [],
    );
  });
});

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

/** The files that import each other with `file`, itself among them, in order. */
function circleOf(file: string): string[] {
  const back = closure(file, (at) => importers.get(at) ?? []);
  return [...closure(file, (at) => imported.get(at) ?? [])].filter((one) => back.has(one)).toSorted();
}

function closure(file: string, next: (file: string) => readonly string[]): Set<string> {
  const seen = new Set([file]);
  for (const one of seen) for (const other of next(one)) seen.add(other);
  return seen;
}

function lines(list: readonly Import[]): string[] {
  return list.map(({ from, specifier, names }) => `${from} imports ${names} from ${specifier}`);
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
