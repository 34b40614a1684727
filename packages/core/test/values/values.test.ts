import {
  connect,
  type Connection,
  DataError,
  OperationalError,
  ProgrammingError,
  Row,
} from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);

/** The storage class SQLite saw, and the value that came back. */
async function roundTrip(db: Connection, value: unknown): Promise<[type: string, value: unknown]> {
  const [row] = await db.executeFetchall<[string, unknown]>("SELECT typeof(?1), ?1", [value as never]);
  return row!;
}

describe("values that are bound", () => {
  it("null and undefined become NULL, and NULL becomes null", async () => {
    const db = await open();
    expect(await roundTrip(db, null)).toEqual(["null", null]);
    expect(await roundTrip(db, undefined)).toEqual(["null", null]);
    expect(await db.executeFetchall("SELECT :a", { a: undefined })).toEqual([[null]]);
  });

  it("booleans become the INTEGERs 0 and 1", async () => {
    const db = await open();
    expect(await roundTrip(db, true)).toEqual(["integer", 1]);
    expect(await roundTrip(db, false)).toEqual(["integer", 0]);
  });

  it.each([0, 1, -1, 42, 2 ** 31, -(2 ** 31) - 1, 2 ** 53 - 1, -(2 ** 53) + 1])(
    "the integer %d becomes an INTEGER",
    async (value) => {
      const db = await open();
      expect(await roundTrip(db, value)).toEqual(["integer", value]);
    },
  );

  it("an integer in a TEXT column is its digits, without a fraction", async () => {
    const db = await open();
    await db.execute("CREATE TABLE t (a TEXT)");
    await db.execute("INSERT INTO t VALUES (?)", [1]);
    expect(await db.executeFetchall("SELECT a, typeof(a) FROM t")).toEqual([["1", "text"]]);
  });

  it.each([0.5, -0.1, 1e300, 5e-324, Number.MAX_VALUE, 2 ** 53, -(2 ** 53), 2 ** 60])(
    "the number %d, which is no safe integer, becomes a REAL of the same value",
    async (value) => {
      const db = await open();
      expect(await roundTrip(db, value)).toEqual(["real", value]);
    },
  );

  it("-0 stays what it is, NaN becomes NULL, infinities stay infinite", async () => {
    const db = await open();
    const [type, zero] = await roundTrip(db, -0);
    expect(type).toBe("real");
    expect(Object.is(zero, -0)).toBe(true);
    expect(await roundTrip(db, Number.NaN)).toEqual(["null", null]);
    expect(await roundTrip(db, Number.POSITIVE_INFINITY)).toEqual(["real", Number.POSITIVE_INFINITY]);
    expect(await roundTrip(db, Number.NEGATIVE_INFINITY)).toEqual(["real", Number.NEGATIVE_INFINITY]);
  });

  it.each([
    [0n, 0],
    [1n, 1],
    [2n ** 53n - 1n, 2 ** 53 - 1],
    [2n ** 53n, 2n ** 53n],
    [2n ** 53n + 1n, 2n ** 53n + 1n],
    [-(2n ** 53n) - 1n, -(2n ** 53n) - 1n],
    [MAX_INT64, MAX_INT64],
    [MIN_INT64, MIN_INT64],
  ])("the bigint %s becomes an INTEGER that reads %s", async (bound, read) => {
    const db = await open();
    expect(await roundTrip(db, bound)).toEqual(["integer", read]);
  });

  it("a bigint outside int64 is a RangeError, and nothing is run", async () => {
    const db = await open();
    await db.execute("CREATE TABLE t (a)");
    for (const value of [MAX_INT64 + 1n, MIN_INT64 - 1n]) {
      const error = await rejection(db.execute("INSERT INTO t VALUES (?)", [value]));
      expect(error).toBeInstanceOf(RangeError);
      // Never the value itself.
      expect((error as Error).message).toBe(
        "parameter 1: the bigint does not fit into SQLite's 64-bit INTEGER",
      );
    }
    expect(db.inTransaction).toBe(false);
    expect(await db.executeFetchall("SELECT count(*) FROM t")).toEqual([[0]]);
  });

  it.each(["", "x", "a\0b", "\0", "ünïcödé", "日本語", "🙂", "\u{10ffff}", "\ufeffx", "x".repeat(100_000)])(
    "the text %j comes back whole",
    async (text) => {
      const db = await open();
      expect(await roundTrip(db, text)).toEqual(["text", text]);
      const [row] = await db.executeFetchall("SELECT length(cast(? AS BLOB))", [text]);
      expect(row?.[0]).toBe(Buffer.byteLength(text));
    },
  );

  it.each(["\ud800", "a\udc00b", "\udc00\ud800"])("the lone surrogate in %j is refused", async (text) => {
    const db = await open();
    const error = await rejection(db.execute("SELECT ?", [text]));
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toContain("lone surrogate");
  });

  it("an empty blob is a BLOB of no bytes and not NULL", async () => {
    const db = await open();
    for (const empty of [new Uint8Array(0), Buffer.alloc(0), new ArrayBuffer(0)]) {
      const [type, value] = await roundTrip(db, empty);
      expect(type).toBe("blob");
      expect(Buffer.isBuffer(value)).toBe(true);
      expect((value as Buffer).length).toBe(0);
    }
  });

  it("Uint8Array, Buffer, ArrayBuffer, SharedArrayBuffer and views bind their own bytes", async () => {
    const db = await open();
    const memory = Uint8Array.from([9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]).buffer;
    const shared = new SharedArrayBuffer(3);
    new Uint8Array(shared).set([7, 8, 9]);
    const cases: [unknown, number[]][] = [
      [Uint8Array.from([1, 2, 255]), [1, 2, 255]],
      [Buffer.from("abc"), [97, 98, 99]],
      [memory, [9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]],
      [shared, [7, 8, 9]],
      [new Uint8Array(memory, 2, 3), [1, 2, 3]],
      [new DataView(memory, 3, 2), [2, 3]],
      [new Uint16Array(memory, 2, 2), [1, 2, 3, 4]],
      [new Uint8ClampedArray([300]), [255]],
    ];
    for (const [value, bytes] of cases) {
      const [type, read] = await roundTrip(db, value);
      expect([type, [...(read as Buffer)]]).toEqual(["blob", bytes]);
    }
  });

  it("a Float32Array binds the bytes of its floats, which read back as floats", async () => {
    const db = await open();
    const vector = Float32Array.from([1.5, -0.25, 1e10]);
    const [type, read] = await roundTrip(db, vector);
    const bytes = read as Buffer;
    expect(type).toBe("blob");
    expect(new Float32Array(bytes.buffer, bytes.byteOffset, 3)).toEqual(vector);
  });

  it("a Date needs an adapter, and without one the message names it", async () => {
    const db = await open();
    const error = await rejection(db.execute("SELECT ?", [new Date(0)] as never));
    expect(error).toBeInstanceOf(ProgrammingError);
    expect((error as Error).message).toBe(
      "Error binding parameter 1: type 'Date' is not supported; registerAdapter(Date, (date) => date.toISOString()) says how dates are stored",
    );
  });

  it("32,766 parameters are taken, and one more is the engine's error", async () => {
    const db = await open();
    const marks = (n: number): string => Array.from({ length: n }, () => "?").join("+");
    const ones = (n: number): number[] => Array.from({ length: n }, () => 1);
    // Expressions nest 1,000 deep at most, so it is rows of 99 sums.
    const lists = `${Array.from({ length: 330 }, () => `(${marks(99)})`).join(",")},(${marks(96)})`;
    const sql = `SELECT sum(column1) FROM (VALUES ${lists})`;
    expect(await db.executeFetchall(sql, ones(32_766))).toEqual([[32_766]]);
    const error = await rejection(db.executeFetchall(sql.replace("(?", "(?+?"), ones(32_767)));
    expect(error).toBeInstanceOf(OperationalError);
    expect((error as Error).message).toBe("too many SQL variables");
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });
});

describe("the caller's memory", () => {
  it("is copied in at the call: what is written to it afterwards does not count", async () => {
    const db = await open();
    const bytes = Uint8Array.from([1, 2, 3]);
    const pending = db.executeFetchall("SELECT ?", [bytes]);
    bytes.fill(9);
    const [row] = await pending;
    expect([...row![0]]).toEqual([1, 2, 3]);
  });

  it("is never detached, also when it is large, an ArrayBuffer, or bound twice", async () => {
    const db = await open();
    const bytes = new Uint8Array(1_000_000).fill(5);
    await db.executeFetchall("SELECT ?, ?, ?", [bytes, bytes.buffer, bytes]);
    await db.execute("CREATE TABLE t (a, b)");
    await db.executemany("INSERT INTO t VALUES (?, ?)", [
      [bytes, bytes],
      [bytes, bytes.buffer],
    ]);
    expect(bytes.byteLength).toBe(1_000_000);
    expect(bytes[999_999]).toBe(5);
    expect(await db.executeFetchall("SELECT sum(length(a)), sum(length(b)) FROM t")).toEqual([
      [2_000_000, 2_000_000],
    ]);
  });

  it("may be a view of Node's Buffer pool, whose other users are left alone", async () => {
    const db = await open();
    const neighbour = Buffer.from("neighbour");
    const pooled = Buffer.from("pooled");
    expect(pooled.buffer).toBe(neighbour.buffer);
    const [row] = await db.executeFetchall("SELECT ?", [pooled]);
    expect(row?.[0].toString()).toBe("pooled");
    expect([pooled.toString(), neighbour.toString()]).toEqual(["pooled", "neighbour"]);
  });
});

describe("blobs that are read", () => {
  it.each([3, 5000, 300_000])("are Buffers that own their %d bytes", async (size) => {
    const db = await open();
    const rows = await db.executeFetchall<[Buffer, Buffer]>(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5)
       SELECT zeroblob(${size}), zeroblob(${size}) FROM n`,
    );
    const all = rows.flat();
    expect(all.every((blob) => Buffer.isBuffer(blob) && blob.length === size)).toBe(true);
    expect(new Set(all.map((blob) => blob.buffer)).size).toBe(all.length);
    const [first, ...others] = all;
    structuredClone(first!.buffer, { transfer: [first!.buffer as ArrayBuffer] });
    expect(first!.length).toBe(0);
    expect(others.every((blob) => blob.length === size)).toBe(true);
  });

  it("own their memory also when thousands come in one packet", async () => {
    const db = await open();
    const rows = await db.executeFetchall<[Buffer]>(
      `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2999)
       SELECT cast(i AS BLOB) FROM n`,
    );
    structuredClone(rows[7]![0].buffer, { transfer: [rows[7]![0].buffer as ArrayBuffer] });
    expect(rows[7]![0].length).toBe(0);
    expect(rows.every(([blob], i) => i === 7 || blob.toString() === String(i))).toBe(true);
    expect(rows[8]![0].buffer.byteLength).toBe(1);
  });
});

describe("integers that are read", () => {
  const unsafe = "SELECT 1, 9007199254740991, 9007199254740992, -9007199254740993, 1.5, NULL";

  it("are numbers where that is exact and bigints where it is not, with integers: auto", async () => {
    const db = await open();
    expect(await db.executeFetchall(unsafe)).toEqual([
      [1, 9007199254740991, 9007199254740992n, -9007199254740993n, 1.5, null],
    ]);
  });

  it("are all bigints with integers: bigint", async () => {
    const db = await open(":memory:", { integers: "bigint" });
    expect(await db.executeFetchall(unsafe)).toEqual([
      [1n, 9007199254740991n, 9007199254740992n, -9007199254740993n, 1.5, null],
    ]);
  });

  it("are all numbers, rounded where they must be, with integers: number", async () => {
    const db = await open(":memory:", { integers: "number" });
    expect(await db.executeFetchall(unsafe)).toEqual([
      [1, 9007199254740991, 9007199254740992, -9007199254740992, 1.5, null],
    ]);
  });

  it("follow the same rule in large results, packet by packet", async () => {
    // 5,000 rows are three packets; unsafe values stand in the middle one only, and in every one of b.
    const sql = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999)
      SELECT i, CASE WHEN i = 3000 THEN 9007199254740993 ELSE i END AS a, 9223372036854775807 - i AS b,
        CASE i % 3 WHEN 0 THEN i WHEN 1 THEN i + 0.5 END AS c FROM n`;
    const int = {
      auto: [Number, (v: bigint) => v],
      bigint: [BigInt, (v: bigint) => v],
      number: [Number, Number],
    } as const;
    for (const integers of ["auto", "bigint", "number"] as const) {
      const [safe, large] = int[integers];
      const db = await open(":memory:", { integers });
      const rows = await db.executeFetchall(sql);
      expect(rows).toHaveLength(5000);
      const expected = rows.map((_, i) => [
        safe(i),
        i === 3000 ? large(9007199254740993n) : safe(i),
        large(MAX_INT64 - BigInt(i)),
        [safe(i), i + 0.5, null][i % 3],
      ]);
      expect(rows).toEqual(expected);
    }
  });

  it("give a lastrowid that is exact beyond 2^53", async () => {
    const db = await open();
    await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    const cursor = await db.execute("INSERT INTO t VALUES (9007199254740993, 'x')");
    expect(cursor.lastrowid).toBe(9007199254740993n);
    expect(await db.executeInsert("INSERT INTO t (a) VALUES ('y')")).toEqual([9007199254740994n]);
    const returning = await db.execute("INSERT INTO t (a) VALUES ('z') RETURNING id");
    expect(returning.lastrowid).toBe(9007199254740995n);
    expect(await returning.fetchall()).toEqual([[9007199254740995n]]);
  });
});

describe("column names", () => {
  it("__proto__ and constructor are properties like others, and the last of duplicates wins", async () => {
    const db = await open();
    db.rowFactory = Row;
    const sql = `SELECT 1 AS "__proto__", 2 AS "constructor", 3 AS "toString", 4 AS a, 5 AS a, 6 AS "", 7 AS "a""b'c\\\`"`;
    for (const repeat of [1, 300]) {
      const rows = await db.executeFetchall(
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${repeat}) ${sql} FROM n`,
      );
      expect(rows).toHaveLength(repeat);
      for (const row of rows) {
        expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
        expect(Object.entries(row)).toEqual([
          ["__proto__", 1],
          ["constructor", 2],
          ["toString", 3],
          ["a", 5],
          ["", 6],
          ["a\"b'c\\`", 7],
        ]);
      }
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it("that look like code or numbers do no harm", async () => {
    const db = await open();
    db.rowFactory = Row;
    const names = ["]: 1, x: [", "\u2028", "1", "0", "日本", "a\\", '"};throw 1;"', "${1}"];
    const select = names.map((name, i) => `${i} AS "${name.replaceAll('"', '""')}"`).join(", ");
    const [row] = await db.executeFetchall(`SELECT ${select}`);
    for (const [i, name] of names.entries()) expect(row![name]).toBe(i);
    expect(Object.keys(row!)).toHaveLength(names.length);
  });

  it("are as many as 2,000", async () => {
    const db = await open();
    const list = Array.from({ length: 2000 }, (_, i) => `${i} AS c${i}`).join(", ");
    const [row] = await db.executeFetchall(`SELECT ${list}`);
    expect(row).toEqual(Array.from({ length: 2000 }, (_, i) => i));
    db.rowFactory = Row;
    const [object] = await db.executeFetchall(`SELECT ${list}`);
    expect(Object.keys(object!)).toHaveLength(2000);
    expect(object?.c1999).toBe(1999);
  });
});

describe("large results", () => {
  const ROWS = 7000;
  /** A table with a column of each kind of packets, and of mixtures of them. */
  const columns: Record<string, string> = {
    all_null: "NULL",
    small_int: "i",
    negative: "-i * 1000003",
    some_null: "CASE i % 5 WHEN 0 THEN NULL ELSE i END",
    real: "i / 7.0",
    int_or_real: "CASE i % 2 WHEN 0 THEN i ELSE i + 0.25 END",
    int64: "9007199254740991 + i * 1234567",
    int64_null: "CASE i % 3 WHEN 0 THEN NULL ELSE 9223372036854775807 - i END",
    rarely_int64: "CASE i WHEN 2500 THEN 9007199254740993 ELSE i END",
    term: "'term ' || (i % 7)",
    term_null: "CASE i % 4 WHEN 0 THEN NULL ELSE 'ä' || (i % 3) END",
    text: "'row ' || i || ' 日本🙂'",
    text_null: "CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE printf('%x', i * 7919) END",
    text_nul: "'a' || char(0) || i",
    long_text: "CASE i % 500 WHEN 0 THEN hex(zeroblob(40000)) || i ELSE 'short' || i END",
    blob: "cast('b' || i AS BLOB)",
    blob_null: "CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN x'' ELSE cast(i AS BLOB) END",
    large_blob: "CASE i % 700 WHEN 0 THEN zeroblob(20000) ELSE cast(i AS BLOB) END",
    anything:
      "CASE i % 6 WHEN 0 THEN i WHEN 1 THEN i + 0.5 WHEN 2 THEN 't' || i WHEN 3 THEN cast(i AS BLOB) WHEN 4 THEN 9007199254740993 + i END",
    late_text: "CASE WHEN i < 3000 THEN i ELSE 'from here on text' END",
    late_value: "CASE WHEN i >= 6999 THEN 'last' END",
  };
  const names = Object.keys(columns);
  const select = names.map((name) => `${columns[name]} AS ${name}`).join(", ");
  const sql = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS - 1}) SELECT ${select} FROM n`;

  /** The values that better-sqlite3 reads on this thread, in the form that `integers: "auto"` promises. */
  function expected(): unknown[][] {
    return exact(openEngine().prepare(sql).raw().safeIntegers().all() as unknown[][]);
  }

  function exact(rows: unknown[][]): unknown[][] {
    const safe = BigInt(Number.MAX_SAFE_INTEGER);
    return rows.map((row) =>
      row.map((value) =>
        typeof value === "bigint" && value <= safe && value >= -safe ? Number(value) : value,
      ),
    );
  }

  it("are the same, value by value, however they are fetched", async () => {
    const wanted = expected();
    const db = await open();
    const check = (rows: unknown[][]): void => {
      expect(rows).toHaveLength(ROWS);
      for (const [r, row] of rows.entries()) {
        for (const [c, name] of names.entries()) {
          if (!same(row[c], wanted[r]![c])) expect.fail(`row ${r}, ${name}: ${String(row[c])}`);
        }
      }
    };
    check(await db.executeFetchall(sql));
    check(await (await db.execute(sql)).fetchall());
    const iterated: unknown[][] = [];
    for await (const row of db.execute(sql)) iterated.push(row);
    check(iterated);
    const cursor = await db.cursor();
    cursor.iterChunkSize = 1000;
    await cursor.execute(sql);
    check([...(await cursor.fetchmany(2500)), ...(await cursor.fetchmany(10_000))]);
  });

  it("are the same as objects", async () => {
    const wanted = expected();
    const db = await open();
    db.rowFactory = Row;
    const check = (rows: Record<string, unknown>[]): void => {
      expect(rows).toHaveLength(ROWS);
      for (const [r, row] of rows.entries()) {
        expect(Object.keys(row)).toEqual(names);
        for (const [c, name] of names.entries()) {
          if (!same(row[name], wanted[r]![c])) expect.fail(`row ${r}, ${name}: ${String(row[name])}`);
        }
      }
    };
    check(await db.executeFetchall(sql));
    const iterated: Record<string, unknown>[] = [];
    for await (const row of db.execute(sql)) iterated.push(row);
    check(iterated);
  });

  it("of one kind per column come back right when written through executemany too", async () => {
    const wanted = expected();
    const path = await temporaryPath();
    const db = await open(path);
    await db.execute(`CREATE TABLE t (${names.join(", ")})`);
    await db.executemany(`INSERT INTO t VALUES (${names.map(() => "?").join(", ")})`, wanted as never[][]);
    await db.commit();
    const read = openEngine(path).prepare("SELECT * FROM t ORDER BY rowid").raw().safeIntegers();
    const rows = exact(read.all() as unknown[][]);
    expect(rows).toHaveLength(ROWS);
    for (const [r, row] of rows.entries()) {
      for (const [c, name] of names.entries()) {
        if (!same(row[c], wanted[r]![c])) expect.fail(`row ${r}, ${name}: ${String(row[c])}`);
      }
    }
  });

  function same(a: unknown, b: unknown): boolean {
    if (b instanceof Uint8Array) return Buffer.isBuffer(a) && a.equals(b);
    return Object.is(a, b);
  }
});

describe("the database's name", () => {
  it("may be a path, a file URL or a Buffer", async () => {
    const path = await temporaryPath("ä b.db");
    const first = await open(path);
    await first.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    const { pathToFileURL } = await import("node:url");
    for (const name of [pathToFileURL(path), Buffer.from(path)]) {
      const db = await open(name);
      expect(await db.executeFetchall("SELECT a FROM t")).toEqual([[1]]);
    }
  });

  it("may not hold a NUL, be a file: string or something else", async () => {
    const wrong: [unknown, string][] = [
      ["/tmp/a\0b", "null character"],
      [Buffer.from("/tmp/a\0b"), "null character"],
      ["file:x?mode=memory", "file:"],
      ["\ud800", "surrogate"],
      [5, "path"],
      [null, "path"],
    ];
    for (const [name, message] of wrong) {
      const error = await rejection(connect(name as string));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toContain(message);
    }
  });
});
