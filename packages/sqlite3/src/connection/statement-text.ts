import { factsOf, type ParameterList, RememberedTexts, splitScript } from "@sqlite-aio/worker/sql";

/** Facts about a statement that follow from its text. */
export interface StatementText {
  /** The first statement of the caller's text, as for `sqlite3_prepare_v2()`; the rest is ignored. */
  readonly text: string;
  readonly parameters: ParameterList;
  /** The values of its parameters if none are given. */
  readonly unbound: readonly null[];
  /** Only white space, comments and semicolons: SQLite compiles it to nothing. */
  readonly empty: boolean;
  /** It changes rows and returns none, so its runs can be joined. */
  readonly dml: boolean;
  /** It may change the result of `changes()` without a count. */
  readonly mayWrite: boolean;
}

const MAX_LENGTH = 1024 * 1024;
const known = new RememberedTexts(read, 500, MAX_LENGTH);

/** The facts of `sql`, cached for repeated texts. */
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

function firstStatement(sql: string): string {
  return splitScript(untilNul(sql)).next().value ?? "";
}

/** What SQLite reads of a text. */
export function untilNul(text: string): string {
  const [first = ""] = text.split("\0", 1);
  return first;
}
