import { readFileSync } from "node:fs";
import { capabilities } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/database.ts";
import { neededLoadingPython, skippedWithoutPython } from "../support/python.ts";
import { timeFactor } from "../support/time-factor.ts";
import { COMPARED } from "./cases/index.ts";
import { ask, documented, knows, recorded, same } from "./compare.ts";
import { perform } from "./program.ts";

const answerOf = recorded();

describe.each(COMPARED)("what CPython does, by $name", (area) => {
  const { name, cases } = area;
  const tried = cases.filter(({ native }) => native !== true || capabilities.functions);

  it.each(tried)("$title", async ({ title, steps, differs }) => {
    const there = answerOf(name, title);
    const here = await perform(steps, await temporaryFolder());
    // A difference that is gone is one that the documents must no longer tell.
    if (differs === undefined)
      expect(here.map((outcome, i) => ({ ...outcome, ...missing(there[i]!) }))).toEqual(there);
    expect(same(there, here)).toBe(differs === undefined);
  });

  it("is what the Python of this machine answers", { timeout: 20_000 * timeFactor() }, () => {
    const { version, answers: given } = skippedWithoutPython(() =>
      ask(area, area.loads === true ? neededLoadingPython() : "python3"),
    );
    const known = cases.flatMap((each, i) => (knows(version, each) ? [[each.title, given[i]] as const] : []));
    expect(known.length).toBeGreaterThan(0);
    for (const [title, given_] of known) expect([title, given_]).toEqual([title, answerOf(name, title)]);
  });
});

/** The code of an error that has none in CPython. */
function missing({ error, code }: { error?: string; code?: string }): object {
  return error !== undefined && code === undefined ? { code: undefined } : {};
}

it("is in the documents as it was compared", () => {
  const text = readFileSync(new URL("../../../../docs/from-aiosqlite.md", import.meta.url), "utf8");
  expect(text).toContain(documented());
});
