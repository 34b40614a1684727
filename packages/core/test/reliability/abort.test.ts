import { capabilities } from "@sqlite-aio/core";
import { afterAll, expect, it } from "vitest";
import { temporaryPath } from "../support/database.ts";
import type { AbortReport } from "./abort-calls.ts";
import { start } from "./child.ts";
import { figure, seed, times, within } from "./scale.ts";

/** Without the companion there is one way to test, else there are two. */
const WAYS: readonly ["with" | "without", number][] = capabilities.interrupt
  ? [
      ["with", times(350, 7500)],
      ["without", times(250, 6500)],
    ]
  : [["without", times(250, 6500)]];

const measured: string[] = [];

it.each(WAYS)(
  "%s the companion, of %i calls at random moments given up, answers, file and pool agree",
  { timeout: within(60_000, 600_000) },
  async (way, calls) => {
    const path = await temporaryPath();
    const child = start("abort-calls.ts", [path, String(seed), String(calls)], {
      under: way === "with" ? [] : ["env", "SQLITE_AIO_NATIVE=off"],
      limitMs: within(50_000, 550_000),
    });
    const { code, stdout, stderr } = await child.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const report = JSON.parse(stdout) as AbortReport;
    expect(report.violations).toEqual([]);
    expect(report.native).toBe(way === "with");
    const tallies = Object.values(report.kinds);
    const givenUp = tallies.reduce((sum, tally) => sum + tally.givenUp, 0);
    const done = tallies.reduce((sum, tally) => sum + tally.done, 0);
    expect(done + givenUp).toBe(calls);
    expect(Math.min(done, givenUp)).toBeGreaterThan(calls / 20);
    measured.push(`${way} the companion ${givenUp} given up, ${done} done`);
  },
);

afterAll(() => {
  if (measured.length === WAYS.length)
    figure("abort", `${measured.join("; ")}; 0 disagreements, all connections back`);
});
