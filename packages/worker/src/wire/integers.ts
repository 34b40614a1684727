import type { SqlValue } from "./protocol.js";

/**
 * The value to bind so that SQLite stores `value` as the type it has in JavaScript. better-sqlite3 binds every number
 * as REAL, so an integer is bound as bigint. -0 has no INTEGER form and stays REAL.
 */
export function toBinding(value: SqlValue): SqlValue {
  return typeof value === "number" && Number.isSafeInteger(value) && !(value === 0 && 1 / value < 0)
    ? BigInt(value)
    : value;
}

/** How INTEGER values are read. `auto`: number when safe, bigint when not. */
export type IntegerMode = "auto" | "bigint" | "number";

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const MIN_SAFE = -MAX_SAFE;

export function isSafe(value: bigint): boolean {
  return value <= MAX_SAFE && value >= MIN_SAFE;
}

/** Converts a value that was read with safe integers to the form that `mode` asks for. */
export function fromEngine(value: SqlValue, mode: IntegerMode): SqlValue {
  if (typeof value !== "bigint" || mode === "bigint") return value;
  return mode === "number" || isSafe(value) ? Number(value) : value;
}
