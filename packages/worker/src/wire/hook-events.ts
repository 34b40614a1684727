/** What the update, commit and rollback hooks told, in order. */
export interface HookEvents {
  readonly tables: readonly (readonly [database: string, table: string])[];
  /** An action and, times 256, the number of a table among `tables`; or one of {@link HookEvent}. */
  readonly events: Int32Array;
  /** Of each event; 0 for a commit and a rollback. */
  readonly rowids: BigInt64Array;
}

/** Events that are about no row. */
export const HookEvent = { COMMIT: 0, ROLLBACK: 1 } as const;

/** Bits of what is wanted. */
export const Hook = { UPDATE: 1, COMMIT: 2, ROLLBACK: 4 } as const;
