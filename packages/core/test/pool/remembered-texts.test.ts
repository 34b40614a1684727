import { describe, expect, it } from "vitest";
import { StatementProfiles } from "../../dist/pool/statement-profile.js";
import { StatementCache } from "../../dist/thread/statement-cache.js";

const MB = 2 ** 20;
const large = (i: number): string => `SELECT ${i} /* ${"x".repeat(MB)} */`;

describe("the texts that a pool remembers", () => {
  it("are as many as it may when they are short", () => {
    const profiles = new StatementProfiles(100);
    const first = profiles.get("SELECT 0");
    for (let i = 1; i < 100; i++) profiles.get(`SELECT ${i}`);
    expect(profiles.get("SELECT 0")).toBe(first);
  });

  it("are few when they are large, and what is used again stays", () => {
    const profiles = new StatementProfiles(2000);
    const used = profiles.get("SELECT a");
    const first = profiles.get(large(0));
    for (let i = 1; i < 20; i++) {
      profiles.get(large(i));
      expect(profiles.get("SELECT a")).toBe(used);
    }
    expect(profiles.get(large(0))).not.toBe(first);
  });
});

describe("the statements that a connection remembers", () => {
  it("are few when they are large, and the thread is told to forget the others", () => {
    const cache = new StatementCache(128);
    const used = cache.get("SELECT a");
    const sent = (i: number) => {
      const statement = cache.get(large(i));
      statement.defined = true;
      return statement;
    };
    const first = sent(0);
    for (let i = 1; i < 20; i++) {
      sent(i);
      expect(cache.get("SELECT a")).toBe(used);
    }
    expect(first.evicted).toBe(true);
    expect(cache.get(large(0))).not.toBe(first);
    const forgotten = cache.takeForgotten();
    expect(forgotten).toContain(first.id);
    expect(forgotten).not.toContain(used.id);
    expect(forgotten.length).toBeGreaterThanOrEqual(16);
  });

  it("take one that is larger than all may be together", () => {
    const cache = new StatementCache(128);
    const huge = `SELECT 1 /* ${"x".repeat(5 * MB)} */`;
    expect(cache.get(huge)).toBe(cache.get(huge));
  });
});
