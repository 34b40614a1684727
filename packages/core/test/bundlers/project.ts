import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { inject } from "vitest";

const run = promisify(execFile);

/** No process may outlive the suite. */
const LIMITS = { timeout: 50_000, killSignal: "SIGKILL" } as const;
/** The folder for everything temporary. */
export const workshop = inject("workshop");

/** The folder with the packages and the bundlers. */
export const tools = join(workshop, "tools");

/** The output of a program that works. */
export const works = {
  ok: true,
  sum: 2,
  rows: 2,
  big: "1152921504606846976",
  upper: "CLOSURE",
  stopped: true,
};

/** The output of a program that was bundled without the thread's file. */
export const missing = {
  ok: false,
  name: "OperationalError",
  code: "SQLITE_AIO_ENTRY_MISSING",
  fix: true,
};

/** Uses a connection, a pool, a closure that SQL calls, and an interrupt, and prints the results. */
const EXERCISE = `
import { capabilities, connect, createPool } from "@sqlite-aio/core";

export async function exercise(options) {
  const said = {};
  try {
    const db = await connect(":memory:", options);
    said.sum = (await db.executeFetchall("SELECT 1 + 1"))[0][0];
    await db.createFunction("upper_js", 1, (text) => text.toUpperCase());
    said.upper = (await db.executeFetchall("SELECT upper_js('closure')"))[0][0];
    const long = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 30000000) SELECT count(*) FROM c";
    const stopped = await db.executeFetchall(long, [], { timeout: 50 }).catch((error) => error.code);
    // Only with the companion in both the program and the thread is the connection free again at once.
    const since = performance.now();
    await db.executeFetchall("SELECT 1");
    said.stopped = capabilities.interrupt && stopped === "SQLITE_INTERRUPT" && performance.now() - since < 500;
    await db.close();
    const pool = await createPool("app.db", { readers: 1, ...options });
    await pool.exec("CREATE TABLE IF NOT EXISTS t (a); DELETE FROM t; INSERT INTO t VALUES (1), (1152921504606846976)");
    const rows = await pool.all("SELECT a FROM t ORDER BY a");
    said.rows = rows.length;
    said.big = String(rows[1].a);
    await pool.close();
    console.log(JSON.stringify({ ok: true, ...said }));
  } catch (error) {
    const fix = /mark @sqlite-aio\\/core external, or pass createWorker/.test(error.message);
    console.log(JSON.stringify({ ok: false, name: error.name, code: error.code, fix, message: error.message }));
    process.exit(0);
  }
}
`;

/** Starts the thread from the named file beside the program. */
export const BESIDE = (file: string, here = "import.meta.dirname"): string => `
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { exercise } from "./exercise.js";
exercise({ createWorker: (url, options) => new Worker(join(${here}, "${file}"), options) });
`;

/** Leaves the thread's file to the library. */
export const PLAIN = 'import { exercise } from "./exercise.js";\nexercise();\n';

/** The thread's file, for copying beside a program. */
export const entryCjs = join(tools, "node_modules/@sqlite-aio/worker/dist/entry.cjs");

/** A project among the tools, made of these files. */
export async function makeProject(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tools, "project-"));
  const all: Record<string, string> = { "exercise.js": EXERCISE, ...files };
  for (const [name, text] of Object.entries(all)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

/** Runs a tool of `tools`, or Node, in a project, and returns its output. */
export async function tool(folder: string, name: string, ...args: string[]): Promise<string> {
  const bin = name === "node" ? process.execPath : join(tools, "node_modules/.bin", name);
  const env = { ...process.env, CI: "1", NO_COLOR: "1", NODE_ENV: "production" };
  try {
    const { stdout } = await run(bin, args, { cwd: folder, env, ...LIMITS });
    return stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${name} failed:\n${stdout}\n${stderr}`, { cause: error });
  }
}

/** Copies the build to a folder with only some of the packages, and runs it there. */
export async function deploy(
  project: string,
  format: "module" | "commonjs",
  place: "whole" | "bare",
  program = "main.js",
): Promise<unknown> {
  const folder = await mkdtemp(join(workshop, place, "run-"));
  await cp(join(project, "out"), folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: format }));
  return await said(process.execPath, [program], folder);
}

/** The output of a program, as JSON. */
export async function said(command: string, args: readonly string[], cwd: string): Promise<unknown> {
  const { stdout } = await run(command, [...args], { cwd, env: cleanEnvironment(), ...LIMITS });
  const line = stdout.trim().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line) as unknown;
  } catch {
    throw new Error(`not understood:\n${stdout}\nin ${(await readdir(cwd)).join(" ")}`);
  }
}

/** The environment without the variables of vitest and pnpm. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env;
  return { PATH, HOME, TMPDIR };
}
