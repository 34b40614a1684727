import { expect, test } from "vitest";
import { codeOf, native, open } from "./engine.ts";

function withSchema() {
  const handle = open();
  handle.db.exec(`
    create table author (id integer primary key, name);
    create table book (id integer primary key, author references author on delete cascade, title);
    create table tag (name text primary key, uses) without rowid;
    create table log (line);
    create virtual table search using fts5 (title);
    create view shelf as select name, title from author join book on book.author = author.id;
    create trigger on_book after insert on book begin
      insert into search (rowid, title) values (new.id, new.title);
      insert into log select name from tag;
    end;
    attach ':memory:' as Extra;
    create table extra.Note (text);
    create temp table scratch (a)`);
  return handle;
}

const names = (pairs: [string, string][]) =>
  pairs.map((pair) => pair.join(".")).toSorted((a, b) => (a < b ? -1 : 1));

function analyze(token: number, sql: string) {
  const { reads, writes, untracked, readonly, schema } = native.analyze(token, sql);
  return { reads: names(reads), writes: names(writes), untracked: names(untracked), readonly, schema };
}

const query = { writes: [], untracked: [], readonly: true, schema: false };

test.for([
  ["select name from author", ["main.author"]],
  ["select * from shelf", ["main.author", "main.book", "main.shelf"]],
  ["select 1", []],
  ["", []],
  ["with a as (select * from author) select * from a", ["main.author"]],
  ["select title from book where author in (select id from author)", ["main.author", "main.book"]],
  ["select rowid from search where search match 'x'", ["main.search"]],
  ["select text from extra.note", ["Extra.Note"]],
  ["select a from scratch", ["temp.scratch"]],
  ["select name from author union select name from tag", ["main.author", "main.tag"]],
  ["explain select * from log", ["main.log"]],
] as const)("the tables that %j reads are found", ([sql, reads]) => {
  using handle = withSchema();
  expect(analyze(handle.token, sql)).toEqual({ ...query, reads });
});

test.for([
  ["select count(*) from AUTHOR", ["main.author"]],
  ["select count(*) from EXTRA.NOTE", ["Extra.Note"]],
  ["select 1 from scratch", ["temp.scratch"]],
  ["select exists (select 1 from tag)", ["main.tag"]],
  ["select count(*) from shelf", ["main.author", "main.book"]],
  ["select a.id from author a, log", ["main.author", "main.log"]],
  ["with q as (select 1) select count(*) from q", []],
  ["select count(*) from main.sqlite_schema", ["main.sqlite_master"]],
] as const)("a table of which %j reads no column is found, under its own name", ([sql, reads]) => {
  using handle = withSchema();
  expect(analyze(handle.token, sql)).toEqual({ ...query, reads });
});

test("what triggers and foreign keys write is found, and what change tracking will not see", () => {
  using handle = withSchema();
  expect(analyze(handle.token, "insert into book values (1, 1, 'x')")).toMatchObject({
    writes: ["main.book", "main.log", "main.search"],
    untracked: ["main.search"],
    readonly: false,
    schema: false,
  });
  expect(analyze(handle.token, "delete from author")).toMatchObject({
    writes: ["main.author", "main.book"],
    untracked: [],
  });
  expect(analyze(handle.token, "update tag set uses = 1 where name in (select name from author)")).toEqual({
    reads: ["main.author", "main.tag"],
    writes: ["main.tag"],
    untracked: ["main.tag"],
    readonly: false,
    schema: false,
  });
});

test.for([
  ["create table n (a)", true],
  ["drop table log", true],
  ["alter table log add column b", true],
  ["create index i on log (line)", true],
  ["attach ':memory:' as other", true],
  ["create temp view tv as select 1", true],
  ["insert into log values (1)", false],
  ["begin", false],
  ["savepoint s", false],
  ["pragma user_version = 1", false],
] as const)("%j changes the schema: %j", ([sql, schema]) => {
  using handle = withSchema();
  expect(analyze(handle.token, sql).schema).toBe(schema);
});

test("the statement is not run", () => {
  using handle = withSchema();
  native.analyze(handle.token, "insert into author values (1, 'a')");
  native.analyze(handle.token, "drop table log");
  native.analyze(handle.token, "begin");
  expect(handle.db.inTransaction).toBe(false);
  expect(handle.db.prepare("select count(*) from author, log").pluck().get()).toBe(0);
  expect(analyze(handle.token, "select * from log").reads).toEqual(["main.log"]);
});

test("a statement that SQLite refuses throws its message and result code, and the next is analyzed", () => {
  using handle = withSchema();
  expect(() => native.analyze(handle.token, "select age from author")).toThrow("no such column: age");
  expect(codeOf(() => native.analyze(handle.token, "selec"))).toBe("ERR_SQLITE_AIO_NATIVE_SQL");
  try {
    native.analyze(handle.token, "selec");
  } catch (error) {
    expect(error).toMatchObject({ errcode: 1, message: 'near "selec": syntax error' });
  }
  expect(analyze(handle.token, "select name from author").reads).toEqual(["main.author"]);
});

test("the authorizer of the handle is not asked, and is asked again afterwards", () => {
  using handle = withSchema();
  let asked = 0;
  native.setAuthorizer(handle.token, () => {
    asked++;
    return 1;
  });
  expect(analyze(handle.token, "insert into tag select name, 1 from author")).toMatchObject({
    reads: ["main.author"],
    untracked: ["main.tag"],
  });
  expect(asked).toBe(0);
  expect(codeOf(() => handle.db.prepare("select 1"))).toBe("SQLITE_AUTH");
  expect(asked).toBe(1);
  native.setAuthorizer(handle.token, null);
  expect(handle.db.prepare("select 1").pluck().get()).toBe(1);
  expect(analyze(handle.token, "select name from tag").reads).toEqual(["main.tag"]);
});

test("statements that are being read go on while another is analyzed", () => {
  using handle = withSchema();
  handle.db.exec("insert into log values (1), (2), (3)");
  const seen: unknown[] = [];
  handle.db.function("look", {}, () => analyze(handle.token, "delete from tag").writes.length);
  for (const row of handle.db.prepare("select line, look() from log").raw().all()) seen.push(row);
  expect(seen).toEqual([
    [1, 1],
    [2, 1],
    [3, 1],
  ]);
});
