import { join } from "node:path";
import { expect, it } from "vitest";
import { openEngine, temporaryFolder } from "../support/database.ts";
import { random } from "../support/random.ts";
import { type Ended, start } from "./child.ts";
import { figure, seed, times, within } from "./scale.ts";

const RACES = times(16, 250);
/** Races that one process goes through. */
const RACES_EACH = times(8, 50);
const EXITS = times(10, 250);
const LANES = 2;
/** From the process's last word to its end; what it has begun may be finished meanwhile. */
const END_MS = within(30_000, 5000);

const STATES = [
  "idle",
  "computing",
  "writing",
  "transaction",
  "callback",
  "leased",
  "iterating",
  "crashed",
  "crashedPool",
  "opening",
  "closing",
  "waiting",
];
const ENDINGS: Readonly<Record<string, Pick<Ended, "code" | "signal">>> = {
  natural: { code: 0, signal: null },
  exitCode: { code: 5, signal: null },
  exit: { code: 7, signal: null },
  throw: { code: 1, signal: null },
  reject: { code: 1, signal: null },
  // Windows has no signals: a process that sends itself one ends at once, with an exit code.
  term: process.platform === "win32" ? { code: 1, signal: null } : { code: null, signal: "SIGTERM" },
};

const tally = { slowestMs: 0 };

function ended({ quietMs }: Ended): void {
  tally.slowestMs = Math.max(tally.slowestMs, quietMs);
  expect(quietMs).toBeLessThan(END_MS);
}

/** Does `work` for each number, some at a time. */
async function sideBySide(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

it(
  "closing at any moment settles every call, stores what was answered, and leaves no thread and no lock",
  async () => {
    const processes = Math.ceil(RACES / RACES_EACH);
    const kinds = new Set<string>();
    await sideBySide(processes, async (i) => {
      const folder = await temporaryFolder();
      const child = start("close-racer.ts", [folder, String(seed + i), String(RACES_EACH)], {
        limitMs: within(60_000, 300_000),
      });
      const result = await child.ended;
      const { code, signal, stderr, stdout } = result;
      expect({ code, signal, stderr }, stdout).toEqual({ code: 0, signal: null, stderr: "" });
      const races = stdout.trim().split("\n");
      expect(races).toHaveLength(RACES_EACH);
      for (const race of races) kinds.add(race.slice(race.indexOf(" ") + 1));
      ended(result);
    });
    expect(kinds.size).toBeGreaterThan(times(3, 14));
  },
  within(90_000, 1_800_000),
);

it(
  "a process ends in its time and with its code, whatever its connections are doing",
  async () => {
    const folder = await temporaryFolder();
    const below = random(seed);
    const endings = Object.keys(ENDINGS);
    // Each state with each ending in turn, from somewhere.
    const from = below(STATES.length * endings.length);
    await sideBySide(EXITS, async (i) => {
      // 12 and 6 have a common factor, so the endings move on with each round of the states.
      const at = from + i;
      const state = STATES[at % STATES.length]!;
      const ending = endings[(at + Math.floor(at / STATES.length)) % endings.length]!;
      const path = join(folder, `${i}.db`);
      const engine = openEngine(path);
      engine.pragma("journal_mode = wal");
      engine.exec("CREATE TABLE t (x)").close();
      const child = start("close-exit.ts", [state, ending, String(below(20)), path], { limitMs: 60_000 });
      const result = await child.ended;
      const { code, signal, stdout, stderr } = result;
      expect({ state, ending, code, signal }, stderr).toEqual({ state, ending, ...ENDINGS[ending] });
      const lines = stdout.trim().split("\n");
      expect(lines, state).toContain("leaving");
      ended(result);
      const after = openEngine(path);
      const stored = new Set(after.prepare("SELECT x FROM t").pluck().all());
      expect(stored.has(-1), `${state}, ${ending}: an open transaction`).toBe(false);
      for (const line of lines.filter((text) => text.startsWith("stored ")))
        expect(stored.has(Number(line.slice("stored ".length))), line).toBe(true);
      // Work that is under way keeps a process that may end by itself.
      if (state === "writing" && (ending === "natural" || ending === "exitCode"))
        expect(stored.size).toBe(16);
      after.close();
    });
    figure(
      "close",
      `${RACES + EXITS} races: ${RACES} of close(), ${EXITS} of a process's end, each with its code and ${Math.ceil(tally.slowestMs)} ms after its last word at the most; nothing answered was lost, no thread and no lock left`,
    );
  },
  within(90_000, 1_800_000),
);
