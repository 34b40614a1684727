import { timeFactor } from "../support/time-factor.ts";
import { appendFileSync, mkdirSync } from "node:fs";

/** Whether this is `pnpm test:soak`: as often as the figures of docs/reliability.md say, and not only often enough to notice. */
export const soak = process.env.SQLITE_AIO_SOAK === "1";

/** How often to do something: in `pnpm test`, and in `pnpm test:soak`. */
export function times(short: number, long: number): number {
  return soak ? long : short;
}

/** Milliseconds a test may take: in `pnpm test`, and in `pnpm test:soak`. */
export const within = (few: number, many: number): number => times(few, many) * timeFactor();

/** The seed of everything random in this run; `SQLITE_AIO_SEED=...` repeats it. */
export const seed = seedOf(process.env.SQLITE_AIO_SEED);

function seedOf(text: string | undefined): number {
  if (text === undefined) return 1 + Math.floor(Math.random() * 2_147_483_645);
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 2_147_483_645)
    throw new RangeError(`SQLITE_AIO_SEED must be a whole number from 1 to 2147483645, not "${text}"`);
  return value;
}

const results = new URL("./results/", import.meta.url);

/**
 * Prints what was measured, with the seed, and keeps it for the table of docs/reliability.md.
 *
 * @param promise The promise's key in `promises.ts`.
 * @param text What was done how often, and what came of it, such as `"500 kills, 0 acknowledged rows lost"`.
 */
export function figure(promise: string, text: string): void {
  process.stdout.write(`${promise}: ${text} (seed ${seed})\n`);
  if (!soak) return;
  mkdirSync(results, { recursive: true });
  const day = new Date().toISOString().slice(0, "2000-01-01".length);
  appendFileSync(new URL("figures.jsonl", results), `${JSON.stringify({ promise, text, seed, day })}\n`);
}
