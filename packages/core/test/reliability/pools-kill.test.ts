import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { openEngine, temporaryFolder } from "../support/database.ts";
import { random } from "../support/random.ts";
import { killedWriter } from "./killed-writer.ts";
import { seed, times, within } from "./scale.ts";

const KILLS = times(4, 100);

/** The stored writes, by database. */
function look(folder: string): Map<string, Map<number, string>> {
  const stored = new Map<string, Map<number, string>>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".db"))) {
    const engine = openEngine(`${folder}/${file}`);
    expect(engine.pragma("integrity_check", { simple: true })).toBe("ok");
    const tables = engine.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'written'").pluck().get();
    const sql = "SELECT id, body FROM written";
    const rows = tables === 0 ? [] : (engine.prepare(sql).raw().all() as [number, string][]);
    stored.set(file.slice(0, -".db".length), new Map(rows));
    engine.close();
  }
  return stored;
}

it(
  "an acknowledged write to one of many databases survives kill -9 while others are opened and closed",
  async () => {
    const folder = await temporaryFolder();
    const below = random(seed);
    const acknowledged: [key: string, id: number][] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const args = [folder, String((kill + 1) * 1_000_000)];
      for (const line of await killedWriter("pools-writer.ts", args, below(120))) {
        const [key, id] = line.split(" ") as [string, string];
        acknowledged.push([key, Number(id)]);
      }
      // The next process recovers those that were open: what is looked at every so often is recovered here.
      if (kill % 2 === 0 && kill < KILLS - 1) continue;
      const stored = look(folder);
      const lost = acknowledged.filter(([key, id]) => stored.get(key)?.get(id) !== String(id).repeat(50));
      expect(lost).toEqual([]);
    }
    expect(acknowledged.length).toBeGreaterThan(0);
  },
  within(60_000, 1_800_000),
);
