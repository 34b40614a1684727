import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { createPool } from "@sqlite-aio/core";
import { expect, inject, it } from "vitest";

const run = promisify(execFile);
const place = inject("place");
const PRISMA = join(place, "node_modules/prisma/build/index.js");

/** What one of the programs says in the project that the packages are installed in. */
async function said(program: string): Promise<unknown> {
  const { stdout } = await run(process.execPath, [`${program}.mjs`], {
    cwd: place,
    env: { ...process.env, NODE_ENV: "production" },
    timeout: 50_000 * Number(process.env["SQLITE_AIO_TIME_FACTOR"] ?? 1),
    killSignal: "SIGKILL",
  });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as unknown;
}

it("MikroORM 7 takes the dialect for Kysely, and is refused what would lose rows", async () => {
  expect(await said("mikro-orm")).toEqual({
    undone: "undone",
    found: [
      ["Ada", ["Notes"]],
      ["Alan", []],
    ],
    unique: true,
    count: 22,
    refused: "SQLITE_MISUSE",
    changed: true,
    books: 1,
  });
});

it("better-auth takes a Kysely instance with the dialect", async () => {
  expect(await said("better-auth")).toEqual({
    session: "Ada",
    twice: "UNPROCESSABLE_ENTITY",
    wrong: "UNAUTHORIZED",
    after: null,
    users: 1,
  });
});

it("Auth.js takes its adapter for Drizzle over the driver, and a token is used once by two at a time", async () => {
  expect(await said("auth-js")).toEqual({ session: "Ada", found: "Ada", used: 1, left: 0 });
});

it("Objection takes the client for Knex", async () => {
  const pet = (id: number, name: string) => ({ id, name, owner: 1 });
  expect(await said("objection")).toEqual({
    undone: "undone",
    people: [{ id: 1, name: "Ada", pets: [pet(1, "Rex"), pet(2, "Tom")] }],
    unique: "SQLITE_CONSTRAINT_UNIQUE",
    pets: [{ name: "Max" }],
  });
});

it("connect-session-knex takes the client for Knex", async () => {
  expect(await said("connect-session-knex")).toEqual({ visits: [1, 2, 3], kept: 1, left: 0 });
});

it("NestJS has a pool as a provider, and closes it with the application", async () => {
  expect(await said("nestjs")).toEqual({
    added: { changes: 1, lastInsertRowid: 1 },
    notes: [{ text: "hello" }],
    closed: "Pool closed",
  });
});

it("Prisma 7 takes the adapter, and tells the application what went wrong by its own codes", async () => {
  expect(await said("prisma")).toEqual({
    values: [true, [1, 2], "2026-01-31T12:00:00.123Z", { a: [1, null] }, false, "2.5", 4.5],
    queries: {
      include: [
        { id: 1, title: "one", authorId: 1, tags: [{ name: "x" }] },
        { id: 2, title: "two", authorId: 1, tags: [] },
      ],
      some: 1,
      groups: ["0", "1", "2"].map((name) => ({ _count: 100, name })),
      average: [148.5],
      in: 301,
      upsert: "Ada",
      deleted: 100,
    },
    errors: {
      unique: ["P2002", "email"],
      foreignKey: ["P2003"],
      restrict: ["P2003"],
      null: ["P2011", "email"],
      missing: ["P2025"],
      raw: ["P2010"],
      pragma: ["P2010"],
      isolation: ["P2023"],
      table: ["P2021"],
      column: ["P2022"],
    },
    transactions: {
      inside: [1, 0],
      undone: ["P2002", "email"],
      late: ["P2028"],
      waited: ["P2028"],
      reads: 1,
      batch: [0, 2],
      after: 1,
    },
    raw: {
      declared: [
        1,
        "4611686018427387904",
        [1, 2],
        "2026-01-31T12:00:00.123Z",
        { a: [1, null] },
        "2.5",
        4.5,
        false,
      ],
      expressions: ["2n", 3.5, [1, 2]],
      changed: 2,
    },
    disconnected: 1,
    pool: ["P2024"],
    busy: ["P1008"],
    twice: [2, 2],
  });
});

it("docs/prisma.md has a schema that Prisma takes, and programs that run as they are written", async () => {
  const text = await readFile(new URL("../../../../docs/prisma.md", import.meta.url), "utf8");
  const blocks = [...text.matchAll(/^```(mts|prisma)\n(.*?)^```$/gms)];
  const [schema, ...programs] = blocks.map(([, , block]) => block!);
  const folder = join(place, "prisma-document");
  await mkdir(folder);
  await writeFile(join(folder, "schema.prisma"), schema!);
  await run(process.execPath, [PRISMA, "generate", "--schema", "schema.prisma"], {
    cwd: folder,
    // Only `migrate` would use the schema engine, which is a binary that is fetched.
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: "1" },
  });
  await using pool = await createPool(join(folder, "app.db"));
  await pool.exec(`
    CREATE TABLE User (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE);
    CREATE TABLE Post (
      id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, authorId INTEGER NOT NULL REFERENCES User (id)
    );
  `);
  const printed: string[] = [];
  for (const [index, program] of programs.entries()) {
    await writeFile(join(folder, `${index}.mts`), program);
    const { stdout, stderr } = await run(process.execPath, [`${index}.mts`], { cwd: folder });
    expect(stderr).toBe("");
    printed.push(stdout);
  }
  expect(printed).toEqual([
    expect.stringMatching(/title: 'Notes',\s+authorId: 1,\s+author: \{ id: 1, email: 'ada@example.org' \}/),
    "{ title: 'On numbers' }\nP2002\n",
  ]);
});
