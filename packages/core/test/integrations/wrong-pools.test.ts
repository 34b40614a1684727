import { drizzle } from "@sqlite-aio/core/drizzle";
import { knexClient } from "@sqlite-aio/core/knex";
import { SqliteAioDialect } from "@sqlite-aio/core/kysely";
import knex from "knex";
import { Kysely, sql } from "kysely";
import { expect, it } from "vitest";

const wrong = (value: unknown): never => value as never;

it.each([
  ["a name", "app.db"],
  ["options", { filename: "app.db" }],
  ["nothing", undefined],
])("refuses %s instead of a pool", (_, pool) => {
  expect(() => new SqliteAioDialect(wrong({ pool }))).toThrow('option "pool" must be a pool');
  expect(() => knexClient(wrong(pool))).toThrow("the argument must be a pool");
  expect(() => drizzle(wrong(pool))).toThrow("the first argument must be a pool");
});

it("says that a function opened no pool, and closes", async () => {
  const open = wrong(async () => "app.db");
  const db = new Kysely({ dialect: new SqliteAioDialect({ pool: open }) });
  await expect(sql`SELECT 1`.execute(db)).rejects.toThrow("the function that opens the pool must give one");
  await db.destroy();
  const other = knex({ client: knexClient(open) });
  await expect(other.raw("SELECT 1")).rejects.toThrow("the function that opens the pool must give one");
  await other.destroy();
});

it("refuses unknown options of the dialect", () => {
  const pool = wrong(() => null);
  expect(() => new SqliteAioDialect(wrong({ pool, transactionalDDL: true }))).toThrow("unknown option");
  expect(() => new SqliteAioDialect({ pool, transactionalDdl: wrong(1) })).toThrow("must be a boolean");
});
