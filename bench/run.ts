import { prepareDataset } from "./datasets.ts";
import type { Driver } from "./driver.ts";
import { DRIVERS } from "./drivers.ts";
import { environment } from "./environment.ts";
import { growth } from "./growth/run.ts";
import { installPeers } from "./install.ts";
import { installPrisma } from "./prisma/install.ts";
import { launch } from "./launch.ts";
import { type Options, readOptions, usage } from "./options.ts";
import { publish, writeFigures, writeResults } from "./publish.ts";
import { terminalReport } from "./report.ts";
import type { DriverResult, Results } from "./results.ts";
import { type Measured, runAll } from "./schedule.ts";
import { TRIALS } from "./trials.ts";

const PROBE_LIMIT_MS = 30_000;
const BUSY = 0.5;

async function main(): Promise<void> {
  const options = understood();
  if (options === undefined) process.exitCode = 2;
  else if (options.help) say(usage());
  else if (options.growth) {
    installPeers(say);
    await growth(options, say);
  } else await bench(options);
}

/** For a mistyped option it prints a line that names it, instead of a stack. */
function understood(): Options | undefined {
  try {
    return readOptions();
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    say(`${error.message}\n\n${usage()}`);
    return undefined;
  }
}

async function bench(options: Options): Promise<void> {
  const start = performance.now();
  installPeers(say);
  const trials = TRIALS.filter(({ name }) => options.trials.includes(name));
  if (trials.some(({ name }) => name.startsWith("prisma-"))) installPrisma(say);
  const machine = environment();
  if (machine.loadBefore > BUSY)
    say(`\n!!! The machine is busy (load ${machine.loadBefore.toFixed(1)}): the figures will show it.\n`);
  for (const name of new Set(["items" as const, ...trials.map(({ dataset }) => dataset)]))
    prepareDataset(name);
  const { loaded, reports } = await probeAll(DRIVERS.filter(({ name }) => options.drivers.includes(name)));
  const { rounds, effort, mode } = options;
  const resultsOf = (measured: Measured): Results => ({
    mode,
    rounds,
    effort,
    seconds: Math.round((performance.now() - start) / 1_000),
    environment: machine,
    drivers: reports,
    ...measured,
  });
  const measured = await runAll({
    trials,
    drivers: loaded,
    rounds,
    effort,
    deadline: start + options.minutes * 60_000,
    say,
    keep: (soFar) => writeFigures(resultsOf(soFar), options),
  });
  const results = resultsOf(measured);
  say(terminalReport(results));
  say(`written: ${(await writeResults(results, options, say)).join(", ")}`);
  if (options.publish) say(`published in: ${publish(results).join(", ") || "no document has the markers"}`);
  say(`${results.seconds} s`);
}

interface Probed {
  readonly loaded: readonly Driver[];
  readonly reports: readonly DriverResult[];
}

/** Opens each driver once before anything is timed. A driver that does not load is reported and left out. */
async function probeAll(drivers: readonly Driver[]): Promise<Probed> {
  const loaded: Driver[] = [];
  const reports: DriverResult[] = [];
  for (const driver of drivers) {
    const report = await probe(driver);
    reports.push(report);
    if (report.skipped === undefined) loaded.push(driver);
  }
  return { loaded, reports };
}

async function probe({ name, ...driver }: Driver): Promise<DriverResult> {
  const about = { name, title: driver.title, usage: driver.usage, blocks: driver.blocks };
  const answer = await launch({ kind: "probe", driver: name }, PROBE_LIMIT_MS);
  if (answer.kind === "probe") {
    const { packages, sqlite, journalMode, synchronous } = answer.probe;
    const versions = Object.entries(packages).map((item) => item.join(" "));
    say(
      `${name.padEnd(24)} SQLite ${sqlite}, ${journalMode}, synchronous ${synchronous}  (${versions.join(", ")})`,
    );
    return { ...about, probe: answer.probe };
  }
  const skipped = answer.kind === "failed" ? answer.message : "answered another question";
  say(`\n!!! SKIPPED ${name}: it does not load.\n    ${skipped}\n`);
  return { ...about, skipped };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
