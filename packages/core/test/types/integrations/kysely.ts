// Compiled by the compilers of declarations.test.ts and never run.
import type { Pool } from "@sqlite-aio/core";
import { SqliteAioDialect } from "@sqlite-aio/core/kysely";
import { Kysely } from "kysely";

interface Tables {
  person: { name: string };
}

export async function names(pool: Pool): Promise<string[]> {
  const db = new Kysely<Tables>({ dialect: new SqliteAioDialect({ pool }) });
  const rows = await db.selectFrom("person").select("name").execute();
  return rows.map(({ name }) => name);
}

// @ts-expect-error a path is no pool
export const wrong = new SqliteAioDialect({ pool: "people.db" });
