import { spawnSync } from "node:child_process";
import { mkdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TestRunner } from "vitest";

const compile = new URL("../../../native/scripts/compile.mjs", import.meta.url).href;
const { hostCompiler, engineSource } = (await import(compile)) as {
  hostCompiler(): string[] | undefined;
  engineSource: string;
};

/** What the system's loadable files end in. */
export const SUFFIX = { darwin: ".dylib", win32: ".dll" }[process.platform as string] ?? ".so";

/** Compiles a C file to an extension for SQLite. Skips the test if there is no compiler. */
export function compileExtension(source: string, binary: string, defined?: string): void {
  const compiler = hostCompiler();
  if (compiler === undefined) {
    TestRunner.getCurrentTest()?.context.skip("needs a C compiler, to make extensions");
    throw new Error("there is no C compiler");
  }
  const [command = "cc", ...first] = compiler;
  const what = [...(defined === undefined ? [] : [`-D${defined}`]), "-isystem", engineSource];
  const { status, stderr } = spawnSync(
    command,
    [...first, "-shared", "-fPIC", ...what, "-o", binary, source],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
}

const SOURCE = fileURLToPath(new URL("../fixtures/extensions.c", import.meta.url));
const FOLDER = fileURLToPath(new URL("../../../native/build/extensions", import.meta.url));
const NAMES = ["good", "named", "other", "fails", "writes", "begins", "none"];

/**
 * A folder with the extensions of fixtures/extensions.c, each in a file of its name, and `text`, which is none. They are
 * compiled when the source has changed.
 */
export function compiledExtensions(): string {
  mkdirSync(FOLDER, { recursive: true });
  for (const name of NAMES) {
    const binary = join(FOLDER, name + SUFFIX);
    const compiled = statSync(binary, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (compiled > statSync(SOURCE).mtimeMs) continue;
    // Renamed at the end: another test file may load it meanwhile.
    const unfinished = `${binary}.${process.pid}`;
    compileExtension(SOURCE, unfinished, name.toUpperCase());
    renameSync(unfinished, binary);
  }
  writeFileSync(join(FOLDER, `text${SUFFIX}`), "This is a text, and no library.\n");
  return FOLDER;
}
