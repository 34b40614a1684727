import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { temporaryFolder } from "../support/database.ts";
import { Server } from "./server.ts";

const root = join(import.meta.dirname, "../../../..");
const page = readFileSync(join(root, "docs/libsql.md"), "utf8");
const [, text = ""] = page.split("## Remote databases and embedded replicas");
const blocks = [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code ?? "");

it("docs/libsql.md's examples run as they are written, one after the other", async () => {
  const server = await Server.start();
  const folder = await temporaryFolder();
  await symlink(join(root, "examples/node_modules"), join(folder, "node_modules"));
  expect(blocks.length).toBeGreaterThan(1);
  const printed: string[] = [];
  for (const [index, code] of blocks.entries()) {
    const file = join(folder, `${index}.mjs`);
    await writeFile(file, code.replaceAll("http://127.0.0.1:8080", server.url));
    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: folder });
    printed.push(stdout.trim());
  }
  expect(printed[0]).toBe("[ { id: 1, text: 'hello' } ]");
});
