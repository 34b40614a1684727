import { expect, test } from "vitest";
import { codeOf, Database, native, open } from "./engine.ts";
import { readAll, rest } from "./reading.ts";

test("a statement tells how many columns and parameters it has, and whether it only reads", () => {
  using handle = open();
  handle.db.exec("create table t (a)");
  const facts = (sql: string): unknown => {
    const { columns, parameters, readonly } = native.prepare(handle.token, sql)!;
    return { columns, parameters, readonly };
  };
  expect(facts("select 1, ?, :name, ?7")).toEqual({ columns: 4, parameters: 7, readonly: true });
  expect(facts("insert into t values (?)")).toEqual({ columns: 0, parameters: 1, readonly: false });
  expect(facts("insert into t values (1) returning a")).toEqual({
    columns: 1,
    parameters: 0,
    readonly: false,
  });
});

test("a text without a statement gives none, and one with two is refused, whatever stands between them", () => {
  using handle = open();
  for (const sql of ["", " \n\t", "-- a comment", "/* another */ ;"]) {
    expect(native.prepare(handle.token, sql)).toBeNull();
  }
  for (const sql of ["select 1;", "select 1; ; -- no more", "select 1 /* a; b */; /* open"]) {
    expect(native.prepare(handle.token, sql)).toMatchObject({ columns: 1 });
  }
  for (const sql of ["select 1; select 2", "select 1; -- not\n select 2", "select 1;/**/x"]) {
    expect(codeOf(() => native.prepare(handle.token, sql))).toBe("ERR_SQLITE_AIO_NATIVE_MULTIPLE");
  }
});

test("a text that is no SQL throws SQLite's message under its code", () => {
  using handle = open();
  expect(() => native.prepare(handle.token, "selec 1")).toThrow(
    expect.objectContaining({ code: "SQLITE_ERROR", errcode: 1, message: 'near "selec": syntax error' }),
  );
});

test("columns have names, declared types and origins as better-sqlite3 tells them", () => {
  using handle = open();
  handle.db.exec("create table t (id integer primary key, b varchar(20), c)");
  const sql = "select id, b as other, c, count(*), t.b from t";
  const { id } = native.prepare(handle.token, sql)!;
  expect(native.columns(handle.token, id)).toEqual(handle.db.prepare(sql).columns());
});

test("each kind of value binds as the type that it has, and comes back as it was", () => {
  using handle = open();
  const values = [
    null,
    1,
    -1,
    2 ** 53 - 1,
    2 ** 53,
    1.5,
    -0,
    Number.POSITIVE_INFINITY,
    2n ** 60n,
    -(2n ** 63n),
    "",
    "é日😀",
    "a\0b",
  ];
  const sql = `select ${values.map(() => "?").join(", ")}`;
  expect(readAll(handle.token, sql, { values }).rows).toStrictEqual([values]);
  const types = `select ${values.map(() => "typeof(?)").join(", ")}`;
  expect(readAll(handle.token, types, { values }).rows).toEqual([
    [
      "null",
      "integer",
      "integer",
      "integer",
      "real",
      "real",
      "real",
      "real",
      "integer",
      "integer",
      "text",
      "text",
      "text",
    ],
  ]);
  const bytes = new Uint8Array([9, 1, 2, 3]).subarray(1);
  expect(
    readAll(handle.token, "select ?, ?, typeof(?)", { values: [bytes, new Uint8Array(), Number.NaN] }).rows,
  ).toEqual([[Buffer.from([1, 2, 3]), Buffer.alloc(0), "null"]]);
});

test("what does not bind is refused: other objects, integers of more than 64 bits, another number of values", () => {
  using handle = open();
  const { id } = native.prepare(handle.token, "select ?")!;
  for (const value of [
    {},
    [],
    true,
    undefined,
    Symbol("x"),
    2n ** 63n,
    new Float64Array(1),
    new ArrayBuffer(1),
  ]) {
    expect(codeOf(() => native.bind(handle.token, id, [value as never]))).toBe("ERR_INVALID_ARG_TYPE");
  }
  expect(codeOf(() => native.bind(handle.token, id, []))).toBe("SQLITE_RANGE");
  expect(codeOf(() => native.bind(handle.token, id, [1, 2]))).toBe("SQLITE_RANGE");
  expect(codeOf(() => native.bind(handle.token, id, 1 as never))).toBe("ERR_INVALID_ARG_TYPE");
});

test("binding ends the run before, and reset lets go of its locks", () => {
  using handle = open();
  handle.db.exec("create table t (a); insert into t values (1), (2)");
  const { id } = native.prepare(handle.token, "select a from t where a > ?")!;
  native.bind(handle.token, id, [0]);
  native.rows(handle.token, id, 1, 1000, 0, false);
  expect(codeOf(() => handle.db.exec("drop table t"))).toBe("SQLITE_LOCKED");
  native.bind(handle.token, id, [1]);
  expect(rest(handle.token, id).rows).toEqual([[2]]);
  native.bind(handle.token, id, [0]);
  native.rows(handle.token, id, 1, 1000, 0, false);
  native.reset(handle.token, id);
  handle.db.exec("drop table t");
});

test("a finalized statement is none, and its number never means another", () => {
  using handle = open();
  const first = native.prepare(handle.token, "select 1")!.id;
  native.finalize(handle.token, first);
  native.finalize(handle.token, first);
  const second = native.prepare(handle.token, "select 2")!.id;
  expect(second).not.toBe(first);
  expect(codeOf(() => native.bind(handle.token, first, []))).toBe("ERR_SQLITE_AIO_NATIVE_FINALIZED");
  expect(rest(handle.token, second).rows).toEqual([[2]]);
});

test("many statements are kept at a time, and all are finalized at once", () => {
  using handle = open();
  const ids = Array.from({ length: 100 }, (_, i) => native.prepare(handle.token, `select ${i}`)!.id);
  expect(ids.map((id) => rest(handle.token, id).rows[0]![0])).toEqual(ids.map((_, i) => i));
  native.finalize(handle.token);
  for (const id of ids)
    expect(codeOf(() => native.columns(handle.token, id))).toBe("ERR_SQLITE_AIO_NATIVE_FINALIZED");
  expect(readAll(handle.token, "select 1").rows).toEqual([[1]]);
});

test("a statement belongs to its handle, and is gone with it", () => {
  using one = open();
  const two = open();
  const { id } = native.prepare(two.token, "select 1")!;
  expect(codeOf(() => native.rows(one.token, id, 1, 1, 0, false))).toBe("ERR_SQLITE_AIO_NATIVE_FINALIZED");
  two.db.close();
  expect(codeOf(() => native.rows(two.token, id, 1, 1, 0, false))).toBe("ERR_SQLITE_AIO_NATIVE_CLOSED");
});

test("every result code has the name that better-sqlite3 gives it", () => {
  using handle = open();
  handle.db.exec(
    "create table t (a unique not null check (a <> 5)); insert into t values (1); create table s (a int) strict",
  );
  for (const sql of [
    "insert into t values (1)",
    "insert into t values (null)",
    "insert into t values (5)",
    "insert into s values ('x')",
    "insert into t values (zeroblob(2000000000))",
    "commit",
  ]) {
    const own = codeOf(() => handle.db.prepare(sql).run());
    expect(own).toMatch(/^SQLITE_/);
    expect(codeOf(() => readAll(handle.token, sql))).toBe(own);
  }
  const readonly = new Database(":memory:");
  const token = native.attach(readonly);
  readonly.exec("create table t (a); pragma query_only = on");
  expect(codeOf(() => readAll(token, "insert into t values (1)"))).toBe("SQLITE_READONLY");
  readonly.close();
});
