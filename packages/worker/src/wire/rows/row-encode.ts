import { types } from "node:util";
import type { SqlValue } from "../protocol.js";
import { type IntegerMode, isSafe } from "../integers.js";

/**
 * Rows as typed columns, which structured clone copies fastest, and which leave the main side the least work. `[rows,
 * ...columns]`; each column is a tuple that starts with its kind.
 */
export type Packet = [rows: number, ...columns: Column[]];

export const Kind = {
  /** `values`: any values */
  MIXED: 0,
  /** `Float64Array, nulls | null` */
  NUMBER: 1,
  /** `BigInt64Array, nulls | null` */
  INT64: 2,
  /** `joined text, Uint32Array of ends, nulls | null` */
  TEXT: 3,
  /** `joined bytes, Uint32Array of ends, nulls | null` */
  BLOB: 4,
  /** no fields: every value is null */
  NULL: 5,
  /** `distinct texts, Uint16Array of indexes`: few texts that repeat; null may be one of them */
  TERMS: 6,
} as const;

export type Column =
  | [kind: 0, values: SqlValue[]]
  | [kind: 1, values: Float64Array, nulls: Uint8Array | null]
  | [kind: 2, values: BigInt64Array, nulls: Uint8Array | null]
  | [kind: 3, text: string, ends: Uint32Array, nulls: Uint8Array | null]
  | [kind: 4, bytes: Uint8Array, ends: Uint32Array, nulls: Uint8Array | null]
  | [kind: 5]
  | [kind: 6, terms: (string | null)[], indexes: Uint16Array];

/** Larger blobs keep their own memory and are transferred; smaller ones are joined. */
const BLOB_JOIN_LIMIT = 4096;

/**
 * Packs `rows`, which were read with safe integers. Adds to `transfer` the memory that can be handed over instead of
 * copied.
 */
export function encodePacket(
  rows: SqlValue[][],
  columns: number,
  mode: IntegerMode,
  transfer: ArrayBuffer[],
): Packet {
  const byColumn = Array.from({ length: columns }, (_, c) => rows.map((row) => row[c]!));
  return encodeColumns(rows.length, byColumn, mode, transfer);
}

/** The same for columns of `rows` values each. */
export function encodeColumns(
  rows: number,
  columns: readonly (readonly SqlValue[])[],
  mode: IntegerMode,
  transfer: ArrayBuffer[],
): Packet {
  const packet: Packet = [rows];
  for (const column of columns) packet.push(encodeColumn(column, mode, transfer));
  return packet;
}

function encodeColumn(column: readonly SqlValue[], mode: IntegerMode, transfer: ArrayBuffer[]): Column {
  const first = column.find((value) => value !== null);
  switch (typeof first) {
    case "undefined":
      return [Kind.NULL];
    case "string":
      return encodeTerms(column) ?? encodeText(column) ?? encodeMixed(column, mode, transfer);
    case "number":
      return encodeNumbers(column, mode, transfer) ?? encodeMixed(column, mode, transfer);
    case "bigint":
      return (
        (mode === "bigint" ? encodeInt64(column) : encodeNumbers(column, mode, transfer)) ??
        encodeMixed(column, mode, transfer)
      );
    default:
      return encodeBlobs(column, transfer) ?? encodeMixed(column, mode, transfer);
  }
}

function encodeNumbers(
  column: readonly SqlValue[],
  mode: IntegerMode,
  transfer: ArrayBuffer[],
): Column | undefined {
  const values = new Float64Array(column.length);
  let nulls: Uint8Array<ArrayBuffer> | null = null;
  for (let r = 0; r < column.length; r++) {
    const value = column[r]!;
    if (typeof value === "number") values[r] = value;
    else if (value === null) (nulls ??= new Uint8Array(column.length))[r] = 1;
    else if (typeof value === "bigint") {
      if (mode === "bigint" || (mode === "auto" && !isSafe(value))) return undefined;
      values[r] = Number(value);
    } else return undefined;
  }
  transfer.push(values.buffer);
  return [Kind.NUMBER, values, nulls];
}

function encodeInt64(column: readonly SqlValue[]): Column | undefined {
  const values = new BigInt64Array(column.length);
  let nulls: Uint8Array | null = null;
  for (let r = 0; r < column.length; r++) {
    const value = column[r]!;
    if (typeof value === "bigint") values[r] = value;
    else if (value === null) (nulls ??= new Uint8Array(column.length))[r] = 1;
    else return undefined;
  }
  return [Kind.INT64, values, nulls];
}

function encodeText(column: readonly SqlValue[]): Column | undefined {
  const ends = new Uint32Array(column.length);
  let nulls: Uint8Array | null = null;
  let end = 0;
  for (let r = 0; r < column.length; r++) {
    const value = column[r]!;
    if (typeof value === "string") end += value.length;
    else if (value === null) (nulls ??= new Uint8Array(column.length))[r] = 1;
    else return undefined;
    ends[r] = end;
  }
  // join() turns null into an empty text.
  return [Kind.TEXT, column.join(""), ends, nulls];
}

const TERMS_SAMPLE = 64;
const TERMS_MIN_ROWS = 256;

/** Undefined unless a sample, and then the whole column, has few distinct texts. */
function encodeTerms(column: readonly SqlValue[]): Column | undefined {
  if (column.length < TERMS_MIN_ROWS) return undefined;
  const limit = column.length >> 3;
  const terms: (string | null)[] = [];
  const numbers = new Map<string | null, number>();
  const indexes = new Uint16Array(column.length);
  for (let r = 0; r < column.length; r++) {
    const value = column[r]!;
    let number = numbers.get(value as string | null);
    if (number === undefined) {
      if (value !== null && typeof value !== "string") return undefined;
      number = terms.push(value) - 1;
      if (number > limit || (r < TERMS_SAMPLE && number > TERMS_SAMPLE / 2)) return undefined;
      numbers.set(value, number);
    }
    indexes[r] = number;
  }
  return [Kind.TERMS, terms, indexes];
}

function encodeBlobs(column: readonly SqlValue[], transfer: ArrayBuffer[]): Column | undefined {
  const ends = new Uint32Array(column.length);
  let nulls: Uint8Array | null = null;
  let end = 0;
  for (let r = 0; r < column.length; r++) {
    const value = column[r]!;
    if (value === null) (nulls ??= new Uint8Array(column.length))[r] = 1;
    else if (!types.isUint8Array(value) || value.byteLength > BLOB_JOIN_LIMIT) return undefined;
    else end += value.byteLength;
    ends[r] = end;
  }
  const bytes = new Uint8Array(end);
  let start = 0;
  for (let r = 0; r < column.length; r++) {
    const value = column[r];
    if (types.isUint8Array(value)) bytes.set(value, start);
    start = ends[r]!;
  }
  transfer.push(bytes.buffer);
  return [Kind.BLOB, bytes, ends, nulls];
}

function encodeMixed(column: readonly SqlValue[], mode: IntegerMode, transfer: ArrayBuffer[]): Column {
  const values: SqlValue[] = new Array(column.length);
  for (let r = 0; r < column.length; r++) {
    const value = column[r]!;
    if (typeof value === "bigint" && mode !== "bigint") {
      values[r] = mode === "number" || isSafe(value) ? Number(value) : value;
    } else {
      values[r] = value;
      if (types.isUint8Array(value)) pushTransfer(value, transfer);
    }
  }
  return [Kind.MIXED, values];
}

/** Adds the blob's memory to `transfer` if the blob owns all of it. A view into shared memory is copied instead. */
export function pushTransfer(blob: Uint8Array, transfer: ArrayBuffer[]): void {
  const { buffer } = blob;
  if (types.isArrayBuffer(buffer) && buffer.byteLength === blob.byteLength && buffer.byteLength > 0) {
    transfer.push(buffer);
  }
}

/** The size of a value for the byte limit of a packet. */
export function sizeOf(value: SqlValue): number {
  if (typeof value === "string") return value.length;
  return typeof value === "object" && types.isUint8Array(value) ? value.byteLength : 8;
}
