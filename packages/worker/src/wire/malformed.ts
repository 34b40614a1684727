import { UsageError } from "./fault.js";

/** Rows that one packet or one answer may have: far more than either side sends, and few enough to be made room for. */
export const MAX_ROWS = 65_536;

/** What a message is refused with that is not of the form of protocol.ts; the other side cannot be understood any more. */
export function malformed(what: string): UsageError {
  return new UsageError("PROTOCOL", `${what} is malformed`);
}

/** A whole number from 0 to `most`. */
export function isCount(value: unknown, most = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
}
