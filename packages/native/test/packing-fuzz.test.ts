import { expect, test } from "vitest";
import { native, open } from "./engine.ts";
import { packet, readAll } from "./reading.ts";

/** A seeded random generator for numbers from 0 to 1. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

type Value = null | number | bigint | string | Buffer;
type Maker = (random: () => number) => Value;

const pick = <T>(random: () => number, list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
const TEXTS = [
  "",
  "a",
  "abc",
  "é",
  "ÿ",
  "日本",
  "😀",
  "a\0b",
  "\uFFFD",
  "x".repeat(300),
  "ü".repeat(50),
  "語".repeat(40),
];

const MAKERS: readonly Maker[] = [
  () => null,
  (random) => Math.floor(random() * 256) - 128,
  (random) => pick(random, [0, -(2 ** 31), 2 ** 31 - 1, -(2 ** 31) + 1, 2 ** 31, 2 ** 40, -(2 ** 53) + 1]),
  (random) => pick(random, [2n ** 53n, -(2n ** 63n), 2n ** 63n - 1n, -(2n ** 53n)]),
  (random) => random() * 1e6 - 5e5,
  (random) =>
    pick(random, [-0, 0.5, 1e308, -1e308, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324]),
  (random) => `city ${Math.floor(random() * 30)}`,
  (random) => `own ${random()}`,
  (random) => pick(random, TEXTS),
  (random) =>
    Buffer.from(Array.from({ length: Math.floor(random() * 20) }, () => Math.floor(random() * 256))),
  (random) => Buffer.alloc(pick(random, [0, 1, 5000]), 7),
];

/** Makes values of one kind, and now and then one of another kind. */
function column(random: () => number): Maker {
  const usual = pick(random, MAKERS);
  const other = pick(random, MAKERS);
  const nulls = random() < 0.5 ? 0 : random() * 0.5;
  const odd = random() < 0.6 ? 0 : random() < 0.5 ? 0.002 : random();
  return (next) => (next() < nulls ? null : next() < odd ? other(next) : usual(next));
}

test.each(Array.from({ length: 40 }, (_, seed) => seed + 1))(
  "rows of columns of any kinds are written and read as they are (seed %i)",
  (seed) => {
    const random = seeded(seed * 7919);
    const makers = Array.from({ length: 1 + Math.floor(random() * 6) }, () => column(random));
    const count = pick(random, [1, 3, 70, 300, 1500]);
    const rows = Array.from({ length: count }, () => makers.map((make) => make(random)));
    using handle = open();
    const names = makers.map((_, c) => `c${c}`).join(", ");
    handle.db.exec(`create table t (id integer primary key, ${names})`);
    const { id } = native.prepare(
      handle.token,
      `insert into t (${names}) values (${makers.map(() => "?").join(", ")})`,
    )!;
    const progress = new Float64Array(2);
    handle.db.exec("begin");
    native.runMany(handle.token, id, packet(rows), 0, progress);
    handle.db.exec("commit");
    expect([...progress]).toEqual([count, count]);
    const limit = pick(random, [1, 2, 64, 255, 256, 2048]);
    const bytes = pick(random, [1, 500, 20_000, 256 * 1024]);
    expect(readAll(handle.token, `select ${names} from t order by id`, { limit, bytes }).rows).toStrictEqual(
      rows,
    );
    // Integers are read as bigint, whatever other values the column has.
    const big = readAll(handle.token, `select ${names} from t order by id`, { limit, bytes, mode: 1 }).rows;
    expect(
      big.map((row) =>
        row.map((value) =>
          typeof value === "bigint" && BigInt(Number(value)) === value && Number.isSafeInteger(Number(value))
            ? Number(value)
            : value,
        ),
      ),
    ).toStrictEqual(rows);
    expect(big.flat().some((value) => Number.isSafeInteger(value) && !Object.is(value, -0))).toBe(false);
  },
);

test.each(Array.from({ length: 20 }, (_, seed) => seed + 1))(
  "texts of any bytes are read as Node decodes them (seed %i)",
  (seed) => {
    const random = seeded(seed * 104_729);
    const kinds = [
      0x41, 0x7f, 0x80, 0xbf, 0xc2, 0xc3, 0xdf, 0xe0, 0xa0, 0xed, 0x9f, 0xef, 0xf0, 0x90, 0xf4, 0x8f, 0xf5,
      0xff,
    ];
    const texts = Array.from({ length: 200 }, () =>
      Buffer.from(Array.from({ length: Math.floor(random() * 9) }, () => pick(random, kinds))),
    );
    using handle = open();
    handle.db.exec("create table t (id integer primary key, a)");
    const insert = handle.db.prepare("insert into t (a) values (cast(? as text))");
    for (const text of texts) insert.run(text);
    // The text may need UTF-16 only after it has begun in Latin-1, and the other way round.
    for (const order of ["id", "-id"]) {
      const want = order === "id" ? texts : texts.toReversed();
      expect(readAll(handle.token, `select a from t order by ${order}`).rows).toEqual(
        want.map((text) => [new TextDecoder("utf-8", { ignoreBOM: true }).decode(text)]),
      );
    }
  },
);
