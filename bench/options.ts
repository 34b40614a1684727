import { parseArgs } from "node:util";
import { DRIVERS } from "./drivers.ts";
import { SERIES } from "./growth/series.ts";
import type { Effort } from "./measure.ts";
import { TRIALS } from "./trials.ts";

export interface Options {
  readonly mode: "full" | "quick";
  readonly trials: readonly string[];
  readonly drivers: readonly string[];
  readonly rounds: number;
  /** After this time no further round begins. */
  readonly minutes: number;
  readonly effort: Effort;
  /** Whether all trials and drivers run. Only such results may go into the documents. */
  readonly complete: boolean;
  readonly publish: boolean;
  /** Measure only how costs grow. */
  readonly growth: boolean;
  readonly series: readonly string[];
  readonly help: boolean;
}

const FULL: Effort = {
  warmUpMs: 2_000,
  timedMs: 600,
  turnsMs: 250,
  repeats: 5,
  idleMs: 10_000,
  databases: 10_000,
};
const QUICK: Effort = {
  warmUpMs: 200,
  timedMs: 350,
  turnsMs: 120,
  repeats: 1,
  idleMs: 3_000,
  databases: 300,
};

export function readOptions(): Options {
  const { values } = parseArgs({
    allowNegative: true,
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      drivers: { type: "string" },
      rounds: { type: "string" },
      minutes: { type: "string", default: "20" },
      publish: { type: "boolean" },
      growth: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const complete = values.only === undefined && values.drivers === undefined;
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new RangeError(`--rounds must be a whole number above 0, not ${values.rounds}`);
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new RangeError(`--minutes must be a number above 0, not ${values.minutes}`);
  if (values.publish && !complete)
    throw new TypeError("--publish needs every trial and driver: leave out --only and --drivers");
  return {
    mode: values.quick ? "quick" : "full",
    trials: chosen("--only", values.growth ? undefined : values.only, TRIALS),
    growth: values.growth,
    series: chosen("--only", values.growth ? values.only : undefined, SERIES),
    drivers: chosen("--drivers", values.drivers, DRIVERS),
    rounds,
    minutes,
    effort: values.quick ? QUICK : FULL,
    complete,
    publish: values.publish ?? (complete && !values.quick),
    help: values.help,
  };
}

export function usage(): string {
  return `Usage: pnpm bench [options]

  --quick              shorter passes and one round; writes bench/results/quick/, leaves the documents alone
  --only <trial,...>   ${names(TRIALS)}
  --drivers <name,...> ${names(DRIVERS)}
  --rounds <n>         how many fresh processes each driver gets for each trial (3; quick: 1)
  --minutes <n>        begins no further round that would end later (20)
  --publish            insert the tables into README.md, packages/sqlite3/README.md and docs/performance.md (the full run does; --no-publish to keep it from that)
  --growth             how costs grow with rows, callers, statements, columns, texts and files (about 30 minutes and 10 GB; quick: 3)
                       --only <${names(SERIES).replaceAll(", ", "|")}>
  --help               this text
`;
}

function chosen(
  option: string,
  list: string | undefined,
  all: readonly { readonly name: string }[],
): readonly string[] {
  const known = all.map(({ name }) => name);
  if (list === undefined) return known;
  const asked = list.split(",").map((name) => name.trim());
  const unknown = asked.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new RangeError(`${option}: ${unknown.join(", ")} not among ${known.join(", ")}`);
  return known.filter((name) => asked.includes(name));
}

function names(all: readonly { readonly name: string }[]): string {
  return all.map(({ name }) => name).join(", ");
}
