import { describe, expect, it } from "vitest";
import { type CachedStatement, StatementCache } from "../../dist/thread/statement-cache.js";

const MB = 2 ** 20;
const large = (i: number): string => `SELECT ${i} /* ${"x".repeat(MB)} */`;

/** A statement whose text the thread was told. */
function told(cache: StatementCache, sql: string): CachedStatement {
  const statement = cache.get(sql);
  statement.defined = true;
  return statement;
}

describe("the statements of a connection", () => {
  it("are those that were used last", () => {
    const cache = new StatementCache(4);
    const [a, b, c, d] = ["a", "b", "c", "d"].map((sql) => told(cache, sql)) as [
      CachedStatement,
      CachedStatement,
      CachedStatement,
      CachedStatement,
    ];
    cache.get("a");
    told(cache, "e");
    expect([a, b, c, d].map(({ evicted }) => evicted)).toEqual([false, true, false, false]);
  });

  it("are as many as there may be, and the thread is told once to forget the others", () => {
    const cache = new StatementCache(4);
    const all = Array.from({ length: 10 }, (_, i) => told(cache, `SELECT ${i}`));
    expect(all.filter(({ evicted }) => evicted)).toEqual(all.slice(0, 6));
    expect(cache.takeForgotten()).toEqual(all.slice(0, 6).map(({ id }) => id));
    expect(cache.takeForgotten()).toEqual([]);
    expect(all.map(({ id }) => cache.byId(id) !== undefined)).toEqual(all.map((_, i) => i >= 6));
  });

  it("are few when they are long, and those that are gone take no room", () => {
    const cache = new StatementCache(100);
    const long = Array.from({ length: 10 }, (_, i) => told(cache, large(i)));
    expect(long.filter(({ evicted }) => evicted).length).toBeGreaterThanOrEqual(6);
    const short = Array.from({ length: 20 }, (_, i) => told(cache, `SELECT ${i}`));
    expect(short.every(({ evicted }) => !evicted)).toBe(true);
  });

  it("stay known by their number until the last call that uses them is over", () => {
    const cache = new StatementCache(1);
    const used = told(cache, "SELECT 1");
    cache.sent(used);
    cache.sent(used);
    told(cache, "SELECT 2");
    expect(used.evicted).toBe(true);
    cache.settled(used);
    expect(cache.byId(used.id)).toBe(used);
    expect(cache.takeForgotten()).toEqual([]);
    cache.settled(used);
    expect(cache.byId(used.id)).toBeUndefined();
    expect(cache.takeForgotten()).toEqual([used.id]);
  });
});
