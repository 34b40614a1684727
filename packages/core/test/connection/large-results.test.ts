import { expect, it } from "vitest";
import { open, rejection } from "../support/database.ts";

const ROWS = 5_000;
/** Every kind of column that a packet has, and texts that need two bytes a character in some packets. */
const SQL = `WITH RECURSIVE number(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM number LIMIT ${ROWS})
  SELECT value AS id, value / 4.0 AS part, 'text ' || value AS text, iif(value % 700 = 0, 'ř' || value, NULL) AS wide,
  CAST('blob ' || value AS BLOB) AS bytes, 4611686018427387904 + value AS large, ? AS tag
  FROM number`;

function row(id: number, tag: string): unknown[] {
  const wide = id % 700 === 0 ? `ř${id}` : null;
  return [id, id / 4, `text ${id}`, wide, Buffer.from(`blob ${id}`), 2n ** 62n + BigInt(id), tag];
}

function rows(tag: string): unknown[][] {
  return Array.from({ length: ROWS }, (_, at) => row(at + 1, tag));
}

it("large results that are asked for together each have their own rows, and keep them", async () => {
  const db = await open(":memory:");
  const tags = Array.from({ length: 8 }, (_, at) => `number ${at}`);
  const results = await Promise.all(tags.map((tag) => db.executeFetchall(SQL, [tag])));
  // Later results are packed in the same memory.
  await db.executeFetchall(SQL, ["later"]);
  results.forEach((result, at) => expect(result).toEqual(rows(tags[at]!)));
});

it("cursors that are read by turns, in chunks that come in one reply, each have their own rows", async () => {
  const db = await open(":memory:", { iterChunkSize: 300 });
  const tags = Array.from({ length: 7 }, (_, at) => `number ${at}`);
  const cursors = await Promise.all(tags.map((tag) => db.execute(SQL, [tag])));
  const seen = tags.map((): unknown[][] => []);
  for (let left = true; left; ) {
    const chunks = await Promise.all(cursors.map((cursor) => cursor.fetchmany<unknown[]>(450)));
    chunks.forEach((chunk, at) => seen[at]!.push(...chunk));
    left = chunks.some((chunk) => chunk.length > 0);
  }
  seen.forEach((result, at) => expect(result).toEqual(rows(tags[at]!)));
});

it("reads that are given up in the midst of their rows leave nothing taken, and the next read is whole", async () => {
  const db = await open(":memory:");
  for (let at = 0; at < 20; at++) {
    const controller = new AbortController();
    const given = db.executeFetchall(SQL, [`given up ${at}`], { signal: controller.signal });
    const cursor = await db.execute(SQL, ["left"]);
    await cursor.fetchmany(at * 40);
    controller.abort();
    await cursor.close();
    await given.catch((error: unknown) => expect(error).toBe(controller.signal.reason));
  }
  expect(await db.executeFetchall(SQL, ["whole"])).toEqual(rows("whole"));
});

it("rows behind which a step fails are not kept, and their memory is used again", async () => {
  const db = await open(":memory:");
  const failing = `${SQL} UNION ALL SELECT abs(-9223372036854775807 - 1), 0, '', NULL, x'', 0, ''`;
  for (let at = 0; at < 10; at++)
    expect(await rejection(db.executeFetchall(failing, ["fails"]))).toMatchObject({ code: "SQLITE_ERROR" });
  expect(await db.executeFetchall(SQL, ["whole"])).toEqual(rows("whole"));
});
