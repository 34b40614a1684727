/** Events of the update, commit and rollback hooks, in order. */
export interface HookEvents {
  readonly tables: readonly (readonly [database: string, table: string])[];
  /** For a row: the action plus 256 times the index of its table in `tables`. Otherwise one of {@link HookEvent}. */
  readonly events: Int32Array;
  /** The rowid of each event; 0 for a commit or rollback. */
  readonly rowids: BigInt64Array;
}

/** Events without a row. */
export const HookEvent = { COMMIT: 0, ROLLBACK: 1 } as const;

/** Bits of the hooks that are set. */
export const Hook = { UPDATE: 1, COMMIT: 2, ROLLBACK: 4 } as const;
