import { type ParameterList, scanParameters, splitScript, statementKeyword } from "@sqlite-aio/worker/sql";

const DML = new Set(["INSERT", "UPDATE", "DELETE", "REPLACE"]);

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

const MAX_KNOWN = 500;
const known = new Map<string, StatementText>();

/** What is known of `sql`. Texts that come again are looked at once. */
export function statementText(sql: string): StatementText {
  let found = known.get(sql);
  if (found === undefined) {
    found = read(sql);
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(sql, found);
  }
  return found;
}

function read(sql: string): StatementText {
  const text = firstStatement(sql);
  const keyword = statementKeyword(text);
  const parameters = scanParameters(text);
  const returning = /\breturning\b/i.test(text);
  return {
    text,
    parameters,
    unbound: Array.from({ length: parameters.count }, () => null),
    empty: text === "",
    dml: DML.has(keyword) && !returning,
    mayWrite: returning || keyword === "WITH",
  };
}

/** SQLite reads a text up to its first NUL. */
function firstStatement(sql: string): string {
  const [text = ""] = sql.split("\0", 1);
  return splitScript(text).next().value ?? "";
}
