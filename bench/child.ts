import { mkdirSync, rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { copyDataset, datasetFile, datasetFolderFile, removeDatabase } from "./datasets.ts";
import type { Session, Settings } from "./driver.ts";
import { driverNamed } from "./drivers.ts";
import { seriesNamed } from "./growth/series.ts";
import type { Answer, Job, Probe } from "./job.ts";
import { type Effort, type Metrics, stallsOf } from "./measure.ts";
import { versionOf } from "./packages.ts";
import { TRIALS } from "./trials.ts";

/** Runs one job in its own process and answers over the process's channel. */
async function main(): Promise<void> {
  const answer = await answerTo(JSON.parse(process.argv[2] ?? "") as Job).catch(failed);
  process.send?.(answer, () => process.exit(0));
}

async function answerTo(job: Job): Promise<Answer> {
  if (job.kind === "probe") return { kind: "probe", probe: await probe(job.driver) };
  if (job.kind === "growth") return { kind: "metrics", metrics: await grow(job) };
  return {
    kind: "metrics",
    metrics: job.kind === "baseline" ? await doNothing(job.effort) : await runTrial(job),
  };
}

/** What the recorders measure on an idle loop: the machine's own share of every stall. */
function doNothing({ timedMs, turnsMs }: Effort): Promise<Metrics> {
  return stallsOf({ timed: () => delay(timedMs), again: () => delay(turnsMs) });
}

async function runTrial({
  driver: driverName,
  trial: trialName,
  effort,
}: Extract<Job, { kind: "trial" }>): Promise<Metrics> {
  const driver = driverNamed(driverName);
  const trial = TRIALS.find(({ name }) => name === trialName);
  if (!trial) throw new Error(`no trial is called ${trialName}`);
  const file = trial.writes ? copyDataset(trial.dataset, `copy-${process.pid}`) : datasetFile(trial.dataset);
  const sessions: Session[] = [];
  try {
    return await trial.run({
      driver,
      file,
      effort,
      open: async () => {
        const session = await driver.open(file, trial.settings);
        sessions.push(session);
        return session;
      },
    });
  } finally {
    for (const session of sessions) await session.close();
    if (trial.writes) removeDatabase(file);
  }
}

async function grow({ driver, series, size }: Extract<Job, { kind: "growth" }>): Promise<Metrics> {
  const folder = datasetFolderFile(`growth-${process.pid}`);
  mkdirSync(folder);
  try {
    return await seriesNamed(series).measure({ driver: driverNamed(driver), folder, size });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function probe(name: string): Promise<Probe> {
  const driver = driverNamed(name);
  const settings: Settings = { synchronous: "FULL", callers: 1 };
  const file = copyDataset("items", `copy-${process.pid}`);
  try {
    const session = await driver.open(file, settings);
    const valueOf = async (sql: string): Promise<string> =>
      String(Object.values((await session.get(sql, [])) ?? {})[0] ?? "unknown");
    const result = {
      packages: Object.fromEntries(driver.packages.map((item) => [item, versionOf(item)])),
      sqlite: await valueOf("select sqlite_version()"),
      journalMode: await valueOf("pragma journal_mode"),
      synchronous: await valueOf("pragma synchronous"),
    };
    await session.close();
    return result;
  } finally {
    removeDatabase(file);
  }
}

function failed(reason: unknown): Answer {
  return {
    kind: "failed",
    message: reason instanceof Error ? `${reason.name}: ${reason.message}` : String(reason),
  };
}

await main();
