import { ProgrammingError } from "../errors/errors.js";

/** SQL text with its values, as sql-template-tag and similar libraries make it. */
export interface SqlStatement {
  /** The text of one statement, with a `?` for each value. */
  readonly sql: string;
  /** Its parameters, in order. */
  readonly values: readonly unknown[];
}

/** @internal The text and the parameters of a `{ sql, values }` object. Throws TypeError or ProgrammingError. */
export function statementParts(
  given: SqlStatement,
  parameters: object | undefined,
): [sql: string, parameters: object] {
  const { sql, values } = checkShape(given);
  if (parameters !== undefined && parameters !== null) {
    throw new ProgrammingError("a { sql, values } object has its values: there can be no others beside it", {
      code: "SQLITE_MISUSE",
      sql,
    });
  }
  return [sql, values];
}

/** @internal Like {@link statementParts}, but also for a plain text. */
export function partsOf(
  given: string | SqlStatement,
  parameters: object | undefined,
): [sql: string, parameters: object | undefined] {
  return typeof given === "string" ? [given, parameters] : statementParts(given, parameters);
}

/**
 * @internal The text for a call that takes no values with it, because it has sets of them, or is a script. Throws
 * TypeError or ProgrammingError.
 */
export function textWithoutValues(given: string | SqlStatement): string {
  if (typeof given === "string") return given;
  const { sql, values } = checkShape(given);
  if (values.length > 0) {
    throw new ProgrammingError(
      "a { sql, values } object with values is one statement: here goes the text alone",
      {
        code: "SQLITE_MISUSE",
        sql,
      },
    );
  }
  return sql;
}

function checkShape(given: SqlStatement): SqlStatement {
  if (typeof given === "object" && given !== null) {
    // Each property is read once: it may be a getter that joins the pieces of a template.
    const { sql, values } = given;
    if (typeof sql === "string" && Array.isArray(values)) return { sql, values };
  }
  throw new TypeError(
    `the SQL text must be a string, or an object with the text as sql and an array as values, not ${shapeOf(given)}`,
  );
}

function shapeOf(given: unknown): string {
  if (given === null) return "null";
  if (Array.isArray(given)) return "an array";
  if (typeof given !== "object") return typeof given;
  const has = (name: string): string => (name in given ? `a wrong "${name}"` : `no "${name}"`);
  const { sql } = given as Record<string, unknown>;
  return `an object with ${typeof sql === "string" ? has("values") : has("sql")}`;
}
