// Compiled by the compilers of declarations.test.ts and never run.
import type { Pool } from "@sqlite-aio/core";
import { drizzle, migrate } from "@sqlite-aio/core/drizzle";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

const person = sqliteTable("person", { id: integer().primaryKey(), name: text().notNull() });

export async function names(pool: Pool): Promise<string[]> {
  const db = drizzle(pool, { schema: { person } });
  await migrate(db, { migrationsFolder: "./drizzle" });
  const { changes } = await db.insert(person).values({ name: "Ada" });
  const rows = await db.query.person.findMany({ columns: { name: true } });
  return changes === 1 ? rows.map(({ name }) => name) : [];
}

// @ts-expect-error a path is no pool
export const wrong = drizzle("people.db");
