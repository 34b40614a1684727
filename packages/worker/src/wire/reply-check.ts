import { types } from "node:util";
import { isFault } from "./fault.js";
import { isCount, malformed, MAX_ROWS } from "./malformed.js";
import { Answer, MAX_UNDER_WAY, MORE_COMING, MORE_WAITING, type Reply } from "./protocol.js";

/** SQLite's own limit cannot be set higher. */
const MAX_COLUMNS = 32_767;

/** Throws unless a reply begins with a valid head and shapes. */
export function checkHead(reply: unknown): asserts reply is Reply {
  if (!Array.isArray(reply) || !isCount(reply[0]) || typeof reply[1] !== "number" || !isCount(reply[2])) {
    throw malformed("a reply");
  }
  const end = 3 + 4 * reply[2];
  if (end > reply.length) throw malformed("a reply");
  for (let at = 3; at < end; at += 4) {
    const [id, names, declared, origins] = reply.slice(at, at + 4) as unknown[];
    const right =
      isCount(id) &&
      Array.isArray(names) &&
      names.every((name) => typeof name === "string") &&
      Array.isArray(declared) &&
      declared.length === names.length &&
      declared.every(isNameOrNull) &&
      Array.isArray(origins) &&
      (origins.length === 0 || origins.length === 3 * names.length) &&
      origins.every(isNameOrNull);
    if (!right) throw malformed("a shape");
  }
}

/** Returns where the answer at `at` ends. Throws if it is incomplete. Rows and packets are checked by their readers. */
export function answerEnd(reply: Reply, at: number): number {
  const end = lengthOf(reply, at) + at;
  // Also true for NaN.
  if (!(end <= reply.length)) throw malformed("an answer");
  return end;
}

/** The length of the answer; NaN if it is none. */
function lengthOf(reply: Reply, at: number): number {
  const first = reply[at + 1];
  const second = reply[at + 2];
  switch (reply[at]) {
    case Answer.SKIPPED:
    case Answer.REFUSED:
      return 1;
    case Answer.DONE:
    case Answer.COUNTS:
      return typeof first === "number" && (typeof second === "number" || typeof second === "bigint")
        ? 3
        : NaN;
    case Answer.ROWS: {
      const columns = reply[at + 3];
      const right = isMore(first) && isCount(second, MAX_ROWS) && isCount(columns, MAX_COLUMNS);
      return right ? 4 + second * columns : NaN;
    }
    case Answer.PACKET:
      return isMore(first) && Array.isArray(second) ? 3 : NaN;
    case Answer.BLOCK:
      return isMore(first) ? 3 : NaN;
    case Answer.FAULT:
      return isFault(first) ? 2 : NaN;
    case Answer.VALUE:
    case Answer.MEMORY:
      return 2;
    case Answer.TRACE:
      return typeof first === "string" ? 2 : NaN;
    case Answer.CHANGES:
      return isReport(first) ? 2 : NaN;
    case Answer.HOOKS:
      return isHookEvents(first) ? 2 : NaN;
    case Answer.TIMING:
      return typeof first === "number" && typeof second === "number" ? 3 : NaN;
    case Answer.POSTPONED:
      return isCount(first, MAX_UNDER_WAY) && isCount(second, MAX_UNDER_WAY) ? 3 : NaN;
    default:
      return NaN;
  }
}

function isNameOrNull(value: unknown): boolean {
  return value === null || typeof value === "string";
}

function isMore(more: unknown): boolean {
  return isCount(more, MORE_COMING | MORE_WAITING);
}

function isHookEvents(events: unknown): boolean {
  if (typeof events !== "object" || events === null) return false;
  const { tables, events: whats, rowids } = events as Record<string, unknown>;
  const names = (pair: unknown): boolean =>
    Array.isArray(pair) && pair.every((name) => typeof name === "string");
  return (
    Array.isArray(tables) &&
    tables.every(names) &&
    types.isInt32Array(whats) &&
    types.isBigInt64Array(rowids) &&
    whats.length === rowids.length
  );
}

function isReport(report: unknown): boolean {
  if (typeof report !== "object" || report === null) return false;
  const { tables, schema, anything } = report as Record<string, unknown>;
  if (typeof schema !== "boolean" || typeof anything !== "boolean" || !Array.isArray(tables)) return false;
  return tables.every((entry: unknown) => {
    if (typeof entry !== "object" || entry === null) return false;
    const { database, table, rowids } = entry as Record<string, unknown>;
    return (
      typeof database === "string" &&
      typeof table === "string" &&
      (rowids === null || types.isBigInt64Array(rowids))
    );
  });
}
