/** What transactions that were committed have changed. */
export interface ChangeReport {
  readonly tables: readonly TableReport[];
  /** Tables, views, triggers or indexes were created, altered or dropped. */
  readonly schema: boolean;
  /** Any other table may have changed, too. */
  readonly anything: boolean;
}

export interface TableReport {
  /** `main`, `temp` or the name of an attached one. */
  readonly database: string;
  readonly table: string;
  /** Rows inserted, updated or deleted; null where they are not known, or too many. */
  readonly rowids: BigInt64Array | null;
}

/** What a query reads. */
export interface TableAccess {
  readonly reads: readonly (readonly [database: string, table: string])[];
  /** What else it shows is not known. */
  readonly anything: boolean;
  readonly readonly: boolean;
}
