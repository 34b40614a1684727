/**
 * Runs all tests and says which lines of the packages none of them ran, and fails if there are any:
 * `pnpm test:coverage`. c8 and monocart merge the reports of two thousand processes and threads into counts that are too
 * low, so this takes their union: what one report says was run was run.
 */
import { execFileSync } from "node:child_process";
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { SourceMap } from "node:module";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** V8's report at the end of a process or thread. Of nested ranges the innermost counts. */
interface Report {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly ranges: readonly {
        readonly startOffset: number;
        readonly endOffset: number;
        readonly count: number;
      }[];
    }[];
  }[];
}

/** Lines that only run in a bundle: bundled.test.ts and `pnpm test:bundlers` run them. */
const ONLY_IN_BUNDLES = new Set(["packages/worker/dist/engine/here.js", "packages/worker/dist/index.js"]);

/** A line that does nothing: a comment, or the end of what others do. */
const IDLE = /^(\/\/.*|\/?\*.*|[{}\])();,]*)$/;

const root = fileURLToPath(new URL("../../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "sqlite-aio-coverage-"));
try {
  execFileSync(process.execPath, [join(root, "node_modules", "vitest", "vitest.mjs"), "run"], {
    cwd: root,
    stdio: "inherit",
    // The modules themselves, not the files that they are bundled into.
    env: { ...process.env, NODE_V8_COVERAGE: folder, NODE_OPTIONS: "--conditions=module" },
  });
  report();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function report(): void {
  const files = globSync("packages/{core,worker}/dist/**/*.js", { cwd: root })
    .filter((file) => !ONLY_IN_BUNDLES.has(file.replaceAll("\\", "/")))
    .toSorted();
  const texts = new Map(
    files.map((file) => [pathToFileURL(join(root, file)).href, readFileSync(join(root, file), "utf8")]),
  );
  const run = new Map([...texts].map(([url, text]) => [url, new Uint8Array(text.length)]));
  for (const file of readdirSync(folder)) {
    for (const { url, functions } of parse(readFileSync(join(folder, file), "utf8")).result) {
      const all = run.get(url);
      if (all === undefined) continue;
      const own = new Uint8Array(all.length);
      const ranges = functions
        .flatMap((one) => one.ranges)
        .toSorted((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
      for (const range of ranges) own.fill(range.count > 0 ? 1 : 0, range.startOffset, range.endOffset);
      for (const [i, ran] of own.entries()) all[i]! |= ran;
    }
  }
  let lines = 0;
  let missed = 0;
  for (const [url, text] of texts) {
    const { counted, unrun } = lookAt(text, run.get(url)!);
    lines += counted;
    missed += unrun.length;
    if (unrun.length > 0)
      console.log(
        `${relative(root, fileURLToPath(url)).replace("/dist/", "/src/").replace(/js$/, "ts")}: ${sourceLines(url, unrun).join(", ")}`,
      );
  }
  console.log(`${(((lines - missed) / lines) * 100).toFixed(2)} % of ${lines} lines were run whole`);
  if (missed > 0) process.exitCode = 1;
}

/** A process that was killed leaves half a report. */
function parse(text: string): Report {
  try {
    return JSON.parse(text) as Report;
  } catch {
    return { result: [] };
  }
}

/** The number of lines with code, and those (counted from 0) that did not run to their end. */
function lookAt(text: string, run: Uint8Array): { counted: number; unrun: number[] } {
  let counted = 0;
  let at = 0;
  const unrun: number[] = [];
  for (const [number, line] of text.split("\n").entries()) {
    const code = line.trim();
    if (!IDLE.test(code)) {
      counted++;
      const start = at + line.indexOf(code);
      if (run.subarray(start, at + line.length).includes(0)) unrun.push(number);
    }
    at += line.length + 1;
  }
  return { counted, unrun };
}

/** The lines of the TypeScript source, counted from 1. */
function sourceLines(url: string, lines: readonly number[]): number[] {
  const file = `${fileURLToPath(url)}.map`;
  const map = new SourceMap(JSON.parse(readFileSync(file, "utf8")));
  const found = lines.map((line) => {
    const entry = map.findEntry(line, 1000);
    return "originalLine" in entry ? entry.originalLine + 1 : line + 1;
  });
  return [...new Set(found)];
}
