import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, inject, it } from "vitest";

const project = inject("project");
const run = promisify(execFile);

/** What a program says that was written for sqlite3. */
async function said(program: string): Promise<unknown> {
  const files = [join(project, "programs/run.cjs"), join(project, "programs", `${program}.cjs`)];
  const { stdout } = await run(process.execPath, files, { cwd: join(project, "work"), timeout: 50_000 });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as unknown;
}

describe("who asks for sqlite3 works with this package in its place:", () => {
  it("TypeORM 0.3", async () => {
    expect(await said("typeorm")).toEqual({
      found: [true, true, { pen: "Boz" }, ["Bleak House", "Hard Times"]],
      duplicate: ["QueryFailedError", "SQLITE_CONSTRAINT", 19],
      rolledBack: "changed my mind",
      alive: true,
      counted: [{ name: "Dickens", n: 2 }],
      cascaded: 0,
    });
  });

  it("Sequelize 6", async () => {
    expect(await said("sequelize")).toEqual({
      found: [1, true, "face", { dark: true }, 1],
      duplicate: ["SequelizeUniqueConstraintError", "SQLITE_CONSTRAINT"],
      rolledBack: "changed my mind",
      balances: [10, 7, 7],
      ids: [1, 2, 3],
      increased: 2,
      indexes: [true],
    });
  });

  it("Knex with its own client", async () => {
    expect(await said("knex")).toEqual({
      inserted: [1],
      returned: [
        { id: 2, name: "Bob" },
        { id: 3, name: "Cid" },
      ],
      updated: 2,
      rows: [
        { name: "Ann", age: 42 },
        { name: "Bob", age: null },
        { name: "Cid", age: 6 },
      ],
      duplicate: ["SQLITE_CONSTRAINT", 19],
      rolledBack: "changed my mind",
      streamed: ["Ann", "Bob", "Cid"],
      columns: ["id", "name"],
    });
  });

  it("sqlite", async () => {
    expect(await said("sqlite")).toEqual({
      ran: [2, 2],
      got: [
        { a: "y" },
        [
          { id: 1, a: "x" },
          { id: 2, a: "y" },
        ],
      ],
      count: 2,
      rows: ["x", "y"],
      steps: [{ a: "x" }, { a: "y" }, null],
      error: ["SQLITE_CONSTRAINT: UNIQUE constraint failed: t.id", 19],
      nothing: null,
    });
  });

  it("connect-sqlite3", async () => {
    expect(await said("connect-sqlite3")).toEqual({ got: "Ann", length: 2, gone: null, left: 0 });
  });

  it("keyv", async () => {
    expect(await said("keyv")).toEqual({
      got: [{ deep: [1, 2] }, "text", null],
      many: [{ deep: [1, 2] }, "text"],
      deleted: [true, false],
      cleared: null,
    });
  });

  it("promised-sqlite3", async () => {
    expect(await said("promised-sqlite3")).toEqual({
      ran: [1, 1],
      all: [{ a: 5 }],
      got: { b: 6 },
      each: 1,
      error: "SQLITE_ERROR",
    });
  });

  it("MikroORM 6", async () => {
    expect(await said("mikro-orm")).toEqual({
      found: [true, ["a", "b"]],
      duplicate: "UniqueConstraintViolationException",
      rolledBack: "changed my mind",
      count: 1,
    });
  });
});
