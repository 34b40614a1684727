import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

/** The parts of the workspace that a copy needs, beside the installed packages. */
const PARTS = ["package.json", "tsconfig.base.json", "vitest.config.ts", "packages"];

/** Big folders that the tests of a mutant do not need. */
const LEFT_OUT = new Set([".toolchain", "prebuilds", "npm", ".vite"]);

const NATIVE = "packages/native";

/** The result of a run of test files. */
export interface TestRun {
  readonly passed: boolean;
  /** The first test that failed, or what else happened. */
  readonly told: string;
  readonly ms: number;
}

/** A copy of the built workspace in which sources are changed. Only the module that was changed is compiled anew. */
export class ScratchTree {
  readonly #folder: string;
  readonly #binary: Buffer;
  /** The process group of the tests that run. */
  #running: number | undefined;

  /** `root`: of the workspace, which is built. */
  constructor(root: string) {
    this.#folder = mkdtempSync(join(tmpdir(), "sqlite-aio-mutants-"));
    for (const part of PARTS) {
      cpSync(join(root, part), join(this.#folder, part), {
        recursive: true,
        // The links of pnpm between the packages are relative, and so lead to the copies.
        verbatimSymlinks: true,
        filter: (source) => !LEFT_OUT.has(basename(source)),
      });
    }
    symlinkSync(join(root, "node_modules"), join(this.#folder, "node_modules"));
    // The modules themselves, and not the files that they are bundled into.
    for (const name of ["core", "worker"]) this.#edit(`packages/${name}/package.json`, withModules);
    for (const kind of ["js", "cjs"])
      this.#edit(`packages/worker/dist/sqlite-aio-thread.${kind}`, (code) =>
        code.replace("./entry.cjs", "./entry.js"),
      );
    this.#binary = readFileSync(this.#path(`${NATIVE}/build/sqlite-aio.node`));
  }

  /** The text of a source. */
  source(file: string): string {
    return readFileSync(this.#path(file), "utf8");
  }

  /** Compiles `file` with `text` in its place. Throws if that cannot be done. */
  put(file: string, text: string): void {
    writeFileSync(this.#path(file), text);
    if (file.endsWith(".ts")) this.#strip(file, text);
    else this.#compileNative();
  }

  /** Puts back what {@link put} has changed. */
  restore(file: string, text: string): void {
    writeFileSync(this.#path(file), text);
    if (file.endsWith(".ts")) this.#strip(file, text);
    else this.#writeBinary(this.#binary);
  }

  /** Runs test files until one fails, for `limit` milliseconds at the most; whatever they have started ends with them. */
  async test(files: readonly string[], limit: number): Promise<TestRun> {
    const report = join(this.#folder, "report.json");
    rmSync(report, { force: true });
    const vitest = join(this.#folder, "node_modules", "vitest", "vitest.mjs");
    const args = ["run", "--bail", "1", "--reporter=json", `--outputFile=${report}`, ...files];
    const began = performance.now();
    const child = spawn(process.execPath, [vitest, ...args], {
      cwd: this.#folder,
      detached: true,
      stdio: "ignore",
    });
    this.#running = child.pid;
    const { promise, resolve } = Promise.withResolvers<number | null>();
    child.once("exit", resolve);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      endGroup(child.pid);
    }, limit);
    const status = await promise;
    clearTimeout(timer);
    endGroup(child.pid);
    this.#running = undefined;
    const ms = performance.now() - began;
    if (late) return { passed: false, told: "it took too long", ms };
    return { passed: status === 0, told: status === 0 ? "" : firstFailure(report), ms };
  }

  /** Ends what runs, and removes the copy. */
  remove(): void {
    endGroup(this.#running);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #path(file: string): string {
    return join(this.#folder, file);
  }

  #edit(file: string, change: (text: string) => string): void {
    const before = this.source(file);
    const after = change(before);
    // A mutant that is not loaded survives.
    if (after === before) throw new Error(`${file} is not as it was, and nothing in it is to be changed`);
    writeFileSync(this.#path(file), after);
  }

  /** `src` and `dist` have the same folders, and what is not a type stays as it is. */
  #strip(file: string, text: string): void {
    const built = file.replace("/src/", "/dist/").replace(/\.ts$/, ".js");
    writeFileSync(this.#path(built), stripTypeScriptTypes(text));
  }

  #compileNative(): void {
    const program = `const { compileForHost, hostBinary, hostCompiler } = await import("./scripts/compile.mjs");
      compileForHost(hostCompiler(), ["-O0", "-Wno-error"], hostBinary);`;
    execFileSync(process.execPath, ["--input-type=module", "-e", program], {
      cwd: this.#path(NATIVE),
      stdio: ["ignore", "ignore", "pipe"],
    });
  }

  /** Under a new name first: what is mapped into a process must not change under it. */
  #writeBinary(bytes: Buffer): void {
    const file = this.#path(`${NATIVE}/build/sqlite-aio.node`);
    rmSync(file);
    writeFileSync(file, bytes);
  }
}

/** Changes a package.json so that every import gets the modules that are meant for bundlers. */
function withModules(text: string): string {
  const json = JSON.parse(text) as { exports: Record<string, { module?: unknown } | string> };
  for (const [name, conditions] of Object.entries(json.exports))
    if (typeof conditions === "object" && conditions.module !== undefined)
      json.exports[name] = conditions.module as { module?: unknown };
  return JSON.stringify(json);
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // All have ended.
  }
}

function firstFailure(report: string): string {
  let json: string;
  try {
    json = readFileSync(report, "utf8");
  } catch {
    return "the tests could not be run";
  }
  const { testResults } = JSON.parse(json) as {
    testResults: {
      name: string;
      message: string;
      assertionResults: { status: string; fullName: string }[];
    }[];
  };
  for (const { assertionResults } of testResults) {
    const failed = assertionResults.find(({ status }) => status === "failed");
    if (failed !== undefined) return failed.fullName;
  }
  const broken = testResults.find(({ message }) => message !== "");
  return broken === undefined ? "vitest itself failed" : (broken.message.split("\n")[0] ?? "");
}
