import * as codes from "../limit-codes.js";
import { isRecord } from "./option-table.js";

/** Limits by node:sqlite's names. */
const CATEGORIES = {
  length: codes.SQLITE_LIMIT_LENGTH,
  sqlLength: codes.SQLITE_LIMIT_SQL_LENGTH,
  column: codes.SQLITE_LIMIT_COLUMN,
  exprDepth: codes.SQLITE_LIMIT_EXPR_DEPTH,
  compoundSelect: codes.SQLITE_LIMIT_COMPOUND_SELECT,
  vdbeOp: codes.SQLITE_LIMIT_VDBE_OP,
  functionArg: codes.SQLITE_LIMIT_FUNCTION_ARG,
  attach: codes.SQLITE_LIMIT_ATTACHED,
  likePatternLength: codes.SQLITE_LIMIT_LIKE_PATTERN_LENGTH,
  variableNumber: codes.SQLITE_LIMIT_VARIABLE_NUMBER,
  triggerDepth: codes.SQLITE_LIMIT_TRIGGER_DEPTH,
  workerThreads: codes.SQLITE_LIMIT_WORKER_THREADS,
} as const;

/** Limits of a connection, by name or by number. */
export type Limits = { readonly [name in keyof typeof CATEGORIES]?: number | undefined } & {
  readonly [category: number]: number;
};

/** Checks the limits of a connection. Throws TypeError or RangeError. */
export function resolveLimits(limits: unknown): [category: number, limit: number][] {
  if (!isRecord(limits)) throw new TypeError('option "limits" must be an object');
  const given = Object.entries(limits).filter(([, limit]) => limit !== undefined);
  return given.map(([name, limit]) => [categoryOf(name), checkLimit(name, limit)]);
}

const NUMBERS: ReadonlySet<number> = new Set(Object.values(CATEGORIES));

function categoryOf(name: string): number {
  if (Object.hasOwn(CATEGORIES, name)) return CATEGORIES[name as keyof typeof CATEGORIES];
  if (NUMBERS.has(Number(name))) return Number(name);
  throw new TypeError(`option "limits": there is no limit "${name}"`);
}

function checkLimit(name: string, limit: unknown): number {
  if (typeof limit !== "number" || !Number.isInteger(limit))
    throw new TypeError(`option "limits": "${name}" must be an integer`);
  if (limit < 0 || limit > 0x7fffffff)
    throw new RangeError(`option "limits": "${name}" must be from 0 to 2147483647`);
  return limit;
}
