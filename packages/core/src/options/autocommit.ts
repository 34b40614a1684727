/** Value of `autocommit`: `isolationLevel` decides when transactions begin, as before CPython 3.12. */
export const LEGACY_TRANSACTION_CONTROL = -1;

/**
 * Who begins transactions: only the user (true), the connection, always (false), or the connection as `isolationLevel`
 * says.
 */
export type Autocommit = boolean | typeof LEGACY_TRANSACTION_CONTROL;

/** Throws TypeError for any other value. */
export function checkAutocommit(mode: unknown): Autocommit {
  if (mode === LEGACY_TRANSACTION_CONTROL) return LEGACY_TRANSACTION_CONTROL;
  if (typeof mode === "boolean") return mode;
  throw new TypeError("autocommit must be true, false, or LEGACY_TRANSACTION_CONTROL");
}
