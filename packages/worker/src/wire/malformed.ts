import { UsageError } from "./fault.js";

/** Maximum rows of a packet or an answer: far more than either side sends, and few enough to allocate. */
export const MAX_ROWS = 65_536;

/** The error for a message that does not follow protocol.ts. The other side cannot be understood any more. */
export function malformed(what: string): UsageError {
  return new UsageError("PROTOCOL", `${what} is malformed`);
}

/** Whether `value` is an integer from 0 to `most`. */
export function isCount(value: unknown, most = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
}
