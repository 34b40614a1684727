import { types } from "node:util";
import type { Slot } from "./block-slots.js";
import { malformed, MAX_ROWS } from "../malformed.js";
import type { SqlValue } from "../protocol.js";
import { generatesCode, objectBuilder, objectLiteral, rememberShape } from "./row-decode.js";
import { PIECE_BYTES } from "./text-pieces.js";
import type { TextBuffer } from "../text-buffer.js";

/**
 * Rows in the native companion's form: one block of memory, whose layout `src/packing.h` describes. It is handed over
 * without copying, and has no objects until its rows are built. A block in a slot may be shorter than the slot.
 */
export type RowBlock = ArrayBuffer | Slot;

/** Kinds of columns in a block; see `packing.h`. */
export const BlockKind = {
  NULL: 0,
  INT32: 1,
  FLOAT: 2,
  TEXT: 3,
  TERMS: 4,
  INT64: 5,
  BLOB: 6,
  MIXED: 7,
} as const;

const Tag = { NULL: 0, NUMBER: 1, INT64: 2, TEXT: 3, BLOB: 4 } as const;

/** Bits of a block: these are the last rows; the column names may have changed. */
export const BLOCK_END = 1;
export const BLOCK_REPREPARED = 2;

const HEAD_WORDS = 4;
const COLUMN_WORDS = 6;
const NULL_INT32 = -(2 ** 31);

/** The values of one column, and how its cells are read: one letter, from which the builder is generated. */
interface BlockColumn {
  readonly how: "n" | "v" | "i" | "f" | "t";
  readonly values: ArrayLike<unknown>;
  /** For `t`: the index in `values` for each row. */
  readonly indexes: Uint16Array | null;
}

type BlockBuilder = (out: unknown[], rows: number, columns: readonly BlockColumn[]) => void;

const builders = new Map<string, BlockBuilder>();

/** Number of columns of `block`. Throws if it is no block. */
export function blockColumns(block: unknown): number {
  return headOf(block)[2]!;
}

/** Number of rows of `block`. Throws if it is no block. */
export function blockRows(block: unknown): number {
  return headOf(block)[0]!;
}

/** The flags, such as {@link BLOCK_END}. */
export function blockFlags(block: RowBlock): number {
  return headOf(block)[1]!;
}

/** Appends the rows of `block` to `out`: objects with `names`, arrays without. Throws if it is no block. */
export function appendBlock(out: unknown[], block: unknown, names: readonly string[] | null): void {
  const head = headOf(block);
  const rows = head[0]!;
  if (rows === 0) return;
  const reader = new BlockReader(block as RowBlock, rows);
  const columns: BlockColumn[] = [];
  let key = names === null ? "" : JSON.stringify(names);
  for (let c = 0; c < head[2]!; c++) {
    const column = reader.column(head, HEAD_WORDS + COLUMN_WORDS * c);
    columns.push(column);
    key += column.how;
  }
  let build = builders.get(key);
  if (build === undefined) {
    build = generatesCode ? compileBuilder(columns, names) : composeBuilder(names);
    rememberShape(builders, key, build);
  }
  build(out, rows, columns);
}

/** The memory of a block. Throws if it is no block. */
function bytesOf(block: unknown): Uint8Array {
  if (types.isUint8Array(block)) return block;
  if (!types.isArrayBuffer(block)) throw malformed("a block of rows");
  return new Uint8Array(block);
}

/** The words of the head. Throws if it is incomplete. */
function headOf(block: unknown): Int32Array {
  const { buffer, byteOffset, byteLength } = bytesOf(block);
  if (byteLength < HEAD_WORDS * 4 || byteLength % 8 !== 0) throw malformed("a block of rows");
  const words = new Int32Array(buffer, byteOffset, byteLength / 4);
  const [rows = -1, , columns = -1] = words;
  const fits = HEAD_WORDS + COLUMN_WORDS * columns <= words.length;
  if (rows < 0 || rows > MAX_ROWS || columns < 0 || !fits) throw malformed("a block of rows");
  return words;
}

/** The constructor of a typed array over existing memory. */
type ViewOf<T> = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => T;

class BlockReader {
  readonly #bytes: TextBuffer;
  readonly #rows: number;

  constructor(block: RowBlock, rows: number) {
    const { buffer, byteOffset, byteLength } = bytesOf(block);
    this.#bytes = Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength) as unknown as TextBuffer;
    this.#rows = rows;
  }

  /** The column whose words begin at `at`. */
  column(head: Int32Array, at: number): BlockColumn {
    const what = head[at]!;
    const nullable = (what & 0x100) !== 0;
    const wide = (what & 0x200) !== 0 ? 1 : 0;
    const [cells, text, blobs] = [head[at + 1]! * 8, head[at + 2]! * 8, head[at + 4]! * 8] as const;
    const units = head[at + 3]! >>> 0;
    const bytes = head[at + 5]! >>> 0;
    this.#require(cells, 0);
    this.#require(text, units << wide);
    this.#require(blobs, bytes);
    switch (what & 0xff) {
      case BlockKind.NULL:
        return { how: "n", values: [], indexes: null };
      case BlockKind.INT32:
        return { how: nullable ? "i" : "v", values: this.#int32(cells), indexes: null };
      case BlockKind.FLOAT:
        this.#require(cells, this.#rows * 8);
        return {
          how: nullable ? "f" : "v",
          values: this.#view(Float64Array, cells, this.#rows),
          indexes: null,
        };
      case BlockKind.TEXT:
        return list(this.#texts(this.#int32(cells), text, units, wide));
      case BlockKind.TERMS:
        return this.#terms(cells, text, units, wide, blobs, bytes);
      case BlockKind.INT64:
        return list(this.#int64(cells, nullable));
      case BlockKind.BLOB:
        return list(this.#blobs(this.#int32(cells), blobs, bytes));
      case BlockKind.MIXED:
        return list(this.#mixed(cells, text, units, wide, blobs, bytes));
      default:
        throw malformed("a column of a block");
    }
  }

  #require(offset: number, length: number): void {
    if (offset < 0 || length < 0 || offset + length > this.#bytes.length)
      throw malformed("a column of a block");
  }

  /** A view of `length` values from byte `at` of the block. The caller has checked the bounds. */
  #view<T>(View: ViewOf<T>, at: number, length: number): T {
    return new View(this.#bytes.buffer, this.#bytes.byteOffset + at, length);
  }

  #int32(cells: number): Int32Array {
    this.#require(cells, this.#rows * 4);
    return this.#view(Int32Array, cells, this.#rows);
  }

  #slice(start: number, units: number, wide: number): string {
    return wide === 0
      ? this.#bytes.latin1Slice(start, start + units)
      : this.#bytes.ucs2Slice(start, start + units * 2);
  }

  /** Texts with these lengths (-1 is null), which fill `units` from `at` on. */
  #texts(lengths: Int32Array, at: number, units: number, wide: number): (string | null)[] {
    const rows = lengths.length;
    const texts: (string | null)[] = new Array(rows);
    const most = PIECE_BYTES >> wide;
    let left = units;
    for (let r = 0; r < rows; ) {
      let end = r;
      let size = 0;
      do {
        const length = lengths[end]!;
        if (length > 0) {
          if (size > 0 && size + length > most) break;
          size += length;
        }
        end++;
      } while (end < rows);
      if (size > left) throw malformed("a text of a block");
      const piece = this.#slice(at, size, wide);
      for (let from = 0; r < end; r++) {
        const length = lengths[r]!;
        texts[r] = length < 0 ? null : piece.substring(from, (from += length));
      }
      at += size << wide;
      left -= size;
    }
    if (left !== 0) throw malformed("a text of a block");
    return texts;
  }

  /** A column of few distinct texts: null comes first, then the texts. */
  #terms(
    cells: number,
    text: number,
    units: number,
    wide: number,
    blobs: number,
    bytes: number,
  ): BlockColumn {
    this.#require(cells, this.#rows * 2);
    if (bytes % 4 !== 0) throw malformed("a column of a block");
    const terms = this.#texts(this.#view(Int32Array, blobs, bytes / 4), text, units, wide);
    const indexes = this.#view(Uint16Array, cells, this.#rows);
    for (let r = 0; r < indexes.length; r++)
      if (indexes[r]! > terms.length) throw malformed("a column of a block");
    terms.unshift(null);
    return { how: "t", values: terms, indexes };
  }

  #int64(cells: number, nullable: boolean): ArrayLike<bigint | null> {
    const rows = this.#rows;
    this.#require(cells, rows * 8 + (nullable ? rows : 0));
    const values = this.#view(BigInt64Array, cells, rows);
    if (!nullable) return values;
    const nulls = this.#view(Uint8Array, cells + rows * 8, rows);
    return Array.from(values, (value, r) => (nulls[r] === 1 ? null : value));
  }

  /** Copies a blob. A view would keep the whole packet's memory alive, and transferring it would detach the others. */
  #copy(start: number, length: number): Buffer {
    const blob = Buffer.allocUnsafeSlow(length);
    this.#bytes.copy(blob, 0, start, start + length);
    return blob;
  }

  #blobs(lengths: Int32Array, at: number, bytes: number): (Buffer | null)[] {
    const values: (Buffer | null)[] = new Array(lengths.length);
    let left = bytes;
    for (let r = 0; r < lengths.length; r++) {
      const length = lengths[r]!;
      if (length > left) throw malformed("a blob of a block");
      values[r] = length < 0 ? null : this.#copy(at, length);
      at += Math.max(length, 0);
      left -= Math.max(length, 0);
    }
    return values;
  }

  #mixed(cells: number, text: number, units: number, wide: number, blobs: number, bytes: number): SqlValue[] {
    const rows = this.#rows;
    this.#require(cells, rows * 9);
    const numbers = this.#view(Float64Array, cells, rows);
    const integers = this.#view(BigInt64Array, cells, rows);
    const tags = this.#view(Uint8Array, cells + rows * 8, rows);
    const lengths = (tag: number): Int32Array =>
      Int32Array.from(tags, (each, r) => (each === tag ? Number(integers[r]) : -1));
    const texts = this.#texts(lengths(Tag.TEXT), text, units, wide);
    const buffers = this.#blobs(lengths(Tag.BLOB), blobs, bytes);
    const values: SqlValue[] = new Array(rows);
    for (let r = 0; r < rows; r++) {
      switch (tags[r]) {
        case Tag.NUMBER:
          values[r] = numbers[r]!;
          break;
        case Tag.INT64:
          values[r] = integers[r]!;
          break;
        case Tag.TEXT:
          values[r] = texts[r]!;
          break;
        case Tag.BLOB:
          values[r] = buffers[r]!;
          break;
        case Tag.NULL:
          values[r] = null;
          break;
        default:
          throw malformed("a column of a block");
      }
    }
    return values;
  }
}

function list(values: ArrayLike<unknown>): BlockColumn {
  return { how: "v", values, indexes: null };
}

function compileBuilder(columns: readonly BlockColumn[], names: readonly string[] | null): BlockBuilder {
  const head: string[] = [];
  const cells = columns.map(({ how }, c) => {
    if (how === "n") return "null";
    head.push(`const v${c} = columns[${c}].values; let x${c};`);
    switch (how) {
      case "i":
        return `(x${c} = v${c}[i]) === ${NULL_INT32} ? null : x${c}`;
      case "f":
        return `(x${c} = v${c}[i]) === x${c} ? x${c} : null`;
      case "t":
        head.push(`const t${c} = columns[${c}].indexes;`);
        return `v${c}[t${c}[i]]`;
      default:
        return `v${c}[i]`;
    }
  });
  const row = names === null ? `[${cells.join(", ")}]` : objectLiteral(names, cells);
  return new Function(
    "out, rows, columns",
    `${head.join("\n")}\nfor (let i = 0; i < rows; i++) out.push(${row});`,
  ) as BlockBuilder;
}

/** The same without generated code. */
function composeBuilder(names: readonly string[] | null): BlockBuilder {
  const make = names === null ? null : objectBuilder(names);
  return (out, rows, columns) => {
    for (let i = 0; i < rows; i++) {
      const row = columns.map((column) => cellOf(column, i));
      out.push(make === null ? row : make(row, 0));
    }
  };
}

function cellOf({ how, values, indexes }: BlockColumn, i: number): unknown {
  if (how === "n") return null;
  const value = values[how === "t" ? indexes![i]! : i];
  if (how === "i") return value === NULL_INT32 ? null : value;
  return how === "f" && Number.isNaN(value) ? null : value;
}
