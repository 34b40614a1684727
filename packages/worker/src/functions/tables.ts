import { FunctionError } from "../wire/fault.js";
import { fromEngine, type IntegerMode, toBinding } from "../wire/integers.js";
import type { SqlValue } from "../wire/protocol.js";
import { toResult } from "./result.js";

/** A table-valued function in better-sqlite3's form. */
interface TableDefinition {
  readonly columns: readonly string[];
  readonly parameters?: readonly string[];
  readonly directOnly?: boolean;
  rows(...args: SqlValue[]): Iterable<readonly unknown[] | Readonly<Record<string, unknown>>>;
}

/**
 * Wraps a definition, or a function that returns one for CREATE VIRTUAL TABLE. Its values get the usual forms: integers
 * are INTEGER, and are read as the connection reads them.
 */
export function wrapTable(
  name: string,
  definition: unknown,
  integers: IntegerMode,
  called: () => void,
): unknown {
  const wrap = (given: unknown): unknown => {
    if (typeof given !== "object" || given === null)
      throw new TypeError(`the table "${name}" must be an object with "columns" and "rows"`);
    const table = given as TableDefinition;
    // The engine reports other mistakes.
    if (typeof table.rows !== "function") return table;
    const parameters = table.parameters ?? Array.from({ length: table.rows.length }, (_, i) => `$${i + 1}`);
    function* rows(...args: SqlValue[]): Generator {
      called();
      try {
        for (const row of table.rows(...args.map((arg) => fromEngine(arg, integers)))) {
          yield Array.isArray(row) ? row.map(cell) : cellsOf(row);
          called();
        }
      } catch (error) {
        throw new FunctionError(error);
      }
    }
    return { ...table, parameters, rows, safeIntegers: true };
  };
  if (typeof definition !== "function") return wrap(definition);
  return function (this: unknown, ...args: unknown[]): unknown {
    return wrap(Reflect.apply(definition, this, args));
  };
}

function cell(value: unknown): SqlValue {
  return toBinding(toResult(value));
}

function cellsOf(row: unknown): unknown {
  if (typeof row !== "object" || row === null) return row;
  return Object.fromEntries(Object.entries(row).map(([column, value]) => [column, cell(value)]));
}
