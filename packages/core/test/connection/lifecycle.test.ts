import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, describe, it } from "vitest";
import { endsWithTest } from "../support/child.ts";
import { openEngine, temporaryPath } from "../support/database.ts";
import { timeFactor } from "../support/time-factor.ts";

const script = fileURLToPath(new URL("../fixtures/lifecycle.mjs", import.meta.url));

interface Result {
  readonly code: number | string | null;
  readonly said: string[];
  readonly stderr: string;
  readonly path: string;
}

/** Runs a scenario of fixtures/lifecycle.mjs in a process of its own. */
async function run(scenario: string, nodeOptions: string[] = [], node = process.execPath): Promise<Result> {
  const path = await temporaryPath();
  return await new Promise((resolve) => {
    const args = [...nodeOptions, script, scenario, path];
    // A process that hangs is killed, and has no exit code. An old Node refuses options that it does not know.
    const settings = { timeout: 15_000 * timeFactor(), env: { ...process.env, NODE_OPTIONS: "" } };
    const child = execFile(node, args, settings, (error, stdout, stderr) => {
      const code = error === null ? 0 : ((error as { code?: number | string }).code ?? null);
      const said = stdout.split("\n").filter((line) => line !== "");
      resolve({ code, said, stderr, path });
    });
    endsWithTest(child);
  });
}

describe("the process", () => {
  it("ends by itself, soon, with idle connections open", async () => {
    const { code, said, stderr, path } = await run("idle");
    expect({ code, said, stderr }).toEqual({ code: 0, said: ["idle"], stderr: "" });
    // Uncommitted rows are not there.
    expect(openEngine(path).prepare("SELECT x FROM t").pluck().all()).toEqual([1]);
  });

  it.each([
    ["query", ["answered 1000000"]],
    ["opening", ["opened"]],
    ["closing", ["closed"]],
    ["many", ["inserted 5000"]],
    ["iteration", ["read 3000"]],
    ["closure", ["defined", "called 5"]],
    ["backup", ["copied"]],
    ["transaction", ["committed"]],
  ])("does not end while there is work in flight: %s", async (scenario, expected) => {
    const { code, said, stderr } = await run(scenario);
    expect({ code, said, stderr }).toEqual({ code: 0, said: expected, stderr: "" });
  });

  it("ends after stop() that is not awaited, when all before it is done", async () => {
    const { code, said, stderr, path } = await run("stop");
    expect({ code, said, stderr }).toEqual({ code: 0, said: ["stopped"], stderr: "" });
    expect(openEngine(path).prepare("SELECT x FROM t").pluck().all()).toEqual([1]);
  });

  it.each(["exitIdle", "exitComputing", "exitWaiting", "exitReading", "exitInClosure"])(
    "that calls process.exit() ends soon, whatever a connection is doing: %s",
    async (scenario) => {
      const { code, said } = await run(scenario);
      expect({ code, said }).toEqual({ code: 7, said: ["exiting"] });
    },
  );

  it("ends when an opening is given up that would never be done", async () => {
    const { code, said, stderr } = await run("abortedOpening");
    expect({ code, said, stderr }).toEqual({ code: 0, said: ["enough"], stderr: "" });
  });

  it("has every call answered when the thread dies, and ends with code 0", async () => {
    const { code, said, stderr } = await run("death");
    expect({ code, said, stderr }).toEqual({
      code: 0,
      said: ["WorkerCrashedError unknown", "WorkerCrashedError not-started", "closed"],
      stderr: "",
    });
  });
});

describe("a forgotten connection", () => {
  it("is warned of, with the place where it was opened, and its thread ends", async () => {
    const { code, said, path } = await run("forgotten", ["--expose-gc", "--no-warnings"]);
    expect(code).toBe(0);
    const [warning, ...rest] = said;
    expect(warning).toMatch(/^ResourceWarning: the connection to .* was not closed/);
    expect(warning).toContain(path);
    expect(rest.join("\n")).toContain("openAndForget");
    expect(rest.join("\n")).toContain("lifecycle.mjs");
    expect(rest.at(-1)).toBe("thread ended");
  });

  it("is warned of also where it had no path, and the program records no stacks", async () => {
    const { code, said } = await run("forgottenTemporary", ["--expose-gc", "--no-warnings"]);
    expect({ code, said }).toEqual({
      code: 0,
      said: [
        "ResourceWarning: the connection to a temporary database was not closed; it was opened here:",
        "thread ended",
      ],
    });
  });

  it("is not one that was closed", async () => {
    const { code, said } = await run("closed", ["--expose-gc"]);
    expect({ code, said }).toEqual({ code: 0, said: ["quiet"] });
  });
});

describe("a runtime that is too old", () => {
  const message =
    /^NotSupportedError: sqlite-aio needs Node-API 10 \(Node 22\.14 or later, Electron 35 or later\); this is Node 20/;

  it("gets a clear error instead of a crash", async () => {
    const pretend = new URL("../fixtures/pretend-old.mjs", import.meta.url).href;
    const { code, said, stderr } = await run("oldNode", ["--import", pretend]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(said.join("\n")).toMatch(message);
  });

  it("gets it on each older Node of this machine", async () => {
    const nodes = (process.env["PATH"] ?? "")
      .split(delimiter)
      .map((folder) => join(folder, process.platform === "win32" ? "node.exe" : "node"))
      .filter((file) => isExecutable(file));
    for (const node of nodes) {
      const napi = await new Promise<number>((resolve) => {
        execFile(node, ["-p", "process.versions.napi"], (_, stdout) => resolve(Number(stdout)));
      });
      const { code, said } = await run("oldNode", [], node);
      expect(code, node).toBe(0);
      expect(said.join("\n"), node).toMatch(
        napi >= 10 ? /^$/ : /^NotSupportedError: sqlite-aio needs Node-API 10/,
      );
    }
    expect(nodes.length).toBeGreaterThan(0);
  });
});

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
