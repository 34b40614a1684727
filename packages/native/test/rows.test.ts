import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { codeOf, Database, type Engine, native, open } from "./engine.ts";
import { readAll, rest, wire } from "./reading.ts";

/** The rows as better-sqlite3 reads them with safe integers, converted to numbers if they are safe. */
function expected(db: Engine, sql: string): unknown[][] {
  const isSafe = (value: bigint): boolean =>
    BigInt(Number(value)) === value && Number.isSafeInteger(Number(value));
  const convert = (value: unknown): unknown =>
    typeof value === "bigint" && isSafe(value) ? Number(value) : value;
  return db
    .prepare(sql)
    .raw()
    .safeIntegers()
    .all()
    .map((row) => row.map(convert));
}

function databaseFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "sqlite-aio-native-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "test.db");
}

const KINDS: Record<string, string> = {
  nothing: "select null",
  integers: "select 0 union all select 1 union all select -2147483647 union all select 2147483647",
  "the smallest 32-bit integer": "select 1 union all select -2147483648 union all select 3",
  "integers beyond 32 bits": "select 1 union all select 4294967296 union all select null",
  "integers beyond what is safe":
    "select 1 union all select null union all select 9007199254740993 union all select -9223372036854775808",
  "reals, the special ones too":
    "select 1.5 union all select -0.0 union all select 9e999 union all select -9e999 union all select null",
  "integers, then reals": "select 1 union all select null union all select 2.5 union all select 3",
  "reals, then integers beyond what is safe": "select 2.5 union all select 9223372036854775807",
  "NULL before a value": "select null union all select null union all select 'x' union all select null",
  texts:
    "select '' union all select 'abc' union all select 'abcdefghijklmnop' union all select char(0) || 'behind a NUL'",
  "texts in Latin-1": "select 'é' union all select 'abc' union all select 'ÿþ' union all select char(255)",
  "texts beyond Latin-1":
    "select 'abc' union all select 'é' union all select '日本' union all select '😀x' union all select 'abc'",
  "texts that are not UTF-8":
    "select cast(x'ff41c3' as text) union all select cast(x'e282' as text) union all select cast(x'eda080' as text) union all select cast(x'f0908d' as text) union all select cast(x'c0af' as text) union all select cast(x'f8888080' as text)",
  blobs:
    "select x'' union all select x'00' union all select null union all select x'0102030405060708090a' union all select zeroblob(5000)",
  "all of them":
    "select 1 union all select 'a' union all select x'01' union all select 2.5 union all select null union all select '' union all select x'' union all select 9223372036854775807 union all select '日本'",
  "blobs, then texts": "select x'0102' union all select null union all select 'text' union all select x''",
  "texts, then integers": "select 'text' union all select null union all select 5 union all select 'text'",
  "NULL, then a blob, then a real": "select null union all select x'01' union all select 1.5",
};

test.each(Object.entries(KINDS))("%s are read as better-sqlite3 reads them", (_, sql) => {
  using handle = open();
  const want = expected(handle.db, sql);
  for (const limit of [1, 2, 3, 300]) {
    expect(readAll(handle.token, sql, { limit }).rows).toStrictEqual(want);
  }
});

test("few texts that repeat are read as any others, also where they turn out not to, or to be something else", () => {
  using handle = open();
  const numbers = "with recursive n(i) as (select 0 union all select i + 1 from n limit 2000) select ";
  for (const columns of [
    "'city ' || (i % 40), case when i % 7 = 0 then null else 'é' || (i % 3) end from n",
    "case when i < 900 then 'few' || (i % 5) else 'many ' || i end from n",
    "case when i < 900 then '日本' || (i % 5) else i end, case when i < 900 then null else 'late' end from n",
    "case when i < 700 then 'few' || (i % 5) when i = 700 then x'00' else '😀' end from n",
    "case when i < 700 then 'ü' || (i % 50) else '日本' || i end from n",
    "'term ' || (i % 600) from n",
    "substr('0123456789012345678901234567890123456789012345678901234567890123456789', 1, 60 + i % 8) from n",
  ]) {
    const sql = numbers + columns;
    expect(readAll(handle.token, sql).rows).toStrictEqual(expected(handle.db, sql));
  }
});

test.each([
  [0, [1, 2 ** 53 - 1, 2n ** 53n, -(2n ** 63n), 2.5, null]],
  [1, [1n, 2n ** 53n - 1n, 2n ** 53n, -(2n ** 63n), 2.5, null]],
  [2, [1, 2 ** 53 - 1, 2 ** 53, -(2 ** 63), 2.5, null]],
] as const)(
  "integer mode %i reads integers as it says, in one column and beside each other",
  (mode, want) => {
    using handle = open();
    const values = ["1", "9007199254740991", "9007199254740992", "-9223372036854775808", "2.5", "null"];
    const columns = `select ${values.join(", ")}`;
    const column = values.map((value) => `select ${value}`).join(" union all ");
    expect(readAll(handle.token, columns, { mode }).rows).toStrictEqual([[...want]]);
    expect(readAll(handle.token, column, { mode }).rows).toStrictEqual(want.map((value) => [value]));
  },
);

test("mode 4 gives each byte of a text's UTF-8 as a character, in every kind of column, beside each integer mode", () => {
  using handle = open();
  const raw = (text: string): string => Buffer.from(text).toString("latin1");
  const bad = Buffer.from("ff41c3", "hex").toString("latin1");
  const numbers = "with recursive n(i) as (select 0 union all select i + 1 from n limit 2000) select ";
  const number = (i: number): [number, bigint, number] => [i, BigInt(i), i];
  for (const mode of [4, 5, 6] as const) {
    const read = (sql: string): unknown[][] => readAll(handle.token, sql, { mode }).rows;
    expect(read("select cast(x'ff41c3' as text), 'é€😀', '', null, x'ff', 7")).toStrictEqual([
      [bad, raw("é€😀"), "", null, Buffer.from([255]), number(7)[mode - 4]],
    ]);
    const few = read(`${numbers} cast(x'ff41c3' as text) || (i % 3) from n`);
    expect([few.length, few[1999]]).toStrictEqual([2000, [`${bad}1`]]);
    const many = read(
      `${numbers} case when i < 900 then 'é' || (i % 3) else cast(x'ff41c3' as text) || i end from n`,
    );
    expect([many[899], many[1999]]).toStrictEqual([[raw("é2")], [`${bad}1999`]]);
    const mixed = read(
      `${numbers} case when i < 900 then 'é' || (i % 3) when i < 1900 then i else x'c3' end from n`,
    );
    expect([mixed[899], mixed[900], mixed[1999]]).toStrictEqual([
      [raw("é2")],
      [number(900)[mode - 4]],
      [Buffer.from([195])],
    ]);
  }
  expect(readAll(handle.token, "select 'é', cast(x'ff41c3' as text)").rows).toStrictEqual([
    ["é", "\ufffdA\ufffd"],
  ]);
});

test("one statement that is read in one mode after the other gives each what it asks for", () => {
  using handle = open();
  const statement = native.prepare(handle.token, "select 1 union all select null union all select 3")!.id;
  const read = (mode: 0 | 1 | 2): unknown => {
    native.bind(handle.token, statement, []);
    return rest(handle.token, statement, { mode }).rows;
  };
  expect(read(0)).toStrictEqual([[1], [null], [3]]);
  expect(read(1)).toStrictEqual([[1n], [null], [3n]]);
  expect(read(0)).toStrictEqual([[1], [null], [3]]);
  expect(read(2)).toStrictEqual([[1], [null], [3]]);
});

test("a result of 2,000 columns is read whole, in blocks of a size", () => {
  using handle = open();
  const names = Array.from({ length: 2000 }, (_, c) => `${c} * n + 0.5 as c${c}`).join(", ");
  const sql = `with n(n) as (values (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) select ${names} from n`;
  const { rows, blocks } = readAll(handle.token, sql, { bytes: 64 * 1024 });
  expect(blocks).toBeGreaterThan(1);
  expect(rows).toStrictEqual(expected(handle.db, sql));
});

test("a row that is larger than a block comes alone in one", () => {
  using handle = open();
  const sql =
    "select 1 as n, 'a' as t, x'01' as b union all select 2, hex(zeroblob(500000)), zeroblob(700000) union all select 3, 'c', x'03'";
  const { rows, blocks } = readAll(handle.token, sql, { bytes: 100_000 });
  expect(rows).toStrictEqual(expected(handle.db, sql));
  expect(blocks).toBe(2);
});

test("an empty result is one block without rows that says that it is the last", () => {
  using handle = open();
  expect(readAll(handle.token, "select 1 where 0")).toEqual({ rows: [], blocks: 1 });
});

test("the block that holds the last row says so, also where it is full", () => {
  using handle = open();
  expect(readAll(handle.token, "values (1), (2), (3), (4)", { limit: 2 })).toEqual({
    rows: [[1], [2], [3], [4]],
    blocks: 2,
  });
});

test("a read of its first row only steps no further and lets go of its locks", () => {
  const file = databaseFile();
  using handle = open(file);
  const calls: number[] = [];
  handle.db.function("seen", {}, (i: number) => calls.push(i));
  native.guard(handle.db, handle.token, true);
  const { id } = native.prepare(handle.token, "select seen(column1) from (values (1), (2))")!;
  native.bind(handle.token, id, []);
  const block = native.rows(handle.token, id, 1, 1000, 0, true);
  expect([wire.blockRows(block), wire.blockFlags(block) & wire.BLOCK_END]).toEqual([1, wire.BLOCK_END]);
  expect(calls).toEqual([1]);
});

test("rows that fit into memory of the caller's are written there, others come in memory of their own", () => {
  using handle = open();
  const { id } = native.prepare(
    handle.token,
    "with recursive n(i) as (select 1 union all select i + 1 from n limit 500) select i, 'text ' || i from n",
  )!;
  const into = new Uint8Array(new SharedArrayBuffer(8 + 4096), 8);
  const read = (limit: number): ArrayBuffer | null =>
    native.rows(handle.token, id, limit, 1e6, 0, false, undefined, undefined, into);
  native.bind(handle.token, id, []);
  const rows: unknown[][] = [];
  expect(read(100)).toBeNull();
  wire.appendBlock(rows, into, null);
  into.fill(0);
  expect(rows).toEqual(Array.from({ length: 100 }, (_, i) => [i + 1, `text ${i + 1}`]));
  const own = read(400)!;
  expect(own.byteLength).toBeGreaterThan(0);
  wire.appendBlock(rows, own, null);
  expect(rows.length).toBe(500);
  expect(rows[499]).toEqual([500, "text 500"]);

  const large = native.prepare(handle.token, "select zeroblob(20000)")!;
  native.bind(handle.token, large.id, []);
  const block = native.rows(handle.token, large.id, 1, 1e6, 0, false, undefined, undefined, into)!;
  expect(block.byteLength).toBeGreaterThan(20_000);
  expect(into.every((byte) => byte === 0)).toBe(true);
});

test("a text in UTF-16 on disk is read as any other", () => {
  using handle = open(databaseFile());
  handle.db.exec(
    "pragma encoding = 'UTF-16'; create table t (a); insert into t values ('é日本😀'), ('abc'), (null)",
  );
  expect(readAll(handle.token, "select a from t").rows).toStrictEqual([["é日本😀"], ["abc"], [null]]);
});

test("what a step throws behind rows comes behind them, once, and the statement can be used again", () => {
  using handle = open();
  const sql = "select 1 union all select 2 union all select abs(?)";
  const { id } = native.prepare(handle.token, sql)!;
  for (let again = 0; again < 2; again++) {
    native.bind(handle.token, id, [-(2n ** 63n)]);
    const rows: unknown[][] = [];
    const block = native.rows(handle.token, id, 100, 1000, 0, false);
    wire.appendBlock(rows, block, null);
    expect(rows).toEqual([[1], [2]]);
    expect(wire.blockFlags(block) & wire.BLOCK_END).toBe(0);
    expect(() => native.rows(handle.token, id, 100, 1000, 0, false)).toThrow(
      expect.objectContaining({ code: "SQLITE_ERROR", message: "integer overflow" }),
    );
  }
  native.bind(handle.token, id, [-3]);
  expect(rest(handle.token, id).rows).toEqual([[1], [2], [3]]);
});

test("what the first step throws is thrown at once, with SQLite's code and number", () => {
  using handle = open();
  const { id } = native.prepare(handle.token, "select abs(-9223372036854775807 - 1)")!;
  expect(() => native.rows(handle.token, id, 100, 1000, 0, false)).toThrow(
    expect.objectContaining({ code: "SQLITE_ERROR", errcode: 1, message: "integer overflow" }),
  );
});

test("a read that meets a lock keeps its parameters, and begins anew when it is tried again", () => {
  const file = databaseFile();
  using handle = open(file);
  handle.db.exec("create table t (a); insert into t values (1), (2)");
  const other = new Database(file);
  onTestFinished(() => void other.close());
  const { id } = native.prepare(handle.token, "select a, ? from t")!;
  native.bind(handle.token, id, ["kept"]);
  other.exec("begin exclusive");
  const read = (): unknown => native.rows(handle.token, id, 100, 1000, 0, false);
  expect([codeOf(read), codeOf(read)]).toEqual(["SQLITE_BUSY", "SQLITE_BUSY"]);
  other.exec("rollback");
  expect(rest(handle.token, id).rows).toEqual([
    [1, "kept"],
    [2, "kept"],
  ]);
});

test("a table that another connection alters is read by its new columns, and the block says so", () => {
  const file = databaseFile();
  using handle = open(file);
  handle.db.exec("create table t (a integer); insert into t values (1)");
  const other = new Database(file);
  onTestFinished(() => void other.close());
  const { id } = native.prepare(handle.token, "select * from t")!;
  const names = (): string[] => native.columns(handle.token, id).map(({ name }) => name);
  const read = (): [unknown, boolean] => {
    native.bind(handle.token, id, []);
    const block = native.rows(handle.token, id, 100, 1000, 0, false);
    const rows: unknown[] = [];
    wire.appendBlock(rows, block, names());
    return [rows, (wire.blockFlags(block) & wire.BLOCK_REPREPARED) !== 0];
  };
  expect(read()).toEqual([[{ a: 1 }], false]);
  expect(read()).toEqual([[{ a: 1 }], false]);
  other.exec("alter table t add column b default 'new'");
  expect(read()).toEqual([[{ a: 1, b: "new" }], true]);
  expect(read()).toEqual([[{ a: 1, b: "new" }], false]);
  other.exec("alter table t rename column a to z; delete from t");
  expect(read()).toEqual([[], true]);
  expect(names()).toEqual(["z", "b"]);
});

test("a cancelled operation ends a read between two rows, and another does not", () => {
  using handle = open();
  const { block: control, cancelled: marks } = wire.openControl(wire.createControl());
  const { id } = native.prepare(
    handle.token,
    "with recursive n(i) as (select 1 union all select i + 1 from n limit 1000) select i from n",
  )!;
  const read = (): unknown => native.rows(handle.token, id, 2000, 1e9, 0, false, control, 7);
  native.bind(handle.token, id, []);
  marks[8] = 1;
  expect(codeOf(read)).toBeUndefined();
  marks[7] = 1;
  expect(codeOf(read)).toBe("SQLITE_INTERRUPT");
  marks[7] = 0;
  expect(rest(handle.token, id).rows.length).toBe(1000);
  control[3] = 1;
  expect(codeOf(read)).toBe("SQLITE_INTERRUPT");
});

test("the rows of a half-read statement stay what they were while the handle writes", () => {
  using handle = open();
  handle.db.exec("create table t (a); insert into t values ('one'), ('two'), ('three')");
  const { id } = native.prepare(handle.token, "select a from t order by a desc")!;
  native.bind(handle.token, id, []);
  const rows: unknown[][] = [];
  wire.appendBlock(rows, native.rows(handle.token, id, 1, 1000, 0, false), null);
  handle.db.exec("insert into t values ('four'); update t set a = 'none'");
  rows.push(...rest(handle.token, id).rows);
  expect(rows).toEqual([["two"], ["three"], ["one"]]);
});
