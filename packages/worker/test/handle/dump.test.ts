import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DumpSource, dump } from "../../dist/handle/dump.js";

interface Statement {
  raw(): Statement;
  safeIntegers(): Statement;
  run(...values: unknown[]): unknown;
  all(...values: unknown[]): unknown[][];
  iterate(...values: unknown[]): IterableIterator<unknown[]>;
}
interface Database {
  prepare(sql: string): Statement;
  exec(sql: string): void;
  unsafeMode(on: boolean): void;
  defaultSafeIntegers(on: boolean): void;
  close(): void;
}
const Engine = createRequire(import.meta.url)("better-sqlite3") as new (path: string) => Database;

const folder = mkdtempSync(join(tmpdir(), "dump-"));
const open: Database[] = [];
afterAll(() => {
  for (const db of open) db.close();
  rmSync(folder, { recursive: true });
});

function database(script: string, path = ":memory:"): Database {
  const db = new Engine(path);
  open.push(db);
  db.exec(script);
  return db;
}

function select(db: Database, sql: string): unknown[][] {
  return db.prepare(sql).raw().safeIntegers().all();
}

/** Declarations and rows; a shadow table's bytes depend on the order of writes, so its owner's rows stand for it. */
function contents(db: Database): unknown {
  const tables = select(
    db,
    `select name, type, sql from pragma_table_list join main.sqlite_schema using (name, type)
     where schema = 'main' and type = 'table' and name not in ('sqlite_sequence', 'sqlite_stat4')
     union all select name, 'virtual', sql from main.sqlite_schema where sql like 'create virtual%' order by name`,
  );
  const sequences = select(db, "select name from main.sqlite_schema where name = 'sqlite_sequence'");
  return {
    schema: select(
      db,
      `select type, name, tbl_name, sql from main.sqlite_schema
       where name not in ('sqlite_sequence', 'sqlite_stat4') order by name`,
    ),
    rows: tables.map(([name, type, sql]) => {
      // A contentless FTS4 table can be searched, but not read.
      if (String(sql).includes('content=""')) return [name];
      const columns = type === "virtual" ? "rowid, *" : "*";
      return [name, select(db, `select ${columns} from main."${String(name).replaceAll('"', '""')}"`)];
    }),
    sequences: sequences.flatMap(() => select(db, "select * from sqlite_sequence")),
    check: select(db, "pragma integrity_check"),
  };
}

/** Restores the lines in both ways they may be used, and expects the same database and the same dump again. */
function expectRestored(
  source: Database,
  lines: string[],
  { unsafe = false, enforced = true } = {},
): Database {
  const before = `pragma foreign_keys = ${enforced ? "on" : "off"}`;
  const whole = database(before);
  whole.unsafeMode(unsafe);
  whole.exec(lines.join("\n"));
  const parts = database(before);
  parts.unsafeMode(unsafe);
  for (const line of lines) parts.exec(line);
  for (const copy of [whole, parts]) {
    expect(contents(copy)).toEqual(contents(source));
    expect([...dump(copy)]).toEqual(lines);
  }
  return whole;
}

interface Case {
  title: string;
  script: string;
  lines: string[];
  /** False: the text restores only where foreign keys are not enforced, which is CPython's default. */
  enforced?: boolean;
}

/** If CPython's text is right, the text is the same. */
const SHARED: Case[] = [
  { title: "an empty database", script: "", lines: ["BEGIN TRANSACTION;", "COMMIT;"] },
  {
    title: "tables in the order of their names, rows in the order of their rowids",
    script: `create table if not exists foo (i integer, k charvar(250));
      insert into foo(rowid, i, k) values (2, 2, 'world'), (1, 1, 'hello');
      create table Zoo(a);
      create table bar(a default 'x''y', b default (1 + 2));
      create table "empty"(a, b)`,
    lines: [
      "BEGIN TRANSACTION;",
      "CREATE TABLE Zoo(a);",
      "CREATE TABLE bar(a default 'x''y', b default (1 + 2));",
      'CREATE TABLE "empty"(a, b);',
      "CREATE TABLE foo (i integer, k charvar(250));",
      `INSERT INTO "foo" VALUES(1,'hello');`,
      `INSERT INTO "foo" VALUES(2,'world');`,
      "COMMIT;",
    ],
  },
  {
    title: "values of every type",
    script: `create table t(a, b);
      insert into t values (null, ''), (9223372036854775807, -9223372036854775808), (9007199254740993, 0), (0.1, -1.5),
        (1e300, 1.0), ('it''s', 'a"b'), ('1', '1.0'), (x'', x'00ff41'), ('größe 名前 💾', char(13, 10, 9, 7)),
        ('a;b -- c', '/*'), (true, false);
      create table typed(i integer, r real, n numeric, t text, b blob);
      insert into typed values (1, 1, 1.0, 1, 1), ('x', 'x', 'x', 'x', 'x'), (1.5, 1.5, 1.5, 1.5, 1.5), (x'01', x'01', x'01', x'01', x'01')`,
    lines: [
      "BEGIN TRANSACTION;",
      "CREATE TABLE t(a, b);",
      `INSERT INTO "t" VALUES(NULL,'');`,
      `INSERT INTO "t" VALUES(9223372036854775807,-9223372036854775808);`,
      `INSERT INTO "t" VALUES(9007199254740993,0);`,
      `INSERT INTO "t" VALUES(0.1,-1.5);`,
      `INSERT INTO "t" VALUES(1.0e+300,1.0);`,
      `INSERT INTO "t" VALUES('it''s','a"b');`,
      `INSERT INTO "t" VALUES('1','1.0');`,
      `INSERT INTO "t" VALUES(X'',X'00FF41');`,
      `INSERT INTO "t" VALUES('größe 名前 💾','\r\n\t\u0007');`,
      `INSERT INTO "t" VALUES('a;b -- c','/*');`,
      `INSERT INTO "t" VALUES(1,0);`,
      "CREATE TABLE typed(i integer, r real, n numeric, t text, b blob);",
      `INSERT INTO "typed" VALUES(1,1.0,1,'1',1);`,
      `INSERT INTO "typed" VALUES('x','x','x','x','x');`,
      `INSERT INTO "typed" VALUES(1.5,1.5,1.5,'1.5',1.5);`,
      `INSERT INTO "typed" VALUES(X'01',X'01',X'01',X'01',X'01');`,
      "COMMIT;",
    ],
  },
  {
    title: "sequences of AUTOINCREMENT behind everything else",
    script: `create table a(id integer primary key autoincrement, x);
      create table b(id integer primary key autoincrement);
      insert into a(x) values ('one'), ('two'), ('three');
      delete from a where id > 1;
      insert into b values (9223372036854775806);
      create index i on a(x)`,
    lines: [
      "BEGIN TRANSACTION;",
      "CREATE TABLE a(id integer primary key autoincrement, x);",
      `INSERT INTO "a" VALUES(1,'one');`,
      "CREATE TABLE b(id integer primary key autoincrement);",
      'INSERT INTO "b" VALUES(9223372036854775806);',
      "CREATE INDEX i on a(x);",
      'DELETE FROM "sqlite_sequence";',
      `INSERT INTO "sqlite_sequence" VALUES('a',3);`,
      `INSERT INTO "sqlite_sequence" VALUES('b',9223372036854775806);`,
      "COMMIT;",
    ],
  },
  {
    title: "the statistics of ANALYZE",
    script: `create table t(a, b); create index i on t(a); insert into t values (1, 2), (1, 3); analyze;
      create table a(x)`,
    lines: [
      "BEGIN TRANSACTION;",
      "CREATE TABLE a(x);",
      'ANALYZE "sqlite_master";',
      `INSERT INTO "sqlite_stat1" VALUES('t','i','2 2');`,
      "CREATE TABLE t(a, b);",
      'INSERT INTO "t" VALUES(1,2);',
      'INSERT INTO "t" VALUES(1,3);',
      "CREATE INDEX i on t(a);",
      "COMMIT;",
    ],
  },
  {
    title: "views, triggers and indexes behind the rows, as they were made",
    script: `create table t(a unique, b);
      create view w as select a from v; create view v as select a, 'x;y' as "b;c" from t;
      create trigger r after insert on t begin update t set b = new.a; select 1; end;
      create trigger iv instead of insert on v begin insert into t values (new.a, 'v'); end;
      create unique index [i j] on t(b collate nocase desc) where b is not null;
      create index e on t(a + 1, lower(b));
      insert into t values (1, 'one')`,
    lines: [
      "BEGIN TRANSACTION;",
      "CREATE TABLE t(a unique, b);",
      `INSERT INTO "t" VALUES(1,1);`,
      "CREATE VIEW w as select a from v;",
      `CREATE VIEW v as select a, 'x;y' as "b;c" from t;`,
      "CREATE TRIGGER r after insert on t begin update t set b = new.a; select 1; end;",
      "CREATE TRIGGER iv instead of insert on v begin insert into t values (new.a, 'v'); end;",
      "CREATE UNIQUE INDEX [i j] on t(b collate nocase desc) where b is not null;",
      "CREATE INDEX e on t(a + 1, lower(b));",
      "COMMIT;",
    ],
  },
  {
    title: "generated columns by what they are generated from",
    script: `create table g(a, v as (a + 1), b, s text generated always as (a || b) stored, c);
      insert into g values (1, 'x', 2.5);
      create table only(v as (id * 2) virtual, id integer primary key);
      insert into only values (7)`,
    lines: [
      "BEGIN TRANSACTION;",
      "CREATE TABLE g(a, v as (a + 1), b, s text generated always as (a || b) stored, c);",
      `INSERT INTO "g" VALUES(1,'x',2.5);`,
      "CREATE TABLE only(v as (id * 2) virtual, id integer primary key);",
      'INSERT INTO "only" VALUES(7);',
      "COMMIT;",
    ],
  },
  {
    title: "WITHOUT ROWID and STRICT tables",
    script: `create table w(k text, v, primary key (v, k)) without rowid;
      insert into w values ('b', 1), ('a', 2), ('a', 1);
      create table s(a any, r real, i int) strict`,
    lines: [
      "BEGIN TRANSACTION;",
      "CREATE TABLE s(a any, r real, i int) strict;",
      "CREATE TABLE w(k text, v, primary key (v, k)) without rowid;",
      `INSERT INTO "w" VALUES('a',1);`,
      `INSERT INTO "w" VALUES('b',1);`,
      `INSERT INTO "w" VALUES('a',2);`,
      "COMMIT;",
    ],
  },
  {
    title: "names with quotes, line breaks and text beyond ASCII",
    script: `create table "a""b"("c""d", [e f], \`g\`\`h\`, "select", "x'y", "--", "größe 名前");
      insert into "a""b" values (1, 2, 3, 4, 5, 6, 7);
      create table "line\nbreak"("co\nl"); insert into "line\nbreak" values ('va\nlue');
      create table "größe 💾"(a); insert into "größe 💾" values ('ß');
      create index "i""x" on "a""b"("c""d");
      create table "table"(a)`,
    lines: [
      "BEGIN TRANSACTION;",
      `CREATE TABLE "a""b"("c""d", [e f], \`g\`\`h\`, "select", "x'y", "--", "größe 名前");`,
      'INSERT INTO "a""b" VALUES(1,2,3,4,5,6,7);',
      'CREATE TABLE "größe 💾"(a);',
      `INSERT INTO "größe 💾" VALUES('ß');`,
      'CREATE TABLE "line\nbreak"("co\nl");',
      `INSERT INTO "line\nbreak" VALUES('va\nlue');`,
      'CREATE TABLE "table"(a);',
      'CREATE INDEX "i""x" on "a""b"("c""d");',
      "COMMIT;",
    ],
  },
  {
    title: "tables whose names only look like the engine's own",
    script: `create table "sqlite-foo"(a); insert into "sqlite-foo" values (1); create table sqlitefoo(b);
      create table "SQLite foo"(c)`,
    lines: [
      "BEGIN TRANSACTION;",
      'CREATE TABLE "SQLite foo"(c);',
      'CREATE TABLE "sqlite-foo"(a);',
      'INSERT INTO "sqlite-foo" VALUES(1);',
      "CREATE TABLE sqlitefoo(b);",
      "COMMIT;",
    ],
  },
  {
    title: "foreign keys whose parents come first",
    script: `create table A(id integer primary key); create table b(a references a, c references a(id) on delete cascade);
      insert into a values (1); insert into b values (1, 1), (null, 1)`,
    lines: [
      "BEGIN TRANSACTION;",
      "CREATE TABLE A(id integer primary key);",
      'INSERT INTO "A" VALUES(1);',
      "CREATE TABLE b(a references a, c references a(id) on delete cascade);",
      'INSERT INTO "b" VALUES(1,1);',
      'INSERT INTO "b" VALUES(NULL,1);',
      "COMMIT;",
    ],
  },
  {
    title: "rows that come before the rows they refer to, where keys are not enforced",
    script: `create table comments(post_id references posts, id integer primary key);
      create table posts(id integer primary key); insert into posts values (1); insert into comments values (1, 2)`,
    lines: [
      "BEGIN TRANSACTION;",
      "CREATE TABLE comments(post_id references posts, id integer primary key);",
      'INSERT INTO "comments" VALUES(1,2);',
      "CREATE TABLE posts(id integer primary key);",
      'INSERT INTO "posts" VALUES(1);',
      "COMMIT;",
    ],
    enforced: false,
  },
  {
    title: "rows that come before those of their own table they refer to, where keys are not enforced",
    script: `create table T(id integer primary key, parent references t(id));
      insert into t values (2, null); insert into t values (1, 2)`,
    lines: [
      "BEGIN TRANSACTION;",
      "CREATE TABLE T(id integer primary key, parent references t(id));",
      'INSERT INTO "T" VALUES(1,2);',
      'INSERT INTO "T" VALUES(2,NULL);',
      "COMMIT;",
    ],
    enforced: false,
  },
  {
    title: "rows that come before the rows they refer to by a deferred key",
    script: `create table T(id integer primary key, parent references t(id) deferrable initially deferred);
      insert into t values (2, null); insert into t values (1, 2)`,
    lines: [
      "BEGIN TRANSACTION;",
      "CREATE TABLE T(id integer primary key, parent references t(id) deferrable initially deferred);",
      'INSERT INTO "T" VALUES(1,2);',
      'INSERT INTO "T" VALUES(2,NULL);',
      "COMMIT;",
    ],
  },
  {
    title: "foreign keys that no row depends on",
    script:
      "create table a(b references b); create table b(id integer primary key); insert into b values (1)",
    lines: [
      "BEGIN TRANSACTION;",
      "CREATE TABLE a(b references b);",
      "CREATE TABLE b(id integer primary key);",
      'INSERT INTO "b" VALUES(1);',
      "COMMIT;",
    ],
  },
];

const BEGIN = "BEGIN TRANSACTION;";
const COMMIT = "COMMIT;";

/** Cases in which CPython's text loses data or cannot be run. */
const OWN: Case[] = [
  {
    title: "text with a NUL, and infinities",
    script: `create table t(a, n numeric);
      insert into t values ('a' || char(0) || 'b''c', char(0)), (9e999, -9e999), (x'7800', 'x' || char(0))`,
    lines: [
      BEGIN,
      "CREATE TABLE t(a, n numeric);",
      `INSERT INTO "t" VALUES(CAST(X'6100622763' AS TEXT),CAST(X'00' AS TEXT));`,
      'INSERT INTO "t" VALUES(9.0e+999,-9.0e+999);',
      `INSERT INTO "t" VALUES(X'7800',CAST(X'7800' AS TEXT));`,
      COMMIT,
    ],
  },
  {
    title: "tables whose names have an apostrophe",
    script: `create table "it's"("a'b" integer primary key autoincrement, "''"); insert into "it's" values (1, 'x')`,
    lines: [
      BEGIN,
      `CREATE TABLE "it's"("a'b" integer primary key autoincrement, "''");`,
      `INSERT INTO "it's" VALUES(1,'x');`,
      'DELETE FROM "sqlite_sequence";',
      `INSERT INTO "sqlite_sequence" VALUES('it''s',1);`,
      COMMIT,
    ],
  },
  {
    title: "no sequence when no table with AUTOINCREMENT is left",
    script: `create table a(id integer primary key autoincrement); insert into a values (5); drop table a;
      create table t(a /* autoincrement */ default 'autoincrement')`,
    lines: [BEGIN, "CREATE TABLE t(a /* autoincrement */ default 'autoincrement');", COMMIT],
  },
  {
    title: "the table of the database itself where a temporary one has the same name",
    script: `create table t(a, b); insert into t values (1, 2); create temp table t(x); insert into temp.t values ('no');
      create temp table u(y)`,
    lines: [BEGIN, "CREATE TABLE t(a, b);", 'INSERT INTO "t" VALUES(1,2);', COMMIT],
  },
  {
    title: "violated foreign keys, with foreign keys off, even where they are not enforced",
    script: `pragma foreign_keys = off; create table a(id integer primary key); create table b(a references a);
      insert into b values (9)`,
    lines: [
      "PRAGMA foreign_keys=OFF;",
      BEGIN,
      "CREATE TABLE a(id integer primary key);",
      "CREATE TABLE b(a references a);",
      'INSERT INTO "b" VALUES(9);',
      COMMIT,
    ],
  },
  {
    title: "foreign keys that can never hold, with foreign keys off",
    script: `pragma foreign_keys = off; create table a(id); create table b(a references a(id)); insert into b values (9)`,
    lines: [
      "PRAGMA foreign_keys=OFF;",
      BEGIN,
      "CREATE TABLE a(id);",
      "CREATE TABLE b(a references a(id));",
      'INSERT INTO "b" VALUES(9);',
      COMMIT,
    ],
  },
  {
    title: "FTS5 tables with their rowids and settings, without their shadow tables",
    script: `create virtual table f using fts5(title, body unindexed, tokenize = 'porter ascii', prefix='2 3');
      insert into f(rowid, title, body) values (7, 'running; dogs', 'x''y'), (-3, null, 'z');
      insert into f(f, rank) values ('rank', 'bm25(10.0, 5.0)'), ('pgsz', 1000);
      create table f_notes(a); insert into f_notes values (1)`,
    lines: [
      BEGIN,
      "CREATE TABLE f_notes(a);",
      'INSERT INTO "f_notes" VALUES(1);',
      "CREATE VIRTUAL TABLE f using fts5(title, body unindexed, tokenize = 'porter ascii', prefix='2 3');",
      `INSERT INTO "f"("f",rank) VALUES('pgsz',1000);`,
      `INSERT INTO "f"("f",rank) VALUES('rank','bm25(10.0, 5.0)');`,
      `INSERT INTO "f"(rowid,"title","body") VALUES(-3,NULL,'z');`,
      `INSERT INTO "f"(rowid,"title","body") VALUES(7,'running; dogs','x''y');`,
      COMMIT,
    ],
  },
  {
    title: "indexes over other tables and views by rebuilding them",
    script: `create table zdocs(id integer primary key, body); insert into zdocs values (5, 'hello'), (3, 'world');
      create view texts as select id, body as t from zdocs;
      create virtual table f5 using fts5(body, content="zdocs", content_rowid='id');
      create virtual table fv using fts5(t, cont = texts, content_rowid = id);
      create virtual table f4 using fts4(content='zdocs', tokenize=porter);
      create trigger sync after insert on zdocs begin insert into f5(rowid, body) values (new.id, new.body); end;
      insert into f5(f5) values ('rebuild'); insert into fv(fv) values ('rebuild'); insert into f4(f4) values ('rebuild')`,
    lines: [
      BEGIN,
      "CREATE TABLE zdocs(id integer primary key, body);",
      `INSERT INTO "zdocs" VALUES(3,'world');`,
      `INSERT INTO "zdocs" VALUES(5,'hello');`,
      "CREATE VIEW texts as select id, body as t from zdocs;",
      `CREATE TRIGGER sync after insert on zdocs begin insert into f5(rowid, body) values (new.id, new.body); end;`,
      `CREATE VIRTUAL TABLE f4 using fts4(content='zdocs', tokenize=porter);`,
      `INSERT INTO "f4"("f4") VALUES('rebuild');`,
      `CREATE VIRTUAL TABLE f5 using fts5(body, content="zdocs", content_rowid='id');`,
      `INSERT INTO "f5"("f5") VALUES('rebuild');`,
      "CREATE VIRTUAL TABLE fv using fts5(t, cont = texts, content_rowid = id);",
      `INSERT INTO "fv"("fv") VALUES('rebuild');`,
      COMMIT,
    ],
  },
  {
    title: "FTS3 and FTS4 tables with docids and languages",
    script: `create virtual table f3 using fts3(a, b); insert into f3(docid, a) values (9, 'x');
      create virtual table f4 using fts4(a, languageid="lid"); insert into f4(docid, a, lid) values (4, 'y', 2)`,
    lines: [
      BEGIN,
      "CREATE VIRTUAL TABLE f3 using fts3(a, b);",
      `INSERT INTO "f3"(rowid,"a","b") VALUES(9,'x',NULL);`,
      `CREATE VIRTUAL TABLE f4 using fts4(a, languageid="lid");`,
      `INSERT INTO "f4"(rowid,"a","lid") VALUES(4,'y',2);`,
      COMMIT,
    ],
  },
  {
    title: "R-trees and polygons",
    script: `create virtual table r using rtree(id, minx, maxx, +label); insert into r values (3, 0.1, 0.25, 'a''b');
      create virtual table i using rtree_i32(id, a, b); insert into i values (2, -5, 5);
      create virtual table g using geopoly(label); insert into g(rowid, _shape, label) values (8, '[[0,0],[1,0],[0,1],[0,0]]', 'x')`,
    lines: [
      BEGIN,
      "CREATE VIRTUAL TABLE g using geopoly(label);",
      `INSERT INTO "g"(rowid,"_shape","label") VALUES(8,X'0100000300000000000000000000803F00000000000000000000803F','x');`,
      "CREATE VIRTUAL TABLE i using rtree_i32(id, a, b);",
      'INSERT INTO "i" VALUES(2,-5,5);',
      "CREATE VIRTUAL TABLE r using rtree(id, minx, maxx, +label);",
      `INSERT INTO "r" VALUES(3,0.099999994039535523,0.25,'a''b');`,
      COMMIT,
    ],
  },
  {
    title: "virtual tables with awkward names, and one named as another's shadow table would be",
    script: `create virtual table "it's ""f" using "FTS5"("a""b"); insert into "it's ""f" values ('x');
      create virtual table [it's "f_x] using fts5(c); insert into [it's "f_x] values ('y')`,
    lines: [
      BEGIN,
      `CREATE VIRTUAL TABLE "it's ""f" using "FTS5"("a""b");`,
      `INSERT INTO "it's ""f"(rowid,"a""b") VALUES(1,'x');`,
      `CREATE VIRTUAL TABLE [it's "f_x] using fts5(c);`,
      `INSERT INTO "it's ""f_x"(rowid,"c") VALUES(1,'y');`,
      COMMIT,
    ],
  },
];

describe("dump", () => {
  let python: string[][] | null = null;
  beforeAll(() => {
    const paths = SHARED.map(({ script }, index) => {
      const path = join(folder, `${index}.db`);
      database(script, path);
      return path;
    });
    // Older ones write sequences before the tables they belong to.
    const program = `import json, sqlite3, sys
assert sys.version_info >= (3, 11, 7)
print(json.dumps([list(sqlite3.connect(path).iterdump()) for path in sys.argv[1:]]))`;
    const { status, stdout } = spawnSync("python3", ["-c", program, ...paths], { encoding: "utf8" });
    if (status === 0) python = JSON.parse(stdout) as string[][];
  });

  for (const [index, { title, script, lines, enforced = true }] of SHARED.entries()) {
    test(`restores ${title}, in CPython's words`, () => {
      const db = database(script);
      expect([...dump(db)]).toEqual(lines);
      if (python !== null) expect(python[index]).toEqual(lines);
      expectRestored(db, lines, { enforced });
      if (!enforced) expect(() => database(lines.join("\n"))).toThrow(/FOREIGN KEY|no such table/);
    });
  }

  for (const { title, script, lines } of OWN) {
    test(`restores ${title}`, () => {
      const db = database(script);
      expect([...dump(db)]).toEqual(lines);
      expectRestored(db, lines);
    });
  }

  test("restores full-text indexes that answer as before", () => {
    const source = database(OWN.find(({ title }) => title.startsWith("FTS5 tables"))?.script ?? "");
    const restored = expectRestored(source, [...dump(source)]);
    const query = "select rowid, title, rank from f where f match 'run*' order by rank";
    expect(select(restored, query)).toEqual(select(source, query));
    expect(select(restored, query)).toHaveLength(1);
    expect(select(restored, "select v from f_config where k = 'pgsz'")).toEqual([[1000n]]);
  });

  test("restores rebuilt indexes that answer as before", () => {
    const source = database(OWN.find(({ title }) => title.startsWith("indexes over"))?.script ?? "");
    const restored = expectRestored(source, [...dump(source)]);
    for (const table of ["f4", "f5", "fv"]) {
      expect(select(restored, `select rowid from ${table} where ${table} match 'hello'`)).toEqual([[5n]]);
    }
    restored.exec("insert into zdocs values (6, 'again')");
    expect(select(restored, "select rowid from f5 where f5 match 'again'")).toEqual([[6n]]);
  });

  test("declares virtual tables that hold nothing themselves, and leaves out what they show", () => {
    const db = database(`create virtual table f using fts5(a); insert into f values ('x y');
      create virtual table words using fts5vocab(f, 'row'); create virtual table stat using dbstat(main)`);
    const lines = [...dump(db)];
    expect(lines).toEqual([
      BEGIN,
      "CREATE VIRTUAL TABLE f using fts5(a);",
      `INSERT INTO "f"(rowid,"a") VALUES(1,'x y');`,
      "CREATE VIRTUAL TABLE stat using dbstat(main);",
      "CREATE VIRTUAL TABLE words using fts5vocab(f, 'row');",
      COMMIT,
    ]);
    const restored = database(lines.join(""));
    expect(select(restored, "select term from words")).toEqual([["x"], ["y"]]);
  });

  test("copies the shadow tables of a contentless index, for a connection that may write the schema", () => {
    const db =
      database(`create virtual table c using fts5(a, content=''); insert into c(rowid, a) values (5, 'hello');
      create virtual table d using fts4(b, content=""); insert into d(docid, b) values (6, 'world');
      create virtual table e using fts5(a, b unindexed, contentless_unindexed=1, content='');
      insert into e(rowid, a, b) values (7, 'x', 'y');
      create virtual table l using fts5(a, locale=1); insert into l(rowid, a) values (8, fts5_locale('en', 'z'));
      create view v as select 1 as one`);
    const lines = [...dump(db)];
    expect(lines.slice(0, 3)).toEqual([
      BEGIN,
      "PRAGMA writable_schema=ON;",
      "INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql)VALUES('table','c','c',0,'CREATE VIRTUAL TABLE c using fts5(a, content='''')');",
    ]);
    expect(lines).toContain("CREATE TABLE 'c_docsize'(id INTEGER PRIMARY KEY, sz BLOB);");
    expect(lines).toContain(`INSERT INTO "c_docsize" VALUES(5,X'01');`);
    expect(lines.slice(-3)).toEqual([
      "CREATE VIEW v as select 1 as one;",
      "PRAGMA writable_schema=RESET;",
      COMMIT,
    ]);
    const restored = expectRestored(db, lines, { unsafe: true });
    expect(select(restored, "select rowid from c where c match 'hello'")).toEqual([[5n]]);
    expect(select(restored, "select docid from d where d match 'world'")).toEqual([[6n]]);
    expect(select(restored, "select rowid, b from e where e match 'x'")).toEqual([[7n, "y"]]);
    expect(select(restored, "select fts5_get_locale(l, 0) from l where rowid = 8")).toEqual([["en"]]);
    expect(() => database(lines.join(""))).toThrow("table sqlite_master may not be modified");
  });

  test("knows an index for contentless, or for its module, however that is written", () => {
    const db =
      database(`create virtual table a using [fts5](x, content=); insert into a(rowid, x) values (5, 'hello');
      create virtual table b using "fts5"(content=, x); insert into b(rowid, x) values (6, 'world')`);
    const restored = expectRestored(db, [...dump(db)], { unsafe: true });
    expect(select(restored, "select rowid from a where a match 'hello'")).toEqual([[5n]]);
    expect(select(restored, "select rowid from b where b match 'world'")).toEqual([[6n]]);
  });

  test("ends where a foreign key cannot be checked, with what SQLite says of it", () => {
    const path = join(folder, "collation.db");
    const db = database(
      `create table p(a text collate nocase primary key); create table c(a text references p(a));
       insert into p values ('x'); insert into c values ('x')`,
      path,
    );
    db.unsafeMode(true);
    db.exec(`pragma writable_schema = on;
      update sqlite_schema set sql = replace(sql, 'nocase', 'nope'); pragma writable_schema = reset`);
    expect(() => [...dump(database("", path))]).toThrow("no such collation sequence: nope");
  });

  test("tells the shadow tables of a table from those of one whose name it begins with", () => {
    const db =
      database(`create virtual table p using fts5(a, content=''); insert into p(rowid, a) values (5, 'hello');
      create virtual table p_q using fts5(a); insert into p_q values ('world')`);
    const lines = [...dump(db)];
    const declared = lines.flatMap((line) => /^CREATE TABLE '([^']*)'/.exec(line)?.[1] ?? []);
    expect(declared).toEqual(["p_config", "p_data", "p_docsize", "p_idx"]);
    expect(lines.slice(-3)).toEqual([
      "CREATE VIRTUAL TABLE p_q using fts5(a);",
      `INSERT INTO "p_q"(rowid,"a") VALUES(1,'world');`,
      COMMIT,
    ]);
    expectRestored(db, lines, { unsafe: true });
  });

  test("copies the virtual tables of modules that are not loaded", () => {
    const db = database("create table other_data(a); insert into other_data values (1)");
    db.unsafeMode(true);
    db.exec(`pragma writable_schema = on;
      insert into sqlite_master
        values ('table', 'other', 'other', 0, 'CREATE VIRTUAL TABLE other USING module(a, ''b'')');
      pragma writable_schema = reset`);
    const lines = [...dump(db)];
    expect(lines).toEqual([
      BEGIN,
      "PRAGMA writable_schema=ON;",
      "INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql)VALUES('table','other','other',0,'CREATE VIRTUAL TABLE other USING module(a, ''b'')');",
      "CREATE TABLE other_data(a);",
      'INSERT INTO "other_data" VALUES(1);',
      "PRAGMA writable_schema=RESET;",
      COMMIT,
    ]);
    const restored = database("");
    restored.unsafeMode(true);
    restored.exec(lines.join(""));
    expect([...dump(restored)]).toEqual(lines);
  });

  test("ends declarations that end in a comment", () => {
    const db = database("create table t(a); insert into t values (1)");
    for (const sql of [
      "create table w(a primary key) without rowid -- one; two",
      "create view v as select a from t -- three",
      "create view u as select a from t /* four",
      "create view s as select a from t /* five */",
      "create index i on t(a) --",
    ]) {
      db.exec(sql);
    }
    const lines = [...dump(db)];
    expect(lines.slice(3)).toEqual([
      "CREATE TABLE w(a primary key) without rowid -- one; two\n;",
      "CREATE VIEW v as select a from t -- three\n;",
      "CREATE VIEW u as select a from t /* four*/;",
      "CREATE VIEW s as select a from t /* five */;",
      "CREATE INDEX i on t(a) --\n;",
      COMMIT,
    ]);
    const restored = database(lines.join(" "));
    expect(select(restored, "select * from v, u, s, t")).toEqual([[1n, 1n, 1n, 1n]]);
    expect(select(restored, "select name from sqlite_schema where name in ('i', 'w')")).toHaveLength(2);
  });

  test("restores as many columns as a table can have", () => {
    const names = Array.from({ length: 2000 }, (_, index) => `c${index}`);
    const db = database(`create table t(${names.join(",")}); insert into t(c0, c1999) values (1, 'x')`);
    const lines = [...dump(db)];
    expect(lines[2]).toBe(`INSERT INTO "t" VALUES(1,${"NULL,".repeat(1998)}'x');`);
    expectRestored(db, lines);
  });

  test("restores a UTF-16 database", () => {
    const db = database(
      "pragma encoding = 'UTF-16'; create table größe(a); insert into größe values ('名前 💾''s')",
    );
    const lines = [...dump(db)];
    expect(lines).toEqual([
      BEGIN,
      "CREATE TABLE größe(a);",
      `INSERT INTO "größe" VALUES('名前 💾''s');`,
      COMMIT,
    ]);
    expectRestored(db, lines);
  });

  test("restores text with NULs of a UTF-16 database, in any encoding", () => {
    const bytes = "select hex(a) from t";
    for (const encoding of ["UTF-16le", "UTF-16be"]) {
      const db = database(`pragma encoding = '${encoding}'; create table t(a);
        insert into t values ('名@' || char(0) || '💾'), (replace(hex(zeroblob(2000)), '00', 'x' || char(0)))`);
      const lines = [...dump(db)];
      expect(lines[2]).toBe(`INSERT INTO "t" VALUES(('名@'||char(0)||'💾'));`);
      const same = database(`pragma encoding = '${encoding}'; ${lines.join("")}`);
      expect(select(same, bytes)).toEqual(select(db, bytes));
      const other = database(lines.join(""));
      expect(select(other, bytes)).toEqual([["E5908D4000F09F92BE"], ["7800".repeat(2000)]]);
    }
  });

  test("restores text that is no UTF-8 byte for byte, where CPython fails", () => {
    const db = database(`create table t(a text, b primary key) without rowid;
      insert into t values (cast(x'41ff42' as text), cast(x'80' as text)),
        (cast(x'c328' as text), cast(x'eda080' as text)), ('é''', char(65533)), (x'ff', cast(x'c300' as text))`);
    const lines = [...dump(db)];
    expect(lines.slice(2, -1)).toEqual([
      `INSERT INTO "t" VALUES(CAST(X'41FF42' AS TEXT),CAST(X'80' AS TEXT));`,
      `INSERT INTO "t" VALUES(X'FF',CAST(X'C300' AS TEXT));`,
      `INSERT INTO "t" VALUES(CAST(X'C328' AS TEXT),CAST(X'EDA080' AS TEXT));`,
      `INSERT INTO "t" VALUES('é''','\u{FFFD}');`,
    ]);
    const restored = expectRestored(db, lines);
    const bytes = "select typeof(a), hex(a), typeof(b), hex(b) from t";
    expect(select(restored, bytes)).toEqual(select(db, bytes));
  });

  test("gives the same text where integers are read as bigints", () => {
    const db = database(SHARED.find(({ title }) => title.startsWith("values of every"))?.script ?? "");
    const lines = [...dump(db)];
    expect(lines).toContain('INSERT INTO "t" VALUES(9007199254740993,0);');
    db.defaultSafeIntegers(true);
    expect([...dump(db)]).toEqual(lines);
  });

  test("reads a row only when its line is asked for, and lets go of the table when it is not", () => {
    const db = database(`create table t(a);
      insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) select i from n`);
    let read = 0;
    const counted: DumpSource = {
      prepare: (sql) => ({
        raw: () => {
          const statement = db.prepare(sql).raw();
          return {
            all: (...values) => statement.all(...values),
            *iterate(...values) {
              for (const row of statement.iterate(...values)) {
                read++;
                yield row;
              }
            },
          };
        },
      }),
    };
    const lines = dump(counted);
    for (let count = 0; count < 12; count++) lines.next();
    expect(read).toBe(10);
    expect(() => db.exec("delete from t")).toThrow("busy");
    lines.return(undefined);
    db.exec("delete from t");
    expect([...dump(db)]).toEqual([BEGIN, "CREATE TABLE t(a);", COMMIT]);
  });
});
