import { types } from "node:util";
import type { ArgType, SqlQuery } from "@prisma/driver-adapter-utils";
import { factsOf, skipBlank, tokenEnd } from "@sqlite-aio/worker/sql";
import type { Bindable } from "../../values/bind.js";

/** How a DateTime is stored. */
export type TimestampFormat = "iso8601" | "unixepoch-ms";

/** A query in the form that the pool takes. */
export interface BoundQuery {
  readonly sql: string;
  readonly parameters: readonly Bindable[];
}

/** Converts a query of Prisma's, which has most values in their JSON form with their types beside them. */
export function boundQuery({ sql, args, argTypes }: SqlQuery, format: TimestampFormat): BoundQuery {
  const parameters = args.map((value, i) => argument(value, argTypes[i], format));
  const whole = parameters.some((value, i) => isReal(argTypes[i]) && Number.isSafeInteger(value));
  return { sql: whole ? withReals(sql, argTypes) : sql, parameters };
}

function argument(value: unknown, type: ArgType | undefined, format: TimestampFormat): Bindable {
  if (types.isDate(value)) return timestamp(value, format);
  if (typeof value !== "string") return value as Bindable;
  switch (type?.scalarType) {
    case "int":
      return Number.parseInt(value, 10);
    case "float":
    case "decimal":
      return Number.parseFloat(value);
    case "bigint":
      return BigInt(value);
    case "datetime":
      return timestamp(new Date(value), format);
    case "bytes":
      return Buffer.from(value, "base64");
    default:
      return value;
  }
}

function timestamp(date: Date, format: TimestampFormat): string | number {
  // Prisma's own engine wrote the offset in this form, and SQLite compares text as text.
  return format === "unixepoch-ms" ? date.getTime() : date.toISOString().replace("Z", "+00:00");
}

function isReal(type: ArgType | undefined): boolean {
  return type?.scalarType === "decimal" || type?.scalarType === "float";
}

/**
 * The pool binds a number without a fraction as INTEGER, and SQLite divides integers without a fraction: half of the
 * Decimal 5 would be 2. So such a parameter is made a REAL where the statement computes with it.
 */
function withReals(sql: string, argTypes: readonly ArgType[]): string {
  // A plain INSERT needs no change, because the column converts the value. Reading the text of a long INSERT would cost
  // too much.
  if (factsOf(sql).inserts && !sql.includes("/")) return sql;
  const names = new Map<string, number>();
  let text = "";
  let copied = 0;
  let last = 0;
  for (let at = skipBlank(sql, 0); at < sql.length; ) {
    const end = tokenEnd(sql, at);
    const token = sql.slice(at, end);
    if (/^[?:@$]/.test(token)) {
      const index = /^\?\d/.test(token) ? Number(token.slice(1)) : (names.get(token) ?? last + 1);
      if (token !== "?") names.set(token, index);
      last = Math.max(last, index);
      if (isReal(argTypes[index - 1])) {
        text += `${sql.slice(copied, at)}(${token}*1.0)`;
        copied = end;
      }
    }
    at = skipBlank(sql, end);
  }
  return text + sql.slice(copied);
}
