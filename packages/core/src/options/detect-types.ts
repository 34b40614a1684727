/** Flags of the `detectTypes` option, as in CPython's sqlite3. */
export const PARSE_DECLTYPES = 1;
/** See {@link PARSE_DECLTYPES}. */
export const PARSE_COLNAMES = 2;

/** Throws RangeError if other flags are among them. */
export function checkFlags(flags: number, name: string): number {
  if ((flags & ~(PARSE_DECLTYPES | PARSE_COLNAMES)) === 0) return flags;
  throw new RangeError(
    `option "${name}" must be PARSE_DECLTYPES, PARSE_COLNAMES, both (PARSE_DECLTYPES | PARSE_COLNAMES) or 0, not ${flags}`,
  );
}
