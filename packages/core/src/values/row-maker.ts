import { Flag, isSafe, type IntegerMode, objectBuilder } from "@sqlite-aio/worker/wire";
import { columnName, converterOf } from "./adapters.js";
import { realText } from "./real-text.js";
import { Row } from "./row.js";
import type { Shape } from "./shape.js";
import { SqliteRow, sqliteRowMaker } from "./sqlite-row.js";

/** A row of the row factory; only the caller knows its type. It is an array, unless `rowFactory` says otherwise. */
// oxlint-disable-next-line typescript/no-explicit-any -- `unknown` would make every caller cast every row
export type AnyRow = any[] & { readonly [column: string]: any };

/** An {@link AnyRow} in a loop over a cursor, where no type can be given. */
// oxlint-disable-next-line typescript/no-explicit-any -- as above
export type LoopRow = any;

/** A row factory. Its cursor's type is unknown in this folder. */
type MakesRow = (cursor: never, row: unknown[]) => unknown;

/** `String`, `Buffer`, or a function that gets the UTF-8 bytes of a TEXT value. */
export type TextFactory = typeof Buffer | ((bytes: Buffer) => unknown);

/** The settings that decide how rows are built. */
export interface RowSettings {
  readonly rowFactory: MakesRow | null;
  readonly textFactory: TextFactory;
  readonly detectTypes: number;
  readonly integers: IntegerMode;
}

/** Whether the rows can be built as objects when they are decoded. */
export function buildsObjects(settings: RowSettings): boolean {
  return settings.rowFactory === Row && !touchesCells(settings);
}

/** The flag of a QUERY whose rows are built with these settings: they need the bytes of TEXT values. */
export function rawTextFlag(settings: RowSettings): number {
  return touchesCells(settings) ? Flag.RAW_TEXT : 0;
}

/** A copy of the present settings. */
export function rowSettings({ rowFactory, textFactory, detectTypes, integers }: RowSettings): RowSettings {
  return { rowFactory, textFactory, detectTypes, integers };
}

/** Rows as they were answered. */
export interface AnsweredRows {
  readonly rows: unknown[];
  readonly shape: Shape | null;
  /** They are objects already. */
  readonly objects: boolean;
  /** Each character of a text is a byte of its UTF-8. */
  readonly rawText?: boolean;
}

/** Builds the rows of an answered call. `settings` are those of the time of the call; `cursor` is for a row factory. */
export function makeRows(call: AnsweredRows, settings: RowSettings, cursor?: () => unknown): unknown[] {
  const { rows, rawText = false } = call;
  const asTheyAre = settings.rowFactory === null && !rawText && !touchesCells(settings);
  if (rows.length === 0 || call.objects || asTheyAre) return rows;
  const make = rowMaker(call.shape, settings, rawText, cursor);
  return rows.map((row) => make(row as unknown[]));
}

/** Builds the final row from an array of cells. */
export type RowMaker = (cells: unknown[]) => unknown;

/**
 * A function that builds rows of this shape. `cursor` gives the row factory's argument, and is required if there is a
 * row factory.
 */
export function rowMaker(
  shape: Shape | null,
  settings: RowSettings,
  rawText: boolean,
  cursor?: () => unknown,
): RowMaker {
  const { rowFactory } = settings;
  const convert = rawText || touchesCells(settings) ? cellConverter(shape, settings, rawText) : unchanged;
  if (rowFactory === null) return convert;
  if (rowFactory === Row && shape !== null) {
    const build = objectBuilder(shape.names.map((name) => columnName(settings.detectTypes, name)));
    return (cells) => build(convert(cells), 0);
  }
  if (rowFactory === SqliteRow && shape !== null) {
    const make = sqliteRowMaker(shape.names.map((name) => columnName(settings.detectTypes, name)));
    return (cells) => make(convert(cells));
  }
  const owner = cursor!() as never;
  return (cells) => rowFactory(owner, convert(cells));
}

function unchanged(cells: unknown[]): unknown[] {
  return cells;
}

function touchesCells(settings: RowSettings): boolean {
  return settings.detectTypes !== 0 || settings.textFactory !== String;
}

/**
 * Converts cells. With `detectTypes`, every INTEGER comes as a bigint, so that a converter can get SQLite's own bytes.
 */
function cellConverter(
  shape: Shape | null,
  settings: RowSettings,
  rawText: boolean,
): (cells: unknown[]) => unknown[] {
  const { detectTypes, textFactory, integers } = settings;
  const encoding = rawText ? "latin1" : "utf8";
  const converters =
    detectTypes === 0 || shape === null
      ? null
      : shape.names.map((name, c) => converterOf(detectTypes, name, shape.types[c] ?? null));
  return (cells) => {
    for (let c = 0; c < cells.length; c++) {
      const value = cells[c];
      if (value === null) continue;
      const convert = converters?.[c];
      if (convert !== undefined) {
        const bytes = bytesOf(value, encoding);
        // As in CPython: SQLite returns a null pointer for an empty value.
        cells[c] = bytes.length === 0 ? null : convert(bytes);
      } else if (typeof value === "string") {
        if (textFactory !== String) cells[c] = makeText(textFactory, Buffer.from(value, encoding));
        else if (rawText) cells[c] = decoded(value);
      } else if (typeof value === "bigint" && detectTypes !== 0) cells[c] = fromBigint(value, integers);
    }
    return cells;
  };
}

function makeText(factory: TextFactory, bytes: Buffer): unknown {
  return factory === Buffer ? bytes : (factory as (bytes: Buffer) => unknown)(bytes);
}

/** The text of a raw one. */
function decoded(text: string): string {
  return /[^\0-\x7f]/.test(text) ? Buffer.from(text, "latin1").toString("utf8") : text;
}

function fromBigint(value: bigint, mode: IntegerMode): number | bigint {
  return mode !== "bigint" && (mode === "number" || isSafe(value)) ? Number(value) : value;
}

/** The bytes that SQLite returns for a value that is read as a blob. */
function bytesOf(value: unknown, encoding: "latin1" | "utf8"): Buffer {
  if (Buffer.isBuffer(value)) return value;
  return Buffer.from(typeof value === "number" ? realText(value) : String(value), encoding);
}
