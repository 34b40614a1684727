import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Connection, type Cursor, SqliteError } from "@sqlite-aio/core";
import { beforeEach, expect, it } from "vitest";
import { open, openEngine, temporaryPath } from "../support/database.ts";
import { openPool, outcomes } from "../support/pool-support.ts";
import { random } from "../support/random.ts";
import { program, SCHEMA, type Step, write } from "./random-program.ts";
import { figure, seed, times, within } from "./scale.ts";
import { needs, withoutPython } from "./tools.ts";

const PROGRAMS = times(6, 1500);
const STEPS = 40;
const BATCHES = times(10, 2000);
const BATCH = 24;

type Tables = Record<string, unknown[][]>;
type Outcome = { readonly ok: unknown } | { readonly error: string; readonly code: string | null };

interface Job {
  readonly path: string;
  readonly schema: string;
  readonly kind: "program" | "writes";
  readonly steps: readonly unknown[];
}

/** CPython's results for the same program, in files of its own. */
function inPython(jobs: readonly Job[]): { answers: unknown[]; tables: Tables }[] {
  const script = fileURLToPath(new URL("random-program.py", import.meta.url));
  const text = execFileSync("python3", [script], {
    input: JSON.stringify(jobs),
    encoding: "utf8",
    maxBuffer: 2 ** 30,
  });
  return JSON.parse(text) as { answers: unknown[]; tables: Tables }[];
}

function tablesOf(path: string): Tables {
  const db = openEngine(path);
  const names = db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")
    .pluck()
    .all() as string[];
  const tables = Object.fromEntries(
    names.map((name) => [name, db.prepare(`SELECT * FROM ${name}`).raw().all()]),
  );
  db.close();
  return tables as Tables;
}

async function outcome(work: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { ok: await work() };
  } catch (error) {
    return refusal(error);
  }
}

function refusal(error: unknown): Outcome {
  if (!(error instanceof SqliteError)) throw error;
  return { error: error.name, code: error.code ?? null };
}

async function perform(db: Connection, cursors: Map<number, Cursor>, step: Step): Promise<Outcome> {
  switch (step.do) {
    case "execute":
    case "executemany": {
      await cursors.get(step.cursor)?.close();
      const cursor = await db.cursor();
      cursors.set(step.cursor, cursor);
      return await outcome(async () => {
        if (step.do === "execute") await cursor.execute(step.sql, step.values);
        else await cursor.executemany(step.sql, step.values);
        return cursor.rowcount;
      });
    }
    case "fetch":
      return await outcome(async () => (await cursors.get(step.cursor)?.fetchmany(step.rows)) ?? []);
    case "script":
      return await outcome(async () => {
        await db.executescript(step.sql);
        return null;
      });
    default:
      for (const cursor of cursors.values()) await cursor.close();
      cursors.clear();
      return await outcome(async () => {
        await (step.do === "commit" ? db.commit() : db.rollback());
        return null;
      });
  }
}

beforeEach(({ skip }) => needs(withoutPython(), skip));

it("random programs over two connections do what they do in CPython, step by step", {
  timeout: within(60_000, 20 * 60_000),
}, async () => {
  const below = random(seed);
  const programs = Array.from({ length: PROGRAMS }, () => program(below, STEPS));
  const jobs = [];
  for (const steps of programs)
    jobs.push({ path: await temporaryPath(), schema: SCHEMA, kind: "program" as const, steps });
  const theirs = inPython(jobs);
  for (const [p, steps] of programs.entries()) {
    const path = await temporaryPath();
    const setup = openEngine(path);
    setup.exec(`PRAGMA journal_mode = WAL; ${SCHEMA}`);
    setup.close();
    const pragmas = { foreign_keys: "ON", synchronous: "OFF" };
    const connections = [
      await open(path, { timeout: 0, pragmas, warnOnRollback: false }),
      await open(path, { timeout: 0, pragmas, warnOnRollback: false }),
    ];
    const cursors = connections.map(() => new Map<number, Cursor>());
    for (const [i, step] of steps.entries()) {
      const did = await perform(connections[step.on]!, cursors[step.on]!, step);
      const answer = [did, ...connections.map((db) => db.inTransaction)];
      expect(
        answer,
        `seed ${seed}, program ${p}, step ${i}: ${JSON.stringify(steps.slice(0, i + 1))}`,
      ).toEqual(theirs[p]!.answers[i]);
    }
    for (const db of connections) await db.close();
    expect(tablesOf(path), `seed ${seed}, program ${p}`).toEqual(theirs[p]!.tables);
  }
  figure("isolation", `${PROGRAMS} programs of ${STEPS} steps beside CPython: 0 differences`);
});

it("writes of a pool that are made at once do what they do one by one in CPython", {
  timeout: within(60_000, 20 * 60_000),
}, async () => {
  const below = random(seed);
  const batches = Array.from({ length: BATCHES }, () => Array.from({ length: BATCH }, () => write(below)));
  const steps = batches.flat();
  const [theirs] = inPython([{ path: await temporaryPath(), schema: SCHEMA, kind: "writes", steps }]);
  const path = await temporaryPath();
  const pool = await openPool({ pragmas: { synchronous: "OFF" } }, path);
  await pool.exec(SCHEMA);
  for (const [b, batch] of batches.entries()) {
    const settled = await outcomes(batch.map((sql) => pool.run(sql)));
    const answers = settled.map((result) =>
      result instanceof Error ? refusal(result) : { ok: (result as { changes: number }).changes },
    );
    expect(answers, `seed ${seed}, batch ${b}: ${JSON.stringify(batch)}`).toEqual(
      theirs!.answers.slice(b * BATCH, (b + 1) * BATCH),
    );
  }
  await pool.close();
  expect(tablesOf(path), `seed ${seed}`).toEqual(theirs!.tables);
  figure("isolation", `${BATCHES} groups of ${BATCH} writes against one by one in CPython: 0 differences`);
});
