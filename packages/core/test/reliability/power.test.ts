import { readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { openEngine, temporaryFolder } from "../support/database.ts";
import { random } from "../support/random.ts";
import { start } from "./child.ts";
import { Disk, readTrace, STRACE } from "./power-trace.ts";
import { timeFactor } from "../support/time-factor.ts";
import { figure, seed, times, within } from "./scale.ts";
import { needs, withoutStrace } from "./tools.ts";

/** The databases of power-writer.ts. */
const KEEPS = ["pool", "transactions", "connection", "journal"] as const;
/** Settings that promise less. */
const LOSES = ["normal", "journal-full"] as const;

const ROUNDS = times(1, 10);
const WRITES = times(60, 300);

/** For one database: the acknowledged writes, and what a power cut at that moment would have left. */
interface Watch {
  readonly name: string;
  readonly path: string;
  readonly disk: Disk;
  readonly acknowledged: Set<number>;
  /** The contents of the disk, until a sync returns. */
  stored: ReadonlySet<number>;
  version: number;
  /** Acknowledgements that a power cut would have made a lie. */
  ahead: number;
  cuts: number;
}

let missing: string | null;
beforeAll(() => {
  missing = withoutStrace();
}, 300_000 * timeFactor());

/** Opens what a power cut has left, as a program does after a restart. */
function recover(path: string, left: ReadonlyMap<string, Buffer>): ReadonlySet<number> {
  for (const suffix of ["-wal", "-journal", "-shm"]) rmSync(path + suffix, { force: true });
  for (const [suffix, content] of left) writeFileSync(path + suffix, content);
  const engine = openEngine(path);
  expect(engine.pragma("integrity_check", { simple: true })).toBe("ok");
  const ids = engine.prepare("SELECT id FROM written").pluck().all() as number[];
  engine.close();
  return new Set(ids);
}

async function round(below: (n: number) => number): Promise<Watch[]> {
  const folder = realpathSync(await temporaryFolder());
  const elsewhere = await temporaryFolder();
  const watches = [...KEEPS, ...LOSES].map((name): Watch => {
    const path = join(folder, `${name}.db`);
    const engine = openEngine(path);
    engine.pragma("page_size = 1024");
    engine.pragma(`journal_mode = ${name.startsWith("journal") ? "delete" : "wal"}`);
    engine.exec("CREATE TABLE written (id INTEGER PRIMARY KEY, body TEXT)").close();
    const disk = new Disk(path, readFileSync(path));
    return { name, path, disk, acknowledged: new Set(), stored: new Set(), version: -1, ahead: 0, cuts: 0 };
  });
  const trace = join(elsewhere, "trace");
  const child = start("power-writer.ts", [folder, String(WRITES)], {
    under: [...STRACE, "-o", trace],
    limitMs: 120_000,
  });
  const { code, stderr } = await child.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  for await (const event of readTrace(trace)) {
    const { when, call } = event;
    for (const watch of watches) {
      watch.disk.event(event);
      if (when === "begins" && call.name === "write" && call.path === join(folder, `${watch.name}.acks`)) {
        for (const id of call.data.toString().trim().split("\n")) acknowledge(watch, Number(id));
      }
    }
  }
  return watches;

  function acknowledge(watch: Watch, id: number): void {
    const { name, disk, acknowledged } = watch;
    acknowledged.add(id);
    const path = join(elsewhere, `${name}.db`);
    if (watch.version !== disk.version) {
      watch.version = disk.version;
      watch.stored = recover(path, disk.afterPowerCut());
      watch.cuts++;
      if (KEEPS.includes(name as never)) {
        // Writes that were not synced may be there too, or parts of them: that must do no harm.
        const luckier = recover(path, disk.afterPowerCut(below));
        watch.cuts++;
        expect([...acknowledged].filter((one) => !luckier.has(one))).toEqual([]);
      }
    }
    if (!watch.stored.has(id)) watch.ahead++;
  }
}

it(
  "with synchronous=FULL a power cut at any acknowledgement leaves everything that was acknowledged",
  async ({ skip }) => {
    needs(missing, skip);
    const totals = new Map<string, { acknowledged: number; ahead: number; cuts: number }>();
    const below = random(seed);
    for (let i = 0; i < ROUNDS; i++) {
      for (const { name, acknowledged, ahead, cuts } of await round(below)) {
        const total = totals.get(name) ?? { acknowledged: 0, ahead: 0, cuts: 0 };
        total.acknowledged += acknowledged.size;
        total.ahead += ahead;
        total.cuts += cuts;
        totals.set(name, total);
      }
    }
    let acknowledged = 0;
    let cuts = 0;
    for (const name of KEEPS) {
      const total = totals.get(name)!;
      expect(total, name).toMatchObject({ ahead: 0, acknowledged: ROUNDS * WRITES });
      acknowledged += total.acknowledged;
      cuts += total.cuts;
    }
    // Or it would prove nothing.
    for (const name of LOSES) expect(totals.get(name)!.ahead, name).toBeGreaterThan(0);
    // Group commit: fewer syncs than acknowledgements.
    expect(totals.get("pool")!.cuts / 2).toBeLessThan(totals.get("pool")!.acknowledged);
    figure(
      "power",
      `${acknowledged} acknowledgements traced, 0 ahead of their sync; ${cuts} power cuts, all recovered with integrity_check ok`,
    );
  },
  within(60_000, 1_800_000),
);
