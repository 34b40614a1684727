/** The changes of committed transactions. */
export interface ChangeReport {
  readonly tables: readonly TableReport[];
  /** Tables, views, triggers or indexes were created, altered or dropped. */
  readonly schema: boolean;
  /** Other tables may have changed, too. */
  readonly anything: boolean;
}

export interface TableReport {
  /** `main`, `temp` or the name of an attached database. */
  readonly database: string;
  readonly table: string;
  /** Rowids that were inserted, updated or deleted; null if they are unknown or too many. */
  readonly rowids: BigInt64Array | null;
}

/** The tables that a query reads. */
export interface TableAccess {
  readonly reads: readonly (readonly [database: string, table: string])[];
  /** Its result may also depend on something unknown. */
  readonly anything: boolean;
  readonly readonly: boolean;
}
