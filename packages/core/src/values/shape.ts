/** Column names and declared types of a statement's rows. */
export interface Shape {
  readonly names: readonly string[];
  readonly types: readonly (string | null)[];
}
