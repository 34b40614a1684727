// Compiled by the compilers of declarations.test.ts and never run.
import type { Pool } from "@sqlite-aio/core";
import { knexClient, type KnexPool } from "@sqlite-aio/core/knex";
import knex, { type Knex } from "knex";

export async function names(pool: Pool): Promise<string[]> {
  const db: Knex = knex({ client: knexClient(pool) });
  const rows = await db<{ name: string }>("person").select("name");
  return rows.map(({ name }) => name);
}

export const opening = (open: () => Promise<KnexPool>): typeof Knex.Client => knexClient(open);

// @ts-expect-error a path is no pool
export const wrong = knexClient("people.db");
