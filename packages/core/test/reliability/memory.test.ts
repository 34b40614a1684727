import { capabilities } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { temporaryPath } from "../support/database.ts";
import { start } from "./child.ts";
import type { Footprint } from "./memory-trial.ts";
import { figure, soak, times, within } from "./scale.ts";

/** Measured from the first on: until then caches fill, and V8 finds the size that it wants to work in. */
const EARLY = times(10_000, 200_000);
const OPERATIONS = times(30_000, 1_000_000);
const FLOOD = times(40_000, 1_000_000);
const DROPPED = times(12, 1000);
/** What a finished call may leave in the heap: less than any object that would be kept per call. */
const HEAP_BYTES = 32;
/** And in the process, whose allocators keep pages as they please. */
const RSS_BYTES = 256;
/** For a waiting call of a pool. */
const POOL_BYTES = 2816;
const LIMIT_MS = within(60_000, 1_800_000);

/** Size of a blob: in the long form nearly the largest SQLite value. */
const BLOB_BYTES = 65_536 * times(2048, 15_258);

const said: string[] = [];

/**
 * V8 lets the young generation of each heap grow as it pleases, to 48 MB, and a thread that has little to do takes all of
 * a million calls to get there. Here it has its size from the beginning: thrice `semiSpaceMb`.
 */
async function measure<T>(trial: string, first: number, last: number, semiSpaceMb = 2): Promise<T> {
  const path = await temporaryPath();
  const sizes = ["min", "max"].map((bound) => `--${bound}-semi-space-size=${semiSpaceMb}`);
  const child = start("memory-trial.ts", [trial, path, String(first), String(last)], {
    nodeOptions: ["--expose-gc", "--no-warnings", ...sizes],
    limitMs: LIMIT_MS,
  });
  const { code, stdout, stderr } = await child.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as T;
}

describe("memory", () => {
  it.each(["pool", "connection"])(
    "does not grow with what was done: %s",
    async (trial) => {
      const footprints = await measure<Footprint[]>(trial, EARLY, OPERATIONS);
      const [early, late] = [footprints[0]!, footprints.at(-1)!];
      const rss = late.rssMb - early.rssMb;
      const heap = late.heapMb - early.heapMb;
      // A leak grows from each window to the next. A late collector or a cache that fills shows only in some.
      const grown = (of: (one: Footprint) => number): number =>
        Math.min(...footprints.slice(1).map((one, i) => of(one) - of(footprints[i]!)));
      const calls = (OPERATIONS - EARLY) / (footprints.length - 1);
      expect((grown(({ rssMb }) => rssMb) * 2 ** 20) / calls).toBeLessThanOrEqual(RSS_BYTES);
      expect((grown(({ heapMb }) => heapMb) * 2 ** 20) / calls).toBeLessThanOrEqual(HEAP_BYTES);
      if (soak) expect(rss).toBeLessThanOrEqual(5);
      expect(heap).toBeLessThanOrEqual(1);
      expect(late.handles).toBeLessThanOrEqual(early.handles);
      expect(late.threads).toBeLessThanOrEqual(early.threads);
      said.push(
        `${OPERATIONS} operations of a ${trial}: RSS ${rss.toFixed(1)} MB, heap ${heap.toFixed(2)} MB more than after ${EARLY}`,
      );
    },
    LIMIT_MS,
  );

  it(
    "stays where it is under callers that do not wait, which are refused",
    async () => {
      const { counts, stored, grownMb } = await measure<{
        counts: { done: number; refused: number; other: number };
        stored: number;
        grownMb: number;
      }>("flood", 0, FLOOD, 16);
      expect(counts.done + counts.refused).toBe(FLOOD);
      expect(counts.refused).toBeGreaterThanOrEqual(FLOOD / 2);
      expect(counts.done).toBeGreaterThan(0);
      expect(stored).toBe(counts.done);
      expect(grownMb).toBeLessThanOrEqual(100);
      said.push(
        `${FLOOD} calls not awaited: ${counts.refused} refused with QueueFullError, ${grownMb.toFixed(0)} MB at the most`,
      );
    },
    LIMIT_MS,
  );

  it.each([
    ["connection", "waiting", 1536],
    ["pool", "waitingPool", POOL_BYTES],
  ] as const)(
    "is bounded for each call that waits, however many do: %s",
    async (what, trial, limit) => {
      const calls = times(20_000, 200_000);
      const { bytes, stored } = await measure<{ bytes: number; stored: number }>(trial, 2000, calls);
      expect(stored).toBe(calls);
      expect(bytes).toBeLessThanOrEqual(limit);
      said.push(`${calls} calls of a ${what} made in one tick: ${Math.round(bytes)} bytes each`);
    },
    LIMIT_MS,
  );

  it(
    "holds two chunks of rows at the most for a slow consumer",
    async () => {
      const rows = times(8000, 200_000);
      const every = times(1000, 2000);
      const results = await measure<Record<"pool" | "connection", { ahead: number; read: number }>>(
        "slow",
        every,
        rows,
      );
      // `iterate` fetches 2,048 rows at a time, a cursor as many at the most.
      for (const name of ["pool", "connection"] as const) {
        const { ahead, read } = results[name];
        expect(read).toBe(rows);
        expect(ahead, name).toBeLessThanOrEqual(2 * 2048);
      }
      said.push(
        `a slow consumer of ${rows} rows: ${results.pool.ahead} and ${results.connection.ahead} rows ahead of ${2 * 2048}`,
      );
    },
    LIMIT_MS,
  );

  it.runIf(capabilities.blobs)(
    "does not grow with the bytes that streams carry into a blob and out of it",
    async () => {
      const child = start("../fixtures/blob-streams.mjs", [await temporaryPath(), String(BLOB_BYTES)], {
        // The chunks of a stream are in the young generation, which V8 lets grow to 48 MB.
        nodeOptions: ["--expose-gc", "--min-semi-space-size=2", "--max-semi-space-size=2"],
        limitMs: LIMIT_MS,
      });
      const { code, stdout, stderr } = await child.ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const { carried, bytes } = JSON.parse(stdout) as {
        carried: Record<string, { grown: number; ms: number; stall999: number }>;
        bytes: number;
      };
      expect(bytes).toBe(2 * BLOB_BYTES);
      expect(Object.keys(carried)).toHaveLength(4);
      for (const [what, { grown }] of Object.entries(carried)) expect(grown, what).toBeLessThan(16 * 2 ** 20);
      const most = Math.max(...Object.values(carried).map(({ grown }) => grown));
      said.push(
        `${Math.round(BLOB_BYTES / 1e6)} MB by streams into a blob and out of it: ${(most / 1e6).toFixed(0)} MB more at the most`,
      );
    },
    LIMIT_MS,
  );

  it(
    "is given back by connections that are forgotten, each with a warning and without its thread",
    async () => {
      const { warnings, strange, ended, before, after } = await measure<{
        warnings: number;
        strange: number;
        ended: number;
        before: Footprint;
        after: Footprint;
      }>("dropped", 0, DROPPED);
      expect({ warnings, strange, ended }).toEqual({ warnings: DROPPED, strange: 0, ended: DROPPED });
      expect(after.threads).toBe(before.threads);
      expect(after.handles).toBeLessThanOrEqual(before.handles);
      said.push(`${DROPPED} forgotten connections: ${warnings} warnings, no thread left`);
      figure("memory", said.join("; "));
    },
    LIMIT_MS,
  );
});
