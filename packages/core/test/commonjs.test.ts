import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as imported from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";

const require = createRequire(import.meta.url);

describe("require()", () => {
  it("gives the same objects as import", () => {
    const required = require("@sqlite-aio/core") as Record<string, unknown>;
    const names = Object.keys(imported).filter((name) => name !== "default");
    expect(names.length).toBeGreaterThan(40);
    for (const name of names) expect(required[name], name).toBe(Reflect.get(imported, name));
  });

  it.each(["diagnostics", "electron", "electron/preload", "knex", "kysely", "prisma", "typeorm"])(
    "gives the same objects of %s",
    async (subpath) => {
      const specifier = `@sqlite-aio/core/${subpath}`;
      const required = require(specifier) as Record<string, unknown>;
      const namespace = (await import(specifier)) as Record<string, unknown>;
      expect(Object.keys(namespace).length).toBeGreaterThan(0);
      for (const [name, value] of Object.entries(namespace)) expect(required[name], name).toBe(value);
    },
  );

  it("gives Drizzle's classes for CommonJS to CommonJS, and the errors of everybody else", async () => {
    const { stdout, stderr } = await run("drizzle-commonjs.cjs");
    expect([stdout, stderr]).toEqual(["true true\n", ""]);
  });
});

describe("import", () => {
  it("follows the version of SQLite that an engine brings", async () => {
    const { stdout } = await run("sqlite-version.mjs");
    expect(stdout).toBe("false true true\n");
  });

  it("of the Kysely dialect can come before the import of Kysely, which is an ES module", async () => {
    const { stdout, stderr } = await run("kysely-later.mjs");
    expect([stdout, stderr]).toEqual(["function function\n", ""]);
    // Node 22.14 needs this; newer versions take any order.
    const entry = fileURLToPath(import.meta.resolve("@sqlite-aio/core/kysely"));
    expect(await readFile(entry, "utf8")).toMatch(/^import "kysely";\n/);
  });
});

function run(fixture: string): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(process.execPath, [
    fileURLToPath(new URL(`fixtures/${fixture}`, import.meta.url)),
  ]);
}
