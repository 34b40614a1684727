/** Database, table and column that each column of a result comes from, three a column; null for an expression. */
export type Origins = readonly (string | null)[];

/** What is known of a statement that was compiled and not run. */
export interface StatementInfo {
  readonly names: readonly string[];
  /** As declared; null for an expression. */
  readonly types: readonly (string | null)[];
  readonly origins: Origins;
  /** As https://sqlite.org/c3ref/stmt_readonly.html. */
  readonly readonly: boolean;
}
