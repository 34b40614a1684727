import { types } from "node:util";
import { isCount, malformed, MAX_ROWS } from "../malformed.js";
import { Kind, type Packet } from "./row-encode.js";

/** Throws unless `packet` has the form of `encodePacket`, which the builders of rows rely on. */
export function checkPacket(packet: unknown): asserts packet is Packet {
  if (!Array.isArray(packet) || !isCount(packet[0], MAX_ROWS)) throw malformed("a packet");
  const rows: number = packet[0];
  for (let c = 1; c < packet.length; c++) {
    const column: unknown = packet[c];
    if (!Array.isArray(column) || !isColumn(column, rows)) throw malformed("a column of a packet");
  }
}

/** The values of a MIXED column are checked where they are read. */
function isColumn(column: readonly unknown[], rows: number): boolean {
  const [kind, first, second, third] = column;
  switch (kind) {
    case Kind.NULL:
      return true;
    case Kind.MIXED:
      return Array.isArray(first) && first.length === rows;
    case Kind.NUMBER:
      return types.isFloat64Array(first) && first.length === rows && areNulls(second, rows);
    case Kind.INT64:
      return types.isBigInt64Array(first) && first.length === rows && areNulls(second, rows);
    case Kind.TEXT:
      return typeof first === "string" && areEnds(second, rows, first.length) && areNulls(third, rows);
    case Kind.BLOB:
      return types.isUint8Array(first) && areEnds(second, rows, first.length) && areNulls(third, rows);
    case Kind.TERMS:
      return Array.isArray(first) && first.every(isTerm) && areIndexes(second, rows, first.length);
    default:
      return false;
  }
}

function isTerm(term: unknown): boolean {
  return term === null || typeof term === "string";
}

function areNulls(nulls: unknown, rows: number): boolean {
  return nulls === null || (types.isUint8Array(nulls) && nulls.length === rows);
}

/** Whether `ends` are the ends of consecutive values of that joined length. */
function areEnds(ends: unknown, rows: number, length: number): boolean {
  if (!types.isUint32Array(ends) || ends.length !== rows) return false;
  let end = 0;
  for (let r = 0; r < rows; r++) {
    if (ends[r]! < end) return false;
    end = ends[r]!;
  }
  return end === length;
}

function areIndexes(indexes: unknown, rows: number, terms: number): boolean {
  if (!types.isUint16Array(indexes) || indexes.length !== rows) return false;
  for (let r = 0; r < rows; r++) if (indexes[r]! >= terms) return false;
  return true;
}
