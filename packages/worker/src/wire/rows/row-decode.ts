import { types } from "node:util";
import { malformed } from "../malformed.js";
import { type Column, Kind, type Packet } from "./row-encode.js";
import { checkPacket } from "./row-check.js";
import type { SqlValue } from "../protocol.js";
import { separateTexts } from "./text-pieces.js";

/** A row as an array in column order. */
export type ArrayRow = SqlValue[];
/** A row as a plain object. If columns have the same name, the last one wins. */
export type ObjectRow = Record<string, SqlValue>;

type Blob = (bytes: Uint8Array, start: number, end: number) => Buffer;
/** A column whose values exist, or can be cut out one by one. */
type ReadColumn = Exclude<Column, [kind: 3, ...rest: unknown[]]>;
type PacketBuilder = (out: unknown[], rows: number, columns: ReadColumn[], blob: Blob) => void;
export type ObjectBuilder = (cells: readonly unknown[], start: number) => ObjectRow;

/**
 * Maximum size of each cache of generated code. Beyond it, the oldest shape is dropped and compiled again when it
 * returns.
 */
const MAX_SHAPES = 500;

const packetBuilders = new Map<string, PacketBuilder>();
const objectBuilders = new Map<string, ObjectBuilder>();

/** Appends the rows of `packet` to `out`: objects with `names`, arrays without. Throws if it is no packet. */
export function appendPacket(out: unknown[], packet: Packet, names: readonly string[] | null): void {
  checkPacket(packet);
  const [rows, ...joined] = packet;
  const columns = joined.map(withSeparateTexts);
  let key = names === null ? "" : JSON.stringify(names);
  for (const column of columns) {
    key += `|${column[0]}${hasNulls(column) ? "n" : ""}`;
    if (column[0] === Kind.MIXED) adoptBlobs(column[1], 0, rows);
  }
  let build = packetBuilders.get(key);
  if (build === undefined) {
    build = (generatesCode ? compilePacketBuilder : composePacketBuilder)(columns, names);
    rememberShape(packetBuilders, key, build);
  }
  build(out, rows, columns, copyBlob);
}

/** Appends `rows` rows of the flat `cells` from `start` on to `out`: objects with `names`, arrays without. */
export function appendCells(
  out: unknown[],
  cells: unknown[],
  start: number,
  rows: number,
  columns: number,
  names: readonly string[] | null,
): void {
  const end = start + rows * columns;
  adoptBlobs(cells, start, end);
  if (names === null) {
    for (let at = start, r = 0; r < rows; r++, at += columns) out.push(cells.slice(at, at + columns));
    return;
  }
  const build = objectBuilder(names);
  for (let at = start, r = 0; r < rows; r++, at += columns) out.push(build(cells, at));
}

/** Turns Uint8Arrays into Buffers, which structured clone does not keep. Throws for something that is no SQL value. */
function adoptBlobs(cells: unknown[], start: number, end: number): void {
  for (let i = start; i < end; i++) {
    const cell = cells[i];
    if (typeof cell === "object" && cell !== null) {
      if (!types.isUint8Array(cell)) throw malformed("a value");
      cells[i] = Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength);
    } else if (cell === undefined || typeof cell === "boolean") throw malformed("a value");
  }
}

/** Copies a blob. A view would keep the whole packet's memory alive, and transferring it would detach the others. */
function copyBlob(bytes: Uint8Array, start: number, end: number): Buffer {
  const blob = Buffer.allocUnsafeSlow(end - start);
  blob.set(bytes.subarray(start, end));
  return blob;
}

function withSeparateTexts(column: Column): ReadColumn {
  return column[0] === Kind.TEXT ? [Kind.MIXED, separateTexts(column[1], column[2], column[3])] : column;
}

function hasNulls(column: ReadColumn): boolean {
  switch (column[0]) {
    case Kind.NUMBER:
    case Kind.INT64:
      return column[2] !== null;
    case Kind.BLOB:
      return column[3] !== null;
    default:
      return false;
  }
}

function compilePacketBuilder(columns: ReadColumn[], names: readonly string[] | null): PacketBuilder {
  const head: string[] = [];
  const cells = columns.map((column, c) => {
    const nulls = hasNulls(column) ? `n${c}[i] === 1 ? null : ` : "";
    switch (column[0]) {
      case Kind.NULL:
        return "null";
      case Kind.MIXED:
        head.push(`const v${c} = columns[${c}][1];`);
        return `v${c}[i]`;
      case Kind.TERMS:
        head.push(`const v${c} = columns[${c}][1], x${c} = columns[${c}][2];`);
        return `v${c}[x${c}[i]]`;
      case Kind.NUMBER:
      case Kind.INT64:
        head.push(`const v${c} = columns[${c}][1], n${c} = columns[${c}][2];`);
        return `${nulls}v${c}[i]`;
      case Kind.BLOB:
        head.push(
          `const v${c} = columns[${c}][1], e${c} = columns[${c}][2], n${c} = columns[${c}][3]; let p${c} = 0;`,
        );
        return `${nulls}blob(v${c}, p${c}, (p${c} = e${c}[i]))`;
    }
  });
  const row = names === null ? `[${cells.join(", ")}]` : objectLiteral(names, cells);
  return new Function(
    "out, rows, columns, blob",
    `${head.join("\n")}\nfor (let i = 0; i < rows; i++) out.push(${row});`,
  ) as PacketBuilder;
}

/** A function that builds an object from the cells from `start` on. */
export function objectBuilder(names: readonly string[]): ObjectBuilder {
  const key = JSON.stringify(names);
  let build = objectBuilders.get(key);
  if (build === undefined) {
    build = (generatesCode ? compileObjectBuilder : composeObjectBuilder)(names);
    rememberShape(objectBuilders, key, build);
  }
  return build;
}

function compileObjectBuilder(names: readonly string[]): ObjectBuilder {
  const cells = names.map((_, c) => `cells[start + ${c}]`);
  return new Function("cells, start", `return ${objectLiteral(names, cells)};`) as ObjectBuilder;
}

/** `["__proto__"]: v` makes an own property where `"__proto__": v` would set the prototype. */
export function objectLiteral(names: readonly string[], cells: readonly string[]): string {
  const fields = names.map((name, c) => {
    const quoted = JSON.stringify(name);
    return `${name === "__proto__" ? `[${quoted}]` : quoted}: ${cells[c]}`;
  });
  return `({ ${fields.join(", ")} })`;
}

/** The same without generated code. */
function composeObjectBuilder(names: readonly string[]): ObjectBuilder {
  return (cells, start) => {
    const row: ObjectRow = {};
    for (let c = 0; c < names.length; c++) put(row, names[c]!, cells[start + c] as SqlValue);
    return row;
  };
}

function composePacketBuilder(
  columns: readonly ReadColumn[],
  names: readonly string[] | null,
): PacketBuilder {
  const width = columns.length;
  const build = names === null ? null : composeObjectBuilder(names);
  return (out, rows, given, blob) => {
    const readers = given.map((column) => reader(column, blob));
    for (let i = 0; i < rows; i++) {
      const cells: SqlValue[] = new Array(width);
      for (let c = 0; c < width; c++) cells[c] = readers[c]!(i);
      out.push(build === null ? cells : build(cells, 0));
    }
  };
}

/** A function that reads the values of a column in order. */
function reader(column: ReadColumn, blob: Blob): (row: number) => SqlValue {
  switch (column[0]) {
    case Kind.NULL:
      return () => null;
    case Kind.MIXED:
      return (i) => column[1][i]!;
    case Kind.TERMS:
      return (i) => column[1][column[2][i]!]!;
    case Kind.NUMBER:
    case Kind.INT64:
      return (i) => (column[2]?.[i] === 1 ? null : column[1][i]!);
    case Kind.BLOB: {
      const [, bytes, ends, nulls] = column;
      return (i) => (nulls?.[i] === 1 ? null : blob(bytes, i === 0 ? 0 : ends[i - 1]!, ends[i]!));
    }
  }
}

/** Sets an own property, even for the name `__proto__`. */
function put(row: ObjectRow, name: string, value: SqlValue): void {
  if (name !== "__proto__") row[name] = value;
  else Object.defineProperty(row, name, { value, writable: true, enumerable: true, configurable: true });
}

/** False if `--disallow-code-generation-from-strings`, or the context, forbids generated code, which is fastest. */
export const generatesCode = mayGenerateCode();

function mayGenerateCode(): boolean {
  try {
    return new Function("return true")() as boolean;
  } catch {
    return false;
  }
}

/** Caches the code for a shape, and drops the oldest beyond the limit. */
export function rememberShape<T>(cache: Map<string, T>, key: string, value: T): void {
  if (cache.size >= MAX_SHAPES) {
    const oldest = cache.keys().next().value;
    if (oldest !== undefined) cache.delete(oldest);
  }
  cache.set(key, value);
}

/** The parameter sets of a batch, one array each. */
export function packetRows(packet: Packet): ArrayRow[] {
  const rows: ArrayRow[] = [];
  appendPacket(rows, packet, null);
  return rows;
}
