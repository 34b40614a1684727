import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, inject, it } from "vitest";

/** What one client did: calls a second, and ms that the main thread was kept from its timers at the most. */
interface Figures {
  readonly perSecond: number;
  readonly stall: number;
}

// Figures of one run beside each other: what counts is their ratio.
it("Prisma's client over the adapter and over @prisma/adapter-better-sqlite3", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["prisma-figures.mjs"], {
    cwd: inject("place"),
    env: { ...process.env, NODE_ENV: "production" },
  });
  const told = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<
    string,
    Record<"ours" | "theirs", Figures>
  >;
  const lines = Object.entries(told).map(([work, { ours, theirs }]) =>
    [
      work.padEnd(32),
      ...[ours, theirs].map(({ perSecond }) => perSecond.toFixed(0).padStart(8)),
      (ours.perSecond / theirs.perSecond).toFixed(2).padStart(6),
      ...[ours, theirs].map(({ stall }) => stall.toFixed(0).padStart(8)),
    ].join(" "),
  );
  console.log(
    [
      "calls a second: here, better-sqlite3's, ratio; longest stall in ms: here, better-sqlite3's",
      ...lines,
    ].join("\n  "),
  );
  expect(lines.length).toBe(7);
});
