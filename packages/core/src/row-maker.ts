import { isSafe, type IntegerMode } from "@sqlite-aio/worker/wire";
import { converterOf } from "./adapters.js";
import type { Cursor } from "./cursor.js";
import { Row } from "./row.js";
import type { Shape } from "./statement-cache.js";

/** A row as the row factory made it: only the caller knows its type. */
// oxlint-disable-next-line typescript/no-explicit-any -- `unknown` would make every caller cast every row
export type AnyRow = any;

/** `null` for arrays, {@link Row} for objects, or a function that makes the row. */
export type RowFactory = null | typeof Row | ((cursor: Cursor, row: unknown[]) => unknown);

/** `String`, `Buffer`, or a function given the UTF-8 bytes of a TEXT value. */
export type TextFactory = StringConstructor | typeof Buffer | ((bytes: Buffer) => unknown);

/** What decides how a row is made. */
export interface RowSettings {
  readonly rowFactory: RowFactory;
  readonly textFactory: TextFactory;
  readonly detectTypes: number;
  readonly integers: IntegerMode;
}

/** Whether the channel can build the final rows by itself, as objects. */
export function buildsObjects(settings: RowSettings): boolean {
  return settings.rowFactory === Row && !touchesCells(settings);
}

/** Makes the final rows of what the channel built; in place where they are final already. */
export function makeRows(
  rows: unknown[],
  shape: Shape | null,
  settings: RowSettings,
  cursor: () => Cursor,
): unknown[] {
  if (rows.length === 0 || buildsObjects(settings)) return rows;
  if (touchesCells(settings)) convertCells(rows as unknown[][], shape, settings);
  const { rowFactory } = settings;
  if (rowFactory === null) return rows;
  const owner = cursor();
  return rows.map((row) => rowFactory(owner, row as unknown[]));
}

function touchesCells(settings: RowSettings): boolean {
  return settings.detectTypes !== 0 || settings.textFactory !== String;
}

/** With `detectTypes` every INTEGER comes as a bigint, so that a converter can be given the bytes SQLite would give. */
function convertCells(rows: unknown[][], shape: Shape | null, settings: RowSettings): void {
  const { detectTypes, textFactory } = settings;
  const width = rows[0]!.length;
  for (let c = 0; c < width; c++) {
    const convert =
      shape === null ? undefined : converterOf(detectTypes, shape.names[c]!, shape.types[c] ?? null);
    for (const row of rows) {
      const value = row[c];
      if (value === null) continue;
      if (convert !== undefined) row[c] = convert(bytesOf(value));
      else if (typeof value === "string") {
        if (textFactory !== String) row[c] = makeText(textFactory, value);
      } else if (typeof value === "bigint" && detectTypes !== 0)
        row[c] = fromBigint(value, settings.integers);
    }
  }
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

/** REAL as SQLite prints it (`%!.15g`): 15 significant digits, and never without a point or an exponent. */
function realText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [mantissa = "", exponentText = "0"] = value.toExponential(14).split("e");
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 15) {
    const digits = mantissa.replace(/0+$/, "");
    const sign = exponent < 0 ? "-" : "+";
    return `${digits.endsWith(".") ? `${digits}0` : digits}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const fixed = value.toFixed(Math.min(100, Math.max(0, 14 - exponent)));
  if (!fixed.includes(".")) return `${fixed}.0`;
  const trimmed = fixed.replace(/0+$/, "");
  return trimmed.endsWith(".") ? `${trimmed}0` : trimmed;
}
