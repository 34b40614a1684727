import { copyFileSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openEngine, temporaryFolder } from "../support/database.ts";
import { random } from "../support/random.ts";
import { killedWriter } from "./killed-writer.ts";
import { bodyOf, IN_FLIGHT, type Kind, KINDS, partsOf, TABLE } from "./kill-rows.ts";
import { figure, seed, times, within } from "./scale.ts";

const KILLS = times(12, 500);
/** Kills that one database goes through. */
const KILLS_EACH = 25;
const LANES = 2;

interface Tally {
  kills: number;
  acknowledged: number;
  extra: number;
}

/** A database, and what is known of it. */
interface Subject {
  readonly path: string;
  readonly kind: Kind;
  readonly acknowledged: Set<number>;
  /** Writes that were found; they must stay, acknowledged or not. */
  readonly found: Set<number>;
}

/** A write-ahead log, and for every other connection a rollback journal. */
function makeDatabase(path: string, kind: Kind, number: number): Subject {
  const engine = openEngine(path);
  engine.pragma(`journal_mode = ${kind === "commit" && number % 2 === 0 ? "delete" : "wal"}`);
  engine.exec(TABLE).close();
  return { path, kind, acknowledged: new Set(), found: new Set() };
}

/** Looks into a copy, so that the next process has to recover the database itself. */
function read(subject: Subject, copy: string): Map<number, Map<number, string>> {
  const suffixes = ["", "-wal", "-journal"];
  for (const suffix of suffixes) {
    if (existsSync(subject.path + suffix)) copyFileSync(subject.path + suffix, copy + suffix);
  }
  const stored = look(copy);
  for (const suffix of suffixes) rmSync(copy + suffix, { force: true });
  return stored;
}

function look(path: string): Map<number, Map<number, string>> {
  const engine = openEngine(path);
  expect(engine.pragma("integrity_check", { simple: true })).toBe("ok");
  const stored = new Map<number, Map<number, string>>();
  const rows = engine.prepare("SELECT id, part, body FROM written").raw().all() as [number, number, string][];
  engine.close();
  for (const [id, part, body] of rows) {
    if (!stored.has(id)) stored.set(id, new Map());
    stored.get(id)!.set(part, body);
  }
  return stored;
}

/** Everything that is there is whole, and everything that was there or acknowledged is still there. */
function check(subject: Subject, stored: ReadonlyMap<number, ReadonlyMap<number, string>>): void {
  for (const [id, parts] of stored) {
    expect(parts.size, `rows of ${id}`).toBe(partsOf(subject.kind));
    for (const [part, body] of parts) expect(body).toBe(bodyOf(id, part));
  }
  const lost = [...subject.acknowledged, ...subject.found].filter((id) => !stored.has(id));
  expect(lost).toEqual([]);
}

async function killOnce(subject: Subject, number: number, below: (n: number) => number, copy: string) {
  const first = number * 1_000_000;
  // 0: before there is any.
  const wanted = below(8) === 0 ? 0 : below(times(100, 200));
  const args = [subject.kind, subject.path, String(first)];
  const acknowledgements = await killedWriter("kill-writer.ts", args, wanted);
  for (const line of acknowledgements) subject.acknowledged.add(Number(line));
  const stored = read(subject, copy);
  check(subject, stored);
  const own = [...stored.keys()].filter((id) => id >= first);
  const extra = own.filter((id) => !subject.acknowledged.has(id));
  // Numbers are given in order, and each is acknowledged or one of those in flight.
  expect(extra.length).toBeLessThanOrEqual(IN_FLIGHT);
  for (const id of own) expect(id).toBeLessThan(first + acknowledgements.length + IN_FLIGHT);
  for (const id of stored.keys()) subject.found.add(id);
  return { acknowledged: acknowledgements.length, extra: extra.length };
}

it(
  "an acknowledged write survives kill -9 with 16 in flight, and what was not acknowledged is whole or absent",
  async () => {
    const folder = await temporaryFolder();
    const tally: Tally = { kills: 0, acknowledged: 0, extra: 0 };
    let databases = 0;
    const lane = async (below: (n: number) => number): Promise<void> => {
      while (tally.kills < KILLS) {
        const number = databases++;
        const path = join(folder, `${number}.db`);
        const subject = makeDatabase(path, KINDS[number % KINDS.length]!, number);
        const kills = times(3, KILLS_EACH);
        for (let i = 0; i < kills && tally.kills < KILLS; i++) {
          tally.kills++;
          const result = await killOnce(subject, i + 1, below, join(folder, `${number}-copy-${i}.db`));
          tally.acknowledged += result.acknowledged;
          tally.extra += result.extra;
        }
        check(subject, look(path));
      }
    };
    await Promise.all(Array.from({ length: LANES }, (_, i) => lane(random(seed + i))));
    expect(tally.acknowledged).toBeGreaterThan(KILLS);
    figure(
      "kill",
      `${tally.kills} kills, ${tally.acknowledged} writes acknowledged, 0 lost; ${tally.extra} unacknowledged found, all whole; integrity_check ok each time`,
    );
  },
  within(60_000, 1_800_000),
);
