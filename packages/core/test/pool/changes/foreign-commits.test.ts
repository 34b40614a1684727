import { describe, expect, it } from "vitest";
import { ForeignCommits } from "../../../dist/pool/changes/foreign-commits.js";

function of(...members: string[]): ForeignCommits<string> {
  const commits = new ForeignCommits<string>();
  for (const member of members) commits.add(member);
  return commits;
}

/** The observations of each check. The next check decides about them. */
function look(commits: ForeignCommits<string>, a: boolean | null, b: boolean | null): boolean {
  return commits.looked([
    ["a", a],
    ["b", b],
  ]);
}

describe("commits of others", () => {
  it("are told at once where there is one connection, whose own commits it does not see", () => {
    const commits = of("a");
    commits.committed("a");
    expect(commits.looked([["a", false]])).toBe(false);
    expect(commits.looked([["a", true]])).toBe(true);
    expect(commits.looked([["a", null]])).toBe(false);
  });

  it("are what nobody of the pool has committed", () => {
    const commits = of("a", "b");
    expect(look(commits, true, true)).toBe(false);
    expect(look(commits, false, false)).toBe(true);
    expect(look(commits, false, false)).toBe(false);
  });

  it("are not what exactly one other connection of the pool has committed, whenever it says so", () => {
    const commits = of("a", "b");
    commits.committed("a");
    expect(look(commits, false, true)).toBe(false);
    expect(look(commits, false, false)).toBe(false);
    // It says so after b has seen it, and before the next look.
    expect(look(commits, false, true)).toBe(false);
    commits.committed("a");
    expect(look(commits, false, false)).toBe(false);
  });

  it("are what a connection sees after its own commit alone", () => {
    const commits = of("a", "b");
    commits.committed("a");
    expect(look(commits, true, true)).toBe(false);
    // The commit that b sees may be a's; the one that a sees is another connection's.
    expect(look(commits, false, false)).toBe(true);
  });

  it("cannot be told from those of two connections, and count then", () => {
    const commits = of("a", "b");
    commits.committed("a");
    commits.committed("b");
    expect(look(commits, true, true)).toBe(false);
    expect(look(commits, false, false)).toBe(true);
  });

  it("are judged with what was committed before the look before, and not with what is older", () => {
    const commits = of("a", "b");
    commits.committed("a");
    look(commits, false, false);
    expect(look(commits, false, true)).toBe(false);
    expect(look(commits, false, false)).toBe(false);
    expect(look(commits, false, true)).toBe(false);
    expect(look(commits, false, false)).toBe(true);
  });

  it("are not seen by a connection that could not look, or that is gone", () => {
    const commits = of("a", "b");
    expect(look(commits, null, true)).toBe(false);
    commits.delete("b");
    expect(commits.members).toEqual(["a"]);
    expect(look(commits, null, true)).toBe(false);
  });
});
