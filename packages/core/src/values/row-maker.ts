import { isSafe, type IntegerMode, objectBuilder } from "@sqlite-aio/worker/wire";
import { columnName, converterOf } from "./adapters.js";
import { realText } from "./real-text.js";
import { Row } from "./row.js";
import type { Shape } from "./shape.js";
import { SqliteRow, sqliteRowMaker } from "./sqlite-row.js";

/** A row as the row factory made it, whose type only the caller knows: an array, unless `rowFactory` says otherwise. */
// oxlint-disable-next-line typescript/no-explicit-any -- `unknown` would make every caller cast every row
export type AnyRow = any[] & { readonly [column: string]: any };

/** An {@link AnyRow} where no type can be given: of a loop over a cursor. */
// oxlint-disable-next-line typescript/no-explicit-any -- as above
export type LoopRow = any;

/** A row factory, whose cursor is not for this folder to know. */
type MakesRow = (cursor: never, row: unknown[]) => unknown;

/** `String`, `Buffer`, or a function given the UTF-8 bytes of a TEXT value. */
export type TextFactory = typeof Buffer | ((bytes: Buffer) => unknown);

/** What decides how a row is made. */
export interface RowSettings {
  readonly rowFactory: MakesRow | null;
  readonly textFactory: TextFactory;
  readonly detectTypes: number;
  readonly integers: IntegerMode;
}

/** Whether the channel can build the final rows by itself, as objects. */
export function buildsObjects(settings: RowSettings): boolean {
  return settings.rowFactory === Row && !touchesCells(settings);
}

/** The settings of this moment. */
export function rowSettings({ rowFactory, textFactory, detectTypes, integers }: RowSettings): RowSettings {
  return { rowFactory, textFactory, detectTypes, integers };
}

/**
 * The rows of an answered call, as `settings`, those of the time of the call, want them; `cursor` is for a row factory.
 */
export function makeRows(
  call: { readonly rows: unknown[]; readonly shape: Shape | null; readonly objects: boolean },
  settings: RowSettings,
  cursor?: () => unknown,
): unknown[] {
  const { rows } = call;
  if (rows.length === 0 || call.objects || (settings.rowFactory === null && !touchesCells(settings)))
    return rows;
  const make = rowMaker(call.shape, settings, cursor);
  return rows.map((row) => make(row as unknown[]));
}

/** Makes the final row of an array of cells. */
export type RowMaker = (cells: unknown[]) => unknown;

/** How rows of this shape are made; `cursor` is what a row factory is given, and needed where there is one. */
export function rowMaker(shape: Shape | null, settings: RowSettings, cursor?: () => unknown): RowMaker {
  const { rowFactory } = settings;
  const convert = touchesCells(settings) ? cellConverter(shape, settings) : unchanged;
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

/** With `detectTypes` every INTEGER comes as a bigint, so that a converter can be given the bytes SQLite would give. */
function cellConverter(shape: Shape | null, settings: RowSettings): (cells: unknown[]) => unknown[] {
  const { detectTypes, textFactory, integers } = settings;
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
        const bytes = bytesOf(value);
        // As in CPython, to which SQLite says of no bytes that there are none.
        cells[c] = bytes.length === 0 ? null : convert(bytes);
      } else if (typeof value === "string") {
        if (textFactory !== String) cells[c] = makeText(textFactory, value);
      } else if (typeof value === "bigint" && detectTypes !== 0) cells[c] = fromBigint(value, integers);
    }
    return cells;
  };
}

function makeText(factory: TextFactory, text: string): unknown {
  const bytes = Buffer.from(text, "utf8");
  return factory === Buffer ? bytes : (factory as (bytes: Buffer) => unknown)(bytes);
}

function fromBigint(value: bigint, mode: IntegerMode): number | bigint {
  return mode !== "bigint" && (mode === "number" || isSafe(value)) ? Number(value) : value;
}

/** The bytes SQLite gives for a value read as a blob. */
function bytesOf(value: unknown): Buffer {
  if (Buffer.isBuffer(value)) return value;
  return Buffer.from(typeof value === "number" ? realText(value) : String(value), "utf8");
}
