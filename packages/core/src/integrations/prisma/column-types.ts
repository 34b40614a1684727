import { types } from "node:util";
import { type ColumnType, ColumnTypeEnum, type SqlResultSet } from "@prisma/driver-adapter-utils";

/** The types that Prisma's migrations declare for SQLite, and others that its introspection knows. */
const BY_DECLARATION: Readonly<Record<string, ColumnType>> = {
  DECIMAL: ColumnTypeEnum.Numeric,
  FLOAT: ColumnTypeEnum.Float,
  DOUBLE: ColumnTypeEnum.Double,
  "DOUBLE PRECISION": ColumnTypeEnum.Double,
  NUMERIC: ColumnTypeEnum.Double,
  REAL: ColumnTypeEnum.Double,
  TINYINT: ColumnTypeEnum.Int32,
  SMALLINT: ColumnTypeEnum.Int32,
  MEDIUMINT: ColumnTypeEnum.Int32,
  INT: ColumnTypeEnum.Int32,
  INTEGER: ColumnTypeEnum.Int32,
  SERIAL: ColumnTypeEnum.Int32,
  INT2: ColumnTypeEnum.Int32,
  BIGINT: ColumnTypeEnum.Int64,
  "UNSIGNED BIG INT": ColumnTypeEnum.Int64,
  INT8: ColumnTypeEnum.Int64,
  DATETIME: ColumnTypeEnum.DateTime,
  TIMESTAMP: ColumnTypeEnum.DateTime,
  TIME: ColumnTypeEnum.Time,
  DATE: ColumnTypeEnum.Date,
  TEXT: ColumnTypeEnum.Text,
  CLOB: ColumnTypeEnum.Text,
  CHARACTER: ColumnTypeEnum.Text,
  VARCHAR: ColumnTypeEnum.Text,
  "VARYING CHARACTER": ColumnTypeEnum.Text,
  NCHAR: ColumnTypeEnum.Text,
  "NATIVE CHARACTER": ColumnTypeEnum.Text,
  NVARCHAR: ColumnTypeEnum.Text,
  BLOB: ColumnTypeEnum.Bytes,
  BOOLEAN: ColumnTypeEnum.Boolean,
  JSONB: ColumnTypeEnum.Json,
};

/** The result of a statement. Every INTEGER is a bigint: this tells it from a REAL without a fraction. */
interface Result {
  readonly columns: readonly string[];
  readonly types: readonly (string | null)[];
  readonly rows: unknown[][];
}

/** The result in the form that Prisma takes. Changes the values of `rows` in place. */
export function resultSet({ columns, types: declared, rows }: Result): SqlResultSet {
  const its = declaredTypes(declared);
  const columnTypes = columns.map((_, c) => its[c] ?? typeOfValues(rows, c));
  for (const row of rows) {
    for (let c = 0; c < row.length; c++) {
      const value = row[c];
      // Most values stay as they are.
      if (typeof value === "number") row[c] = real(value, columnTypes[c]!);
      else if (typeof value === "bigint") {
        row[c] = integer(value, columnTypes[c]!);
        // An integer beyond the safe range makes the column one of bigints.
        if (typeof row[c] === "string" && columnTypes[c] === ColumnTypeEnum.Int32)
          columnTypes[c] = ColumnTypeEnum.Int64;
      }
    }
  }
  return { columnNames: [...columns], columnTypes, rows };
}

/** Column types by list of declared types. A statement has the same list object for each of its results. */
const known = new WeakMap<Result["types"], readonly (ColumnType | undefined)[]>();

function declaredTypes(declared: Result["types"]): readonly (ColumnType | undefined)[] {
  let its = known.get(declared);
  if (its === undefined) {
    its = declared.map(declaredType);
    known.set(declared, its);
  }
  return its;
}

function declaredType(declared: string | null): ColumnType | undefined {
  // SQLite ignores a length or precision.
  return declared === null ? undefined : BY_DECLARATION[declared.replace(/\s*\(.*$/, "").toUpperCase()];
}

/** The column type of an expression, or of a declaration that Prisma does not know: the type of the first value. */
function typeOfValues(rows: readonly unknown[][], c: number): ColumnType {
  const value = rows.find((row) => row[c] !== null)?.[c] ?? null;
  switch (typeof value) {
    case "string":
      return ColumnTypeEnum.Text;
    case "bigint":
      return ColumnTypeEnum.Int64;
    case "number":
      return ColumnTypeEnum.UnknownNumber;
    default:
      return types.isUint8Array(value) ? ColumnTypeEnum.Bytes : ColumnTypeEnum.Int32;
  }
}

function integer(value: bigint, type: ColumnType): unknown {
  if (type === ColumnTypeEnum.DateTime) return new Date(Number(value)).toISOString();
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function real(value: number, type: ColumnType): unknown {
  if (type === ColumnTypeEnum.DateTime) return new Date(value).toISOString();
  // A REAL in a column of integers.
  return type === ColumnTypeEnum.Int32 || type === ColumnTypeEnum.Int64 ? Math.trunc(value) : value;
}
