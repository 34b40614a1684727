import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { MUTANTS } from "./lists/index.ts";
import { placesOf } from "./mutant.ts";

const root = new URL("../../../../", import.meta.url);

it("each mutant's text stands in its file once, so that code that moves takes its mutants with it", () => {
  expect(MUTANTS.length).toBeGreaterThan(150);
  const lost = MUTANTS.filter(
    (mutant) => placesOf(mutant, readFileSync(new URL(mutant.file, root), "utf8")) !== 1,
  );
  expect(lost.map(({ file, what }) => `${file}: ${what}`)).toEqual([]);
});

it("each mutant names tests that are there", () => {
  const missing = MUTANTS.flatMap(({ tests }) => tests).filter((test) => !existsSync(new URL(test, root)));
  expect(missing).toEqual([]);
});
