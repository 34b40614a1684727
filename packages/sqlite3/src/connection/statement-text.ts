import { factsOf, type ParameterList, RememberedTexts, splitScript } from "@sqlite-aio/worker/sql";

/** What is known of a statement from its text alone. */
export interface StatementText {
  /** The first statement of what the caller gave, as `sqlite3_prepare_v2()` takes it; the rest is ignored. */
  readonly text: string;
  readonly parameters: ParameterList;
  /** The values of its parameters where none are given. */
  readonly unbound: readonly null[];
  /** Only white space, comments and semicolons: SQLite compiles it to nothing. */
  readonly empty: boolean;
  /** It changes rows and gives none, so that its runs can be joined. */
  readonly dml: boolean;
  /** It may change what `changes()` answers without saying so. */
  readonly mayWrite: boolean;
}

const MAX_LENGTH = 1024 * 1024;
const known = new RememberedTexts(read, 500, MAX_LENGTH);

/** What is known of `sql`. Texts that come again are looked at once. */
export function statementText(sql: string): StatementText {
  return known.get(sql);
}

function read(sql: string): StatementText {
  const text = firstStatement(sql);
  const { parameters, begins, writes, returns } = factsOf(text);
  const dml = begins && !returns;
  return {
    text,
    parameters,
    unbound: Array.from({ length: parameters.count }, () => null),
    empty: text === "",
    dml,
    mayWrite: writes && !dml,
  };
}

/** SQLite reads a text up to its first NUL. */
function firstStatement(sql: string): string {
  const [text = ""] = sql.split("\0", 1);
  return splitScript(text).next().value ?? "";
}
