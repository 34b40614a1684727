import { describe, expect, it } from "vitest";
import { isQuick, StatementProfiles } from "../../dist/pool/statement-profile.js";

describe("what a pool knows of a text", () => {
  it.each([
    ["SELECT 1", "plain"],
    ["INSERT INTO t VALUES (1)", "plain"],
    ["-- a note\n/* and one more */ ; BEGIN IMMEDIATE", "control"],
    ["savepoint a", "control"],
    ["release a", "control"],
    ["END", "control"],
    ["ROLLBACK TO a", "control"],
    ["DETACH x", "ATTACH"],
    ["SELECT 'BEGIN'", "plain"],
    ["WITH a AS (SELECT 1) SELECT * FROM a", "plain"],
  ])("%s is %s", (sql, kind) => {
    expect(new StatementProfiles(10).get(sql).kind).toBe(kind);
  });

  it("is not quick before it has run, then as slow as the slowest of late, which is forgotten bit by bit", () => {
    const profiles = new StatementProfiles(10);
    const profile = profiles.get("SELECT 1");
    expect(isQuick(profile.cost)).toBe(false);
    expect(profile.need).toBe("idle");
    profile.spent(0.5);
    expect(profile.cost).toBe(0.5);
    expect(profile.need).toBe("quick");
    profile.spent(10);
    expect(profile.cost).toBe(10);
    expect(isQuick(profile.cost)).toBe(false);
    for (let i = 0; i < 8; i++) profile.spent(0.1);
    expect(profile.cost).toBeCloseTo(10 * 0.8 ** 8, 10);
    expect(isQuick(profile.cost)).toBe(true);
    for (let i = 0; i < 100; i++) profile.spent(0.1);
    expect(profile.cost).toBe(0.1);
  });

  it("is as quick as before after one run that took longer, and not after two", () => {
    const profile = new StatementProfiles(10).get("SELECT 1");
    for (const ms of [0.002, 0.003, 0.002, 0.003]) profile.spent(ms);
    expect(profile.cost).toBeLessThan(0.0031);
    // Calls that were answered together have one average.
    for (let i = 0; i < 32; i++) profile.spent(0.9);
    expect(profile.cost).toBeLessThan(0.0031);
    for (const ms of [0.002, 0.8]) profile.spent(ms);
    expect(profile.cost).toBeGreaterThan(0.5);
    for (let i = 0; i < 40; i++) profile.spent(i % 2 === 0 ? 0.002 : 0.003);
    expect(profile.cost).toBeLessThan(0.0031);
    // It is slow at once if it is too slow to be joined.
    profile.spent(2);
    expect(profile.need).toBe("idle");
  });

  it("is remembered for as many texts as there may be, those used of late the longest", () => {
    const profiles = new StatementProfiles(3);
    profiles.get("SELECT 0").writes = true;
    for (let i = 1; i < 5; i++) {
      profiles.get(`SELECT ${i}`);
      // Looked up in each generation.
      expect(profiles.get("SELECT 0").writes, String(i)).toBe(true);
    }
    for (let i = 10; i < 16; i++) profiles.get(`SELECT ${i}`);
    expect(profiles.get("SELECT 0").writes).toBe(false);
  });

  it("is forgotten by the length of the texts too", () => {
    const profiles = new StatementProfiles(1000);
    profiles.get("SELECT 0").writes = true;
    const long = "x".repeat(1_200_000);
    // Two generations of 2 MB.
    for (let i = 0; i < 4; i++) profiles.get(`SELECT ${i} /* ${long} */`);
    expect(profiles.get("SELECT 0").writes).toBe(false);
  });

  it("is refused for what cannot be a statement", () => {
    const profiles = new StatementProfiles(10);
    expect(() => profiles.get(7 as never)).toThrow(TypeError);
    expect(() => profiles.get("SELECT 1\0")).toThrow(/null character/);
  });
});
