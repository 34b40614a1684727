/**
 * Puts the mutants of the lists into a copy of the built workspace, one at a time, and runs the tests that should know:
 * `pnpm test:mutants [--only text] [--numbers list] [--from number] [--minutes number]`. `--only` takes the mutants in
 * whose file or description the text stands, `--numbers 5,7-9` those of these numbers, `--from` those from this number on,
 * and after `--minutes` it stops and says where to go on.
 * Fails if fewer than 95 % are killed, and for a survivor without a reason.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { timeFactor } from "../support/time-factor.ts";
import { MUTANTS } from "./lists/index.ts";
import { type Mutant, placesOf } from "./mutant.ts";
import { ScratchTree } from "./scratch-tree.ts";

/** Of a hundred mutants. */
const MUST_BE_KILLED = 95;

/** How long the tests of a mutant may take: so many times as long as without it, and so many ms more. */
const TIMES = 5;
const MORE_MS = 30_000;

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    numbers: { type: "string", default: `1-${MUTANTS.length}` },
    from: { type: "string", default: "1" },
    minutes: { type: "string", default: "Infinity" },
  },
});

const ranges = options.numbers.split(",").map((range) => range.split("-").map(Number));
const chosen = MUTANTS.map((mutant, i) => ({ mutant, number: i + 1 })).filter(
  ({ mutant, number }) =>
    number >= Number(options.from) &&
    ranges.some(([first = 0, last = first]) => number >= first && number <= last) &&
    `${mutant.file} ${mutant.what}`.includes(options.only),
);
if (chosen.length === 0) throw new Error("there is no such mutant");

const factor = timeFactor();
// Calibrated once: a limit that moves with every run would make it chance whether a mutant is killed.
process.env["SQLITE_AIO_TIME_FACTOR"] = String(factor);
const tree = new ScratchTree(fileURLToPath(new URL("../../../..", import.meta.url)));
process.once("exit", () => tree.remove());
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

/** Milliseconds that test files take without a mutant. */
const quiet = new Map<string, number>();
const killed: Mutant[] = [];
const survived: Mutant[] = [];
const wrong: string[] = [];
const until = performance.now() + Number(options.minutes) * 60_000;
let next: number | undefined;
for (const { mutant, number } of chosen) {
  if (performance.now() > until) {
    next = number;
    break;
  }
  console.log(`${number} ${mutant.file}: ${mutant.what}`);
  try {
    await tryMutant(mutant);
  } catch (error) {
    wrong.push(`${mutant.file}: ${mutant.what}: ${(error as Error).message}`);
    console.log(`    WRONG: ${(error as Error).message}`);
  }
}
summarize();

async function tryMutant(mutant: Mutant): Promise<void> {
  const { file, find, replace, tests } = mutant;
  const source = tree.source(file);
  const times = placesOf(mutant, source);
  if (times !== 1) throw new Error(`its text stands in the file ${times} times`);
  const limit = TIMES * (await withoutMutant(tests)) + MORE_MS * factor;
  try {
    tree.put(
      file,
      source.replace(find, () => replace),
    );
    const { passed, told, ms } = await tree.test(tests, limit);
    if (passed) survived.push(mutant);
    else killed.push(mutant);
    const seconds = (ms / 1000).toFixed(1);
    if (!passed) console.log(`    killed after ${seconds} s by: ${told}`);
    else console.log(`    SURVIVED${mutant.survives === undefined ? "" : `: ${mutant.survives}`}`);
  } finally {
    tree.restore(file, source);
  }
}

/** Throws unless the tests pass without the mutant. Gives how long they take. */
async function withoutMutant(tests: readonly string[]): Promise<number> {
  const key = tests.join(" ");
  const known = quiet.get(key);
  if (known !== undefined) return known;
  const { passed, told, ms } = await tree.test(tests, 10 * 60_000);
  if (!passed) throw new Error(`without it ${key} fails, too: ${told}`);
  quiet.set(key, ms);
  return ms;
}

function summarize(): void {
  const all = killed.length + survived.length;
  const percent = all === 0 ? 0 : (killed.length / all) * 100;
  console.log(
    `\n${all} mutants: ${killed.length} killed, ${survived.length} survived, ${percent.toFixed(1)} %`,
  );
  for (const { file, what, survives } of survived)
    console.log(`  survived: ${file}: ${what}: ${survives ?? "NOBODY KNOWS WHY"}`);
  for (const { file, what } of killed.filter(({ survives }) => survives !== undefined))
    console.log(`  is said to survive and does not: ${file}: ${what}`);
  for (const line of wrong) console.log(`  wrong: ${line}`);
  if (next !== undefined) console.log(`go on with --from ${next}`);
  const explained = survived.every(({ survives }) => survives !== undefined);
  if (percent < MUST_BE_KILLED || !explained || wrong.length > 0) process.exitCode = 1;
}
