import { existsSync, readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { openEngine, temporaryFolder } from "../support/database.ts";
import { random } from "../support/random.ts";
import { killedWriter } from "./killed-writer.ts";
import { figure, seed, times, within } from "./scale.ts";

const KILLS = times(4, 100);
const DATABASES = times(300, 10_000);
const MAX = times(6, 64);
/** Acknowledged writes before a kill, at the most. Most of them open another database. */
const WRITES = times(80, 400);

/** Checks a database that is there, and gives the numbers of its writes. */
function look(path: string): number[] {
  const engine = openEngine(path);
  expect(engine.pragma("integrity_check", { simple: true })).toBe("ok");
  const tables = engine.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'written'").pluck().get();
  const sql = "SELECT id, body FROM written";
  const rows = tables === 0 ? [] : (engine.prepare(sql).raw().all() as [number, string][]);
  engine.close();
  for (const [id, body] of rows) expect(body).toBe(String(id).repeat(50));
  return rows.map(([id]) => id);
}

function databasesIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith(".db"));
}

it(
  "an acknowledged write to one of many databases survives kill -9 while others are opened and closed",
  async () => {
    const folder = await temporaryFolder();
    const below = random(seed);
    const acknowledged = new Map<string, number[]>();
    const lost = (file: string): number[] => {
      const found = new Set(look(`${folder}/${file}`));
      return (acknowledged.get(file) ?? []).filter((id) => !found.has(id));
    };
    let writes = 0;
    let most = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const args = [folder, (kill + 1) * 1_000_000, DATABASES, MAX].map(String);
      const [threads, ...lines] = await killedWriter("pools-writer.ts", args, below(WRITES));
      const before = Number(threads?.split(" ")[1]);
      for (const line of lines) {
        const [key, id, threadsBy] = line.split(" ").map(Number) as [number, number, number];
        acknowledged.set(`${key}.db`, [...(acknowledged.get(`${key}.db`) ?? []), id]);
        writes++;
        most = Math.max(most, threadsBy);
        expect(threadsBy).toBeLessThanOrEqual(before + MAX);
      }
      // The next process recovers those that were open: what is looked at every so often is recovered here.
      if (kill % 2 === 0) continue;
      for (const file of databasesIn(folder))
        if (existsSync(`${folder}/${file}-wal`)) expect([file, lost(file)]).toEqual([file, []]);
    }
    expect(writes).toBeGreaterThan(0);
    const files = databasesIn(folder);
    expect([...acknowledged.keys()].filter((file) => !files.includes(file))).toEqual([]);
    for (const file of files) expect([file, lost(file)]).toEqual([file, []]);
    figure(
      "pools",
      `${KILLS} kills, ${writes} writes to ${files.length} of ${DATABASES} databases acknowledged, 0 lost; none open twice, at most ${MAX} open, ${most} threads; integrity_check ok of each`,
    );
  },
  within(60_000, 1_800_000),
);
