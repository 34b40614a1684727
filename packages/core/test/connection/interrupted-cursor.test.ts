import type { Cursor } from "@sqlite-aio/core";
import { expect, it } from "vitest";
import { open, rejection } from "../support/database.ts";

async function each(cursor: Cursor, seen: unknown[]): Promise<void> {
  for await (const [row] of cursor) seen.push(row);
}

async function many(cursor: Cursor, seen: unknown[]): Promise<void> {
  for (;;) {
    const rows = await cursor.fetchmany<[number]>(3);
    if (rows.length === 0) return;
    seen.push(...rows.flat());
  }
}

async function one(cursor: Cursor, seen: unknown[]): Promise<void> {
  for (let row = await cursor.fetchone(); row !== null; row = await cursor.fetchone()) seen.push(row[0]);
}

async function all(cursor: Cursor, seen: unknown[]): Promise<void> {
  seen.push(...(await cursor.fetchall<[number]>()).flat());
}

it.each(Object.entries({ each, many, one, all }))(
  "rows that interrupt() has cut off are an error and not the end, read by %s",
  async (_, read) => {
    const db = await open(":memory:", { iterChunkSize: 2 });
    // Before its first row is read, when no other chunk is asked for; and after some.
    for (const before of [0, 1, 2, 3]) {
      const cursor = await db.execute("SELECT value FROM json_each('[1, 2, 3, 4, 5, 6, 7, 8, 9]')");
      for (let i = 0; i < before; i++) await cursor.fetchone();
      await db.interrupt();
      const seen: unknown[] = [];
      expect(await rejection(read(cursor, seen)), `after ${before}`).toMatchObject({
        code: "SQLITE_INTERRUPT",
      });
      expect(seen.length).toBeLessThan(9 - before);
    }
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  },
);
