import {
  capabilities,
  type Connection,
  DataError,
  PARSE_COLNAMES,
  PARSE_DECLTYPES,
  ProgrammingError,
  registerAdapter,
  registerConverter,
  Row,
} from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { open, openEngine, rejection } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";

declare module "@sqlite-aio/core" {
  interface AdaptedTypes {
    point: Point;
  }
}

class Point {
  readonly x: number;
  readonly y: number;
  constructor(x: number, y: number) {
    this.x = x;
    this.y = y;
  }
}
class Point3 extends Point {}

// The results of CPython 3.11 in the cases below were tried by hand.

registerConverter("raw", (bytes) => ({ raw: bytes.toString("latin1") }));
registerConverter("num", (bytes) => ["num", bytes.toString()]);
registerConverter("Unsigned", (bytes) => ["unsigned", bytes.toString()]);
registerConverter("", (bytes) => ["empty", bytes.toString()]);

const raw = (text: string): { raw: string } => ({ raw: text });
const withTypes = (detectTypes: number, more = {}): Promise<Connection> =>
  open(":memory:", { detectTypes, ...more });

async function table(detectTypes: number): Promise<Connection> {
  const db = await withTypes(detectTypes);
  await db.executescript(
    'CREATE TABLE t (a num(10,2), b Num NOT NULL, c unsigned big int, d "num x", e, f NUM, g "\tnum");' +
      "INSERT INTO t VALUES (1, 2, 3, 4, 5, NULL, 7)",
  );
  return db;
}

describe("registerConverter", () => {
  it("checks its arguments", () => {
    expect(() => registerConverter(5 as never, () => 1)).toThrow(TypeError);
    expect(() => registerConverter("x", 5 as never)).toThrow(TypeError);
  });

  it("does nothing without detectTypes", async () => {
    const db = await table(0);
    expect(await db.executeFetchall('SELECT a, b, a AS "a [raw]" FROM t')).toEqual([[1, 2, 1]]);
  });

  it("with PARSE_DECLTYPES converts by the declared type up to its first blank or bracket", async () => {
    const db = await table(PARSE_DECLTYPES);
    const num = (text: string): [string, string] => ["num", text];
    const expected = [num("1"), num("2"), ["unsigned", "3"], num("4"), 5, null, 7];
    expect(await db.executeFetchall("SELECT * FROM t")).toEqual([expected]);
    expect(await (await db.execute("SELECT * FROM t")).fetchone()).toEqual(expected);
    // An expression has no declared type; a subquery that is a column has its own.
    expect(
      await db.executeFetchall("SELECT a + 0, a, max(a), (SELECT a FROM t), cast(a AS num) FROM t"),
    ).toEqual([[1, num("1"), 1, num("1"), 1]]);
    expect(await db.executeFetchall("SELECT x FROM (SELECT a AS x FROM t)")).toEqual([[num("1")]]);
    expect(await db.executeFetchall('SELECT 5 AS "x [raw]"')).toEqual([[5]]);
  });

  it("with PARSE_COLNAMES converts by the type in brackets in the column's name", async () => {
    const db = await table(PARSE_COLNAMES);
    const select = async (sql: string): Promise<unknown> => (await db.executeFetchall(sql))[0];
    expect(await select('SELECT 1 AS "x [raw]", 2 AS "[RAW]", 3 AS "x[raw]y", a FROM t')).toEqual([
      raw("1"),
      raw("2"),
      raw("3"),
      1,
    ]);
    expect(await select(`SELECT 5 AS "x []", 1 AS "y [raw", 2 AS "b [nope]", NULL AS "n [raw]"`)).toEqual([
      ["empty", "5"],
      1,
      2,
      null,
    ]);
    expect(await select(`SELECT 1 AS "a [b[raw]", 2 AS "x] [raw]", 3 AS "[nope] [raw]"`)).toEqual([
      raw("1"),
      raw("2"),
      3,
    ]);
  });

  it("with both prefers the column's name, where a converter has that name", async () => {
    const db = await table(PARSE_DECLTYPES | PARSE_COLNAMES);
    expect(await db.executeFetchall('SELECT a AS "a [unsigned]", a AS "a [nope]", a FROM t')).toEqual([
      [
        ["unsigned", "1"],
        ["num", "1"],
        ["num", "1"],
      ],
    ]);
  });

  it("cuts the type from the name in description and in objects, with PARSE_COLNAMES only", async () => {
    const sql = `SELECT 1 AS "a [x]", 2 AS "b[y]", 3 AS "c  [z] d", 4 AS "[q]", 5 AS " [q]", 6 AS "no", 7 AS "x] [t]"`;
    const db = await withTypes(PARSE_COLNAMES);
    const cursor = await db.execute(sql);
    expect(cursor.description?.map(([name]) => name)).toEqual(["a", "b", "c ", "", "", "no", "x]"]);
    db.rowFactory = Row;
    const [row] = await db.executeFetchall(sql);
    expect(row).toEqual({ a: 1, b: 2, "c ": 3, "": 5, no: 6, "x]": 7 });
    const other = await (await withTypes(PARSE_DECLTYPES)).execute('SELECT 1 AS "a [x]"');
    expect(other.description?.[0]?.[0]).toBe("a [x]");
  });

  it("gives the converter the bytes SQLite gives: of INTEGER and REAL their text, of TEXT its UTF-8", async () => {
    const db = await withTypes(PARSE_COLNAMES);
    const cases: [sql: string, bytes: string][] = [
      ["9223372036854775807", "9223372036854775807"],
      ["-9223372036854775807 - 1", "-9223372036854775808"],
      ["9007199254740993", "9007199254740993"],
      ["0", "0"],
      ["1.0", "1.0"],
      ["-1.5", "-1.5"],
      ["1e300", "1.0e+300"],
      ["'ä'", Buffer.from("ä").toString("latin1")],
      ["x'00ff41'", "\0\xff\x41"],
    ];
    for (const [sql, bytes] of cases) {
      expect(await db.executeFetchall(`SELECT ${sql} AS "x [raw]"`), sql).toEqual([[raw(bytes)]]);
    }
    // As in CPython, the converter is not called for empty values.
    expect(await db.executeFetchall("SELECT '' AS \"x [raw]\", x'' AS \"y [raw]\", '' AS z")).toEqual([
      [null, null, ""],
    ]);
    let given: unknown;
    registerConverter("given", (value) => {
      given = value;
      return value.length;
    });
    await db.executeFetchall('SELECT 12 AS "x [given]"');
    expect(Buffer.isBuffer(given)).toBe(true);
  });

  it("gives a REAL with the digits SQLite gives it", async () => {
    const literals: [number, string][] = [
      [0.1, "0.1"],
      [-0.1, "-0.1"],
      [1 / 3, "0.33333333333333332"],
      [0.1 + 0.2, "0.30000000000000004"],
      [49.47, "49.47"],
      [100, "100.0"],
      [1e15, "1000000000000000.0"],
      [1e16, "10000000000000000.0"],
      [1e17, "1.0e+17"],
      [123456789.125, "123456789.125"],
      [0.0001, "0.0001"],
      [0.00001, "1.0e-05"],
      [1e-100, "1.0e-100"],
      [5e-324, "4.9406564584124654e-324"],
      [Number.MAX_VALUE, "1.7976931348623157e+308"],
      [0.9999999999999999, "0.99999999999999989"],
      [Number.POSITIVE_INFINITY, "Inf"],
      [Number.NEGATIVE_INFINITY, "-Inf"],
      [-0, "0.0"],
    ];
    const values = literals.map(([value]) => value);
    for (let power = -320; power <= 308; power += 4) {
      for (const mantissa of [1, 9.99, 1.1, 7.25]) values.push(Number(`${mantissa}e${power}`));
    }
    for (let power = -1074; power < 1024; power += 7) values.push(2 ** power, -1.5 * 2 ** power);
    for (let i = 1; i < 1000; i++) values.push(i / 100, i * 1234.5678, 1 / i);
    const cast = openEngine().prepare("SELECT cast(? AS TEXT)").pluck();
    const db = await withTypes(PARSE_COLNAMES);
    await db.execute("CREATE TABLE t (a)");
    // Whole numbers would be bound as INTEGER.
    await db.executemany(
      "INSERT INTO t VALUES (cast(? AS REAL))",
      values.map((value) => [value] as [number]),
    );
    const rows = await db.executeFetchall<[{ raw: string }]>('SELECT a AS "a [raw]" FROM t ORDER BY rowid');
    for (const [i, [_, text]] of literals.entries()) expect(rows[i]![0].raw).toBe(text);
    for (const [i, value] of values.entries()) {
      const { raw: text } = rows[i]![0];
      // SQLite computes with 64 bits: far from 1 its last digit is not always the right one.
      const near = Math.abs(Math.log10(Math.abs(value))) < 40;
      if (near && text !== cast.get(value)) expect.fail(`${value}: ${text}, not ${String(cast.get(value))}`);
      if (Number.isFinite(value)) expect(Number(text)).toBe(value + 0);
    }
    expect(rows).toHaveLength(values.length);
  });

  it("leaves integers as integers says where there is no converter", async () => {
    const sql = "SELECT 1, 9007199254740993, 1.5, 'x', NULL, x'41'";
    const large = { auto: 9007199254740993n, bigint: 9007199254740993n, number: 9007199254740992 };
    for (const integers of ["auto", "bigint", "number"] as const) {
      const db = await withTypes(PARSE_DECLTYPES, { integers });
      const one = integers === "bigint" ? 1n : 1;
      expect(await db.executeFetchall(sql)).toEqual([
        [one, large[integers], 1.5, "x", null, Buffer.from("A")],
      ]);
    }
  });

  it("comes before the text factory, which has the columns without a converter", async () => {
    const db = await withTypes(PARSE_COLNAMES);
    db.textFactory = Buffer;
    expect(await db.executeFetchall(`SELECT 'abc' AS "x [raw]", 'd'`)).toEqual([
      [raw("abc"), Buffer.from("d")],
    ]);
  });

  it("works in large results, in cursors and beside Row and other row factories", async () => {
    const db = await withTypes(PARSE_COLNAMES);
    const sql = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999)
      SELECT i AS "a [num]", i AS b, CASE i % 2 WHEN 0 THEN 'x' || i END AS "c [raw]" FROM n`;
    const row = (i: number): unknown[] => [["num", String(i)], i, i % 2 === 0 ? raw(`x${i}`) : null];
    const expected = Array.from({ length: 5000 }, (_, i) => row(i));
    expect(await db.executeFetchall(sql)).toEqual(expected);
    expect(await (await db.execute(sql)).fetchall()).toEqual(expected);
    db.rowFactory = Row;
    const cursor = await db.execute(sql);
    const [a, b, c] = row(0);
    expect(await cursor.fetchone()).toEqual({ a, b, c });
    expect((await cursor.fetchall())[98]).toEqual({ a: row(99)[0], b: 99, c: null });
    db.rowFactory = (_, cells) => cells.length;
    expect(await (await db.execute(sql)).fetchmany(2)).toEqual([3, 3]);
  });

  it("that throws rejects the fetch, and not the execute", async () => {
    registerConverter("failing", () => {
      throw new Error("from the converter");
    });
    const db = await withTypes(PARSE_COLNAMES);
    const cursor = await db.execute('SELECT 1 AS "x [failing]"');
    expect(await rejection(cursor.fetchone())).toEqual(new Error("from the converter"));
    expect(await cursor.fetchone()).toBe(null);
    expect(await rejection(db.executeFetchall('SELECT 1 AS "x [failing]"'))).toEqual(
      new Error("from the converter"),
    );
  });

  it("registered again replaces the one before", async () => {
    registerConverter("again", () => 1);
    registerConverter("AGAIN", () => 2);
    const db = await withTypes(PARSE_COLNAMES);
    expect(await db.executeFetchall('SELECT 0 AS "x [again]"')).toEqual([[2]]);
  });
});

describe("registerAdapter", () => {
  it("checks its arguments", () => {
    expect(() => registerAdapter("Point" as never, () => 1)).toThrow(TypeError);
    expect(() => registerAdapter(Point, 5 as never)).toThrow(TypeError);
  });

  it("binds what the adapter of the value's class gives, in every call that binds", async () => {
    registerAdapter(Point, ({ x, y }) => `${x};${y}`);
    registerAdapter(Date, (date) => date.toISOString());
    const db = await open();
    expect(await db.executeFetchall("SELECT ?, :p", [new Point(1, 2), new Date(0) as never])).toEqual([
      ["1;2", "1970-01-01T00:00:00.000Z"],
    ]);
    expect(await (await db.execute("SELECT :p", { p: new Point(3, 4) })).fetchone()).toEqual(["3;4"]);
    await db.execute("CREATE TABLE t (a)");
    await db.executemany("INSERT INTO t VALUES (?)", [[new Point(5, 6)], [new Date(1) as never]]);
    expect(await db.executeFetchall("SELECT a FROM t")).toEqual([["5;6"], ["1970-01-01T00:00:00.001Z"]]);
  });

  it("together with a converter brings the objects back", async () => {
    registerAdapter(Point, ({ x, y }) => `${x};${y}`);
    registerConverter("point", (bytes) => {
      const [x, y] = bytes.toString().split(";").map(Number);
      return new Point(x!, y!);
    });
    const db = await withTypes(PARSE_DECLTYPES);
    await db.execute("CREATE TABLE t (p point)");
    await db.execute("INSERT INTO t VALUES (?)", [new Point(1.5, -2)]);
    expect(await db.executeFetchall("SELECT p FROM t")).toEqual([[new Point(1.5, -2)]]);
  });

  it("is for the very class, as in CPython: not for one that extends it", async () => {
    registerAdapter(Point, () => "adapted");
    const db = await open();
    const error = await rejection(db.execute("SELECT ?", [new Point3(1, 2)]));
    expect(error).toBeInstanceOf(ProgrammingError);
    expect((error as Error).message).toBe("Error binding parameter 1: type 'Point3' is not supported");
  });

  it("may give any value that binds by itself, and nothing that would need an adapter again", async () => {
    const db = await open();
    for (const [given, type, read] of [
      [null, "null", null],
      [undefined, "null", null],
      [5, "integer", 5],
      [0.5, "real", 0.5],
      [true, "integer", 1],
      [2n ** 62n, "integer", 2n ** 62n],
      ["x", "text", "x"],
      [Buffer.from("x"), "blob", Buffer.from("x")],
    ] as const) {
      registerAdapter(Point, () => given);
      expect(await db.executeFetchall("SELECT typeof(?1), ?1", [new Point(0, 0)])).toEqual([[type, read]]);
    }
    for (const given of [new Point(0, 0), {}, () => 1, Promise.resolve("x")]) {
      registerAdapter(Point, () => given);
      const error = await rejection(db.execute("SELECT ?", [new Point(0, 0)]));
      expect((error as Error).message).toBe("Error binding parameter 1: type 'Point' is not supported");
    }
    registerAdapter(Point, () => 2n ** 64n);
    expect(await rejection(db.execute("SELECT ?", [new Point(0, 0)]))).toBeInstanceOf(RangeError);
    registerAdapter(Point, () => "\ud800");
    expect(await rejection(db.execute("SELECT ?", [new Point(0, 0)]))).toBeInstanceOf(DataError);
  });

  it("that throws rejects the call with what it threw, and nothing is run", async () => {
    const failure = new Error("from the adapter");
    registerAdapter(Point, () => {
      throw failure;
    });
    const db = await open();
    await db.execute("CREATE TABLE t (a)");
    expect(await rejection(db.execute("INSERT INTO t VALUES (?)", [new Point(0, 0)]))).toBe(failure);
    expect(await rejection(db.executemany("INSERT INTO t VALUES (?)", [[1], [new Point(0, 0)]]))).toBe(
      failure,
    );
    expect(await db.executeFetchall("SELECT a FROM t")).toEqual([[1]]);
  });

  // The last ones: these adapters hold for the rest of this file's process.
  it("goes before what a value would be without it: views, and strings, numbers and booleans", async () => {
    const db = await open();
    registerAdapter(Float64Array, (floats) => JSON.stringify([...floats]));
    registerAdapter(Uint8Array, (bytes) => `${bytes.length} bytes`);
    expect(await db.executeFetchall("SELECT ?, ?", [Float64Array.of(1.5, 2), new Uint8Array(3)])).toEqual([
      ["[1.5,2]", "3 bytes"],
    ]);
    // A Buffer is of another class.
    expect(await db.executeFetchall("SELECT ?", [Buffer.from("x")])).toEqual([[Buffer.from("x")]]);
    registerAdapter(Boolean, (value) => (value.valueOf() ? "yes" : "no"));
    expect(await db.executeFetchall("SELECT ?, ?, ?, ?, ?", [true, false, 1, "x", null])).toEqual([
      ["yes", "no", 1, "x", null],
    ]);
  });

  it("is called once for a value that is kept for several calls", async () => {
    const pool = await openPool();
    registerAdapter(Boolean, (value) => (value.valueOf() ? "yes" : "no"));
    registerAdapter(String, (text) => text.concat("!"));
    const prepared = pool.prepare({ sql: "SELECT ? AS x", values: [true] });
    for (let i = 0; i < 2; i++) expect(await prepared.all()).toEqual([{ x: "yes" }]);
    if (!capabilities.changes) return;
    await using watch = pool.watch("SELECT ? AS x", ["a"]);
    expect((await watch.next()).value).toEqual([{ x: "a!" }]);
  });
});
