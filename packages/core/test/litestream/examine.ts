import { createPool } from "@sqlite-aio/core";
import type { Journal } from "./journal.ts";
import { amountOf, isBooking, textOf } from "./load.ts";

/** What a database holds, beside what was written. */
export interface Findings {
  /** What `PRAGMA integrity_check` answers. */
  readonly integrity: unknown;
  /** Numbers of the writes that are there, whole. */
  readonly present: ReadonlySet<number>;
  /** Rows that no writer has written, or halves of a transaction. */
  readonly strange: readonly unknown[];
  /** Numbers of acknowledged writes that are missing. */
  readonly missing: readonly number[];
  /** Those missing writes that were acknowledged before a write began that is there. */
  readonly gaps: readonly number[];
}

/** Reads a database that is not in use, and compares it with the journal of its writers. */
export async function examine(path: string, journal: Journal, life: string): Promise<Findings> {
  await using pool = await createPool(path);
  const integrity = (await pool.get<{ integrity_check: unknown }>("PRAGMA integrity_check"))?.integrity_check;
  const entries = await pool.all<{ id: number; text: string }>("SELECT id, text FROM entry");
  const bookings = await pool.all<{ id: number; sides: number; least: number; total: number }>(
    "SELECT id, count(*) AS sides, min(amount) AS least, sum(amount) AS total FROM booking GROUP BY id",
  );
  const strange = [
    ...entries.filter(({ id, text }) => !journal.begun.has(id) || isBooking(id) || text !== textOf(life, id)),
    ...bookings.filter(
      ({ id, sides, least, total }) =>
        !journal.begun.has(id) || !isBooking(id) || sides !== 2 || total !== 0 || least !== 0 - amountOf(id),
    ),
  ];
  const present = new Set([...entries, ...bookings].map(({ id }) => id));
  const latest = Math.max(...[...present].map((id) => journal.begun.get(id) ?? 0));
  const missing = [...journal.done.keys()].filter((id) => !present.has(id));
  const gaps = missing.filter((id) => (journal.done.get(id)?.line ?? 0) < latest);
  return { integrity, present, strange, missing, gaps };
}
