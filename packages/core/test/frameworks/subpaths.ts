/** What a program answers that queries through the builders: what is built has their entries, and one copy of what they share. */
export const BUILT_QUERIES = { kysely: [{ a: 1 }], drizzle: [{ a: 1 }, { a: 2 }], refused: true };

/** The imports of a module, in both ways. */
export const BUILDER_IMPORTS = `
import { createPool, IntegrityError } from "@sqlite-aio/core";
import { drizzle } from "@sqlite-aio/core/drizzle";
import { SqliteAioDialect } from "@sqlite-aio/core/kysely";
import { integer, sqliteTable } from "drizzle-orm/sqlite-core";
import { Kysely } from "kysely";`;

export const BUILDER_REQUIRES = `
const { createPool, IntegrityError } = require("@sqlite-aio/core");
const { drizzle } = require("@sqlite-aio/core/drizzle");
const { SqliteAioDialect } = require("@sqlite-aio/core/kysely");
const { integer, sqliteTable } = require("drizzle-orm/sqlite-core");
const { Kysely } = require("kysely");`;

/** A function that asks through Kysely and Drizzle. */
export const BUILDER_QUERIES = `
async function builders() {
  const byKysely = new Kysely({ dialect: new SqliteAioDialect({ pool: () => createPool(":memory:") }) });
  await byKysely.schema.createTable("t").addColumn("a", "integer", (column) => column.unique()).execute();
  await byKysely.transaction().execute((trx) => trx.insertInto("t").values({ a: 1 }).execute());
  const again = byKysely.insertInto("t").values({ a: 1 }).execute();
  const refused = await again.then(() => false, (error) => error instanceof IntegrityError);
  const kysely = await byKysely.selectFrom("t").selectAll().execute();
  await byKysely.destroy();

  const pool = await createPool(":memory:");
  const t = sqliteTable("t", { a: integer() });
  const byDrizzle = drizzle(pool);
  await pool.exec("CREATE TABLE t (a INTEGER)");
  await byDrizzle.insert(t).values({ a: 1 });
  await byDrizzle.transaction((tx) => tx.insert(t).values({ a: 2 }));
  const found = await byDrizzle.select().from(t);
  await pool.close();
  return { kysely, drizzle: found, refused };
}`;
