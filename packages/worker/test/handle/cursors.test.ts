import { describe, expect, it } from "vitest";
import { arraySource, ThreadCursor } from "../../dist/handle/cursors/cursors.js";
import type { ReplyWriter } from "../../dist/handle/reply-writer.js";

const never = (): boolean => false;

/** Rows of one text each, and the cursor over them. */
function cursorOver(rows: number, length: number): { cursor: ThreadCursor; texts: string[][] } {
  const texts = Array.from({ length: rows }, (_, i) => [String(i % 10).repeat(length)]);
  return { cursor: new ThreadCursor(arraySource(texts.slice()), 1, 0), texts };
}

/** The rows of each answer, until there are no more. */
function answers(cursor: ThreadCursor, limit = -1): unknown[][] {
  const given: unknown[][] = [];
  const out = { rows: (rows: unknown[]) => void given.push(rows) } as unknown as ReplyWriter;
  while (!cursor.done) cursor.answer(out, limit, 1, never);
  return given;
}

describe("the answers of a cursor", () => {
  it("hold 256 KB at the most, and one row more", () => {
    const { cursor, texts } = cursorOver(10, 100_000);
    const given = answers(cursor);
    expect(given.map((rows) => rows.length)).toEqual([3, 3, 3, 1]);
    expect(given.flat()).toEqual(texts);
  });

  it.each([-1, 4000])("hold 2,048 rows at the most, where %i are asked for", (limit) => {
    const { cursor, texts } = cursorOver(5000, 1);
    const given = answers(cursor, limit);
    expect(given.map((rows) => rows.length)).toEqual([2048, 2048, 904]);
    expect(given.flat()).toEqual(texts);
  });
});

describe("the rest of a cursor", () => {
  it("is read into memory up to a bound, and the cursor goes on behind that", () => {
    const { cursor, texts } = cursorOver(1000, 1000);
    expect(cursor.readRest(10_000)).toBe(false);
    expect(answers(cursor).flat()).toEqual(texts);
  });

  it("is in memory where it is small", () => {
    const { cursor, texts } = cursorOver(5, 1000);
    expect(cursor.readRest(10_000)).toBe(true);
    expect(answers(cursor).flat()).toEqual(texts);
  });
});
