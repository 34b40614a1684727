import { execFile, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { threadFlags } from "../../dist/thread/process-flags.js";
import { endsWithTest } from "../support/child.ts";
import { temporaryFolder } from "../support/database.ts";

const core = JSON.stringify(new URL("../../dist/index.js", import.meta.url).href);
const here = fileURLToPath(new URL(".", import.meta.url));
const program = `import { connect } from ${core};
const db = await connect(":memory:");
console.log(JSON.stringify(await db.executeFetchall("SELECT 1")));
await db.close();`;

describe("the flags of a thread", () => {
  it.each([
    [["--input-type=module", "-e", "--import"], "", []],
    [["--input-type", "module", "--expose-gc", "--max-old-space-size=99"], "", []],
    [
      ["--import", "tsx", "--require", "./start.cjs", "-r", "dotenv/config"],
      "",
      ["--import", "tsx", "-r", "dotenv/config"],
    ],
    [["--import=file:///a/node_modules/tsx/x.mjs"], "", ["--import=file:///a/node_modules/tsx/x.mjs"]],
    [
      ["--import=file:///a/start.mjs", "--import", "/a/start.mjs", "--import", "data:text/javascript,1"],
      "",
      [],
    ],
    [["--conditions", "development", "-C", "x"], "", ["--conditions", "development", "-C", "x"]],
    [
      ["--inspect", "--no-warnings"],
      "--require /a/.pnp.cjs --title=x",
      ["--require", "/a/.pnp.cjs", "--no-warnings"],
    ],
    [
      [],
      '--require "/a b/node_modules/p/x.js" --import "./q \\"r.mjs"',
      ["--require", "/a b/node_modules/p/x.js"],
    ],
    [["--enable_source_maps"], "", ["--enable_source_maps"]],
  ])("of %j and NODE_OPTIONS %j are %j", (execArgv, NODE_OPTIONS, kept) => {
    const flags = threadFlags({ execArgv, env: { NODE_OPTIONS, A: "1" } }, false);
    expect(flags).toEqual({ execArgv: kept, env: { A: "1" } });
  });

  it("have nothing that runs before the program in a thread that one of ours starts", () => {
    const flags = threadFlags({ execArgv: ["--import", "tsx", "--no-warnings"], env: {} }, true);
    expect(flags.execArgv).toEqual(["--no-warnings"]);
  });
});

describe("a database opens", () => {
  it("in a program that is given as text", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
      cwd: here,
    });
    expect(stdout).toBe("[[1]]\n");
  });

  it("in a program that is read from the standard input, with flags that threads cannot have", async () => {
    const child = spawn(process.execPath, ["--input-type=module", "--expose-gc", "-"], {
      cwd: here,
      env: { ...process.env, NODE_OPTIONS: "--max-old-space-size=500 --no-warnings" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    endsWithTest(child);
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stdin.end(program);
    await new Promise((resolve) => child.on("close", resolve));
    expect(stdout).toBe("[[1]]\n");
  });

  it.each(["flag", "NODE_OPTIONS"])(
    "once in a file that --import names by a %s, not in each thread again",
    async (how) => {
      const folder = await temporaryFolder();
      const start = join(folder, "start.mjs");
      writeFileSync(start, program);
      writeFileSync(join(folder, "main.mjs"), 'console.log("main");');
      // On Windows a path would begin with the protocol C:.
      const option = `--import=${pathToFileURL(start).href}`;
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [...(how === "flag" ? [option] : []), join(folder, "main.mjs")],
        { env: { ...process.env, ...(how === "flag" ? {} : { NODE_OPTIONS: option }) } },
      );
      expect(stdout).toBe("[[1]]\nmain\n");
    },
  );

  it("in a package that --require names, which threads run too, but not those that such a thread starts", async () => {
    const folder = await temporaryFolder();
    const home = join(folder, "node_modules", "spool");
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "index.mjs"), program.replace("JSON.stringify", '"spool " + JSON.stringify'));
    writeFileSync(join(home, "package.json"), '{"name":"spool","version":"1.0.0","exports":"./index.mjs"}');
    writeFileSync(join(folder, "main.mjs"), 'console.log("main");');
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "spool", "main.mjs"], {
      cwd: folder,
    });
    expect(stdout.split("\n").filter((line) => line === "spool [[1]]").length).toBeLessThanOrEqual(2);
    expect(stdout).toContain("main");
  });
});
