import type { IntegerMode, SqlValue } from "@sqlite-aio/worker/wire";
import * as fc from "fast-check";

/** What a caller may bind as it is. */
export type Bound = null | undefined | boolean | number | bigint | string | Uint8Array;

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

const integers = fc.oneof(
  fc.integer({ min: -300, max: 300 }),
  fc.maxSafeInteger(),
  fc.bigInt({ min: MIN_INT64, max: MAX_INT64 }),
  fc.constantFrom(
    MAX_INT64,
    MIN_INT64,
    MAX_SAFE,
    MAX_SAFE + 1n,
    -MAX_SAFE,
    -MAX_SAFE - 1n,
    2 ** 31,
    -(2 ** 31) - 1,
  ),
);
const reals = fc.oneof(
  fc.double(),
  fc.double({ min: -1000, max: 1000, noNaN: true }),
  fc.constantFrom(-0, 0.1, 2 ** 53, -(2 ** 53), 2 ** 63, -(2 ** 63), 5e-324, Number.MAX_VALUE, Number.NaN),
);
const texts = fc.oneof(
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.string({ unit: "grapheme", maxLength: 30 }),
  fc.constantFrom(
    "",
    "\0",
    "a\0b",
    "\ufeff",
    "\uffff",
    "\u{10ffff}",
    "1",
    "1.0",
    "-0",
    "NULL",
    "null",
    "x'00'",
    "'",
    '"',
  ),
);
/** Longer than what travels in the reply itself, now and then. */
const longTexts = fc.string({ unit: "binary", minLength: 300, maxLength: 3000 });
const blobs = fc.uint8Array({ maxLength: 40 });
const longBlobs = fc.uint8Array({ minLength: 4000, maxLength: 4200 });
const nothing = fc.constantFrom(null, undefined);

/** Any value that a column without a type takes. */
export const values: fc.Arbitrary<Bound> = fc.oneof(
  { weight: 4, arbitrary: integers },
  { weight: 4, arbitrary: reals },
  { weight: 5, arbitrary: texts },
  { weight: 3, arbitrary: blobs },
  { weight: 1, arbitrary: longTexts },
  { weight: 1, arbitrary: longBlobs },
  { weight: 1, arbitrary: fc.boolean() },
  { weight: 1, arbitrary: nothing },
);

/** Values of one kind, as most columns have them: such a column crosses to the other side as a typed array or one text. */
const columns: readonly fc.Arbitrary<Bound>[] = [
  values,
  integers,
  reals,
  fc.oneof(integers, reals),
  texts,
  fc.constantFrom("few", "texts", "", "ä"),
  fc.oneof(fc.constantFrom("few", "texts"), nothing),
  blobs,
  fc.oneof(fc.integer(), nothing),
  fc.oneof({ weight: 3, arbitrary: texts }, { weight: 1, arbitrary: nothing }),
  fc.oneof({ weight: 3, arbitrary: blobs }, { weight: 1, arbitrary: nothing }),
  nothing,
];

/** Names of columns that SQLite takes as different. */
export const columnNames = (count: number): fc.Arbitrary<string[]> =>
  fc.uniqueArray(
    fc.oneof(
      fc.string({ unit: "binary", minLength: 1, maxLength: 12 }).filter((name) => !name.includes("\0")),
      fc.constantFrom(
        "__proto__",
        "constructor",
        "toString",
        "hasOwnProperty",
        "rowid x",
        "select",
        "0",
        "1e3",
        "]",
        "`",
        '"',
        "'",
        "\u2028",
        "a.b",
        "${x}",
        "*/",
        "--",
      ),
    ),
    {
      minLength: count,
      maxLength: count,
      selector: (name) => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
    },
  );

/** A table: names of its columns, and rows. */
export interface Table {
  readonly names: readonly string[];
  readonly rows: readonly (readonly Bound[])[];
  /** So many of them are different. */
  readonly drawn: number;
}

/** Few rows, or the same ones so often that they fill a packet or several. */
export const tables: fc.Arbitrary<Table> = fc
  .record({
    kinds: fc.array(fc.nat({ max: columns.length - 1 }), { minLength: 1, maxLength: 6 }),
    rows: fc.integer({ min: 1, max: 60 }),
    atLeast: fc.oneof(
      { weight: 12, arbitrary: fc.constant(0) },
      { weight: 3, arbitrary: fc.constant(300) },
      { weight: 1, arbitrary: fc.constant(2100) },
    ),
  })
  .chain(({ kinds, rows, atLeast }) =>
    fc
      .tuple(
        columnNames(kinds.length),
        fc.array(fc.tuple(...kinds.map((kind) => columns[kind]!)), { minLength: rows, maxLength: rows }),
      )
      .map(([names, some]) => {
        const times = Math.ceil(atLeast / some.length);
        return {
          names,
          drawn: some.length,
          rows: times < 2 ? some : Array.from({ length: times }, () => some).flat(),
        };
      }),
  );

/** What SQLite stores of a value; an INTEGER is a bigint here. */
export function stored(value: Bound): SqlValue {
  switch (typeof value) {
    case "undefined":
      return null;
    case "boolean":
      return value ? 1n : 0n;
    case "number":
      if (Number.isNaN(value)) return null;
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value) : value;
    default:
      return value;
  }
}

/** What is read of a stored value. */
export function read(value: SqlValue, mode: IntegerMode): SqlValue {
  if (typeof value !== "bigint" || mode === "bigint") return value;
  return mode === "number" || (value <= MAX_SAFE && value >= -MAX_SAFE) ? Number(value) : value;
}
