import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { codeOf, Database, native, open } from "./engine.ts";

function tracked(path?: string, rowidLimit?: number) {
  const handle = open(path);
  handle.db.exec(
    "create table if not exists t (a); create table if not exists u (id integer primary key, b unique)",
  );
  if (rowidLimit === undefined) native.trackChanges(handle.token, true);
  else native.trackChanges(handle.token, true, rowidLimit);
  return Object.assign(handle, { take: () => native.takeChanges(handle.token) });
}

const change = (table: string, rowids: bigint[] | null, database = "main") => ({ database, table, rowids });

function temporary(): { path: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), "sqlite-aio-native-"));
  return { path: join(folder, "db"), [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

test("a committed change is reported once, with the rows inserted, updated and deleted", () => {
  using handle = tracked();
  handle.db.exec("insert into t values (1), (2), (3)");
  expect(handle.take()).toEqual([change("t", [1n, 2n, 3n])]);
  expect(handle.take()).toBeNull();
  handle.db.exec("update t set a = 9 where rowid = 2; delete from t where rowid = 3");
  expect(handle.take()).toEqual([change("t", [2n, 3n])]);
});

test("a transaction is reported after its commit and not before", () => {
  using handle = tracked();
  handle.db.exec("begin; insert into t values (1); insert into u values (5, 1)");
  expect(handle.take()).toBeNull();
  handle.db.exec("update t set a = 2");
  handle.db.exec("commit");
  expect(handle.take()).toEqual([change("t", [1n]), change("u", [5n])]);
});

test("a rolled back transaction is never reported and takes nothing of the one before with it", () => {
  using handle = tracked();
  handle.db.exec("insert into t values (1); begin; insert into u values (1, 1); rollback");
  expect(handle.take()).toEqual([change("t", [1n])]);
  handle.db.exec("insert into t values (2); begin; rollback");
  expect(handle.take()).toEqual([change("t", [2n])]);
  handle.db.exec("begin; insert into t values (3); rollback");
  expect(handle.take()).toBeNull();
});

test("a statement that fails is not reported, alone or by ON CONFLICT ROLLBACK", () => {
  using handle = tracked();
  handle.db.exec("insert into u values (1, 1)");
  expect(handle.take()).toEqual([change("u", [1n])]);
  expect(codeOf(() => handle.db.exec("insert into u values (2, 2), (3, 1)"))).toBe(
    "SQLITE_CONSTRAINT_UNIQUE",
  );
  expect(handle.take()).toBeNull();
  handle.db.exec("begin; insert into t values (1)");
  expect(codeOf(() => handle.db.exec("insert or rollback into u values (4, 1)"))).toBe(
    "SQLITE_CONSTRAINT_UNIQUE",
  );
  expect(handle.db.inTransaction).toBe(false);
  expect(handle.take()).toBeNull();
});

test("a commit that fails with SQLITE_BUSY is reported when it is retried, and not when it is rolled back", () => {
  using file = temporary();
  using handle = tracked(file.path);
  using reader = { db: new Database(file.path), [Symbol.dispose]: () => reader.db.close() };
  const hold = () => reader.db.exec("begin; select * from t");

  hold();
  handle.db.exec("begin; insert into t values (1)");
  expect(codeOf(() => handle.db.exec("commit"))).toBe("SQLITE_BUSY");
  expect(handle.take()).toBeNull();
  reader.db.exec("commit");
  handle.db.exec("insert into t values (2); commit");
  expect(handle.take()).toEqual([change("t", [1n, 2n])]);

  hold();
  handle.db.exec("begin; insert into t values (3)");
  expect(codeOf(() => handle.db.exec("commit"))).toBe("SQLITE_BUSY");
  handle.db.exec("rollback");
  expect(handle.take()).toBeNull();

  expect(codeOf(() => handle.db.exec("insert into t values (4)"))).toBe("SQLITE_BUSY");
  expect(handle.take()).toBeNull();
  reader.db.exec("commit");
  handle.db.exec("insert into u values (7, 7)");
  expect(handle.take()).toEqual([change("u", [7n])]);
});

// The limit is set with `ulimit`, which Windows does not have.
test.skipIf(process.platform === "win32").for(["wal", "delete"])(
  "a commit that fails on the disk is not reported, the ones around it are, in %s mode",
  (mode) => {
    using file = temporary();
    const script = fileURLToPath(new URL("disk-limit.ts", import.meta.url));
    const limited = 'ulimit -f 1000 && exec "$0" "$@"';
    const output = execFileSync("sh", ["-c", limited, process.execPath, script, file.path, mode], {
      encoding: "utf8",
    });
    expect(JSON.parse(output)).toEqual([
      ["SQLITE_IOERR_WRITE", null],
      [null, "SQLITE_IOERR_WRITE", ["small 1"]],
      ["SQLITE_IOERR_WRITE", null],
      [null, "SQLITE_CONSTRAINT_PRIMARYKEY", ["small 3"]],
      [null, "SQLITE_CONSTRAINT_PRIMARYKEY", null, null, ["small 4"]],
    ]);
  },
);

test("a DELETE without WHERE reports every row, though SQLite would empty the table unseen", () => {
  using handle = tracked();
  const empty = handle.db.prepare("delete from t");
  handle.db.exec("insert into t values (1), (2), (3)");
  handle.take();
  empty.run();
  expect(handle.take()).toEqual([change("t", [1n, 2n, 3n])]);
  native.trackChanges(handle.token, false);
  handle.db.exec("insert into t values (1)");
  native.trackChanges(handle.token, true);
  empty.run();
  expect(handle.take()).toEqual([change("t", [1n])]);
});

test("everything that can be dropped is dropped while changes are tracked", () => {
  using handle = tracked();
  handle.db.exec(`
    create view v as select * from t; create index i on t (a); create temp table tt (a); create temp view tv as select 1;
    create trigger g after insert on t begin select 1; end; create virtual table f using fts5 (x);
    create table n (a references u (b))`);
  handle.db.exec(
    "drop trigger g; drop view v; drop index i; drop table f; drop table tt; drop view tv; drop table n",
  );
  handle.db.exec("drop table t; drop table u");
  expect(
    handle.db.prepare("select name from sqlite_master union select name from temp.sqlite_master").raw().all(),
  ).toEqual([]);
  handle.db.exec("create table t (a); insert into t values (1), (2)");
  handle.take();
  handle.db.exec("delete from t");
  expect(handle.take()).toEqual([change("t", [1n, 2n])]);
});

test("a DROP TABLE that an authorizer denies does not hide the next DELETE", () => {
  using handle = tracked();
  handle.db.exec("insert into t values (1)");
  handle.take();
  native.setAuthorizer(handle.token, (action) => (action === 11 ? 1 : 0));
  expect(codeOf(() => handle.db.exec("drop table t"))).toBe("SQLITE_AUTH");
  handle.db.exec("delete from t");
  expect(handle.take()).toEqual([change("t", [1n])]);
});

test("rows are listed up to the limit, once each, and beyond it not at all", () => {
  using handle = tracked(undefined, 3);
  handle.db.exec("insert into t values (1), (2), (3); update t set a = 0; update t set a = 1");
  expect(handle.take()).toEqual([change("t", [1n, 2n, 3n])]);
  handle.db.exec("insert into t values (4), (5), (6), (7)");
  expect(handle.take()).toEqual([change("t", null)]);
  handle.db.exec("delete from t where rowid < 3");
  handle.db.exec("delete from t where rowid >= 3 and rowid < 5");
  expect(handle.take()).toEqual([change("t", null)]);
  handle.db.exec("delete from t where rowid = 5");
  expect(handle.take()).toEqual([change("t", [5n])]);
});

test("1,000 rows are listed by default, of any sign and size, in the order of the changes", () => {
  using handle = tracked();
  const rowids = Array.from(
    { length: 1_000 },
    (_, i) => (i % 2 === 0 ? 1n : -1n) * (2n ** 62n - BigInt(i) * 4_096n),
  );
  const insert = handle.db.prepare("insert into u values (?, null)");
  handle.db.exec("begin");
  for (const rowid of rowids) insert.run(rowid);
  for (const rowid of rowids) handle.db.prepare("update u set b = null where id = ?").run(rowid);
  handle.db.exec("commit");
  expect(handle.take()).toEqual([change("u", rowids)]);
  insert.run(1n);
  handle.db.exec("update u set b = null");
  expect(handle.take()).toEqual([change("u", null)]);
});

test("changes that triggers and foreign keys make are reported", () => {
  using handle = tracked();
  handle.db.exec(`create table child (u references u on delete cascade);
    create trigger g after delete on child begin insert into t values (old.u); end;
    insert into u values (1, 1), (2, 2); insert into child values (1), (1), (2)`);
  handle.take();
  handle.db.exec("delete from u where id = 1");
  expect(handle.take()).toEqual([change("u", [1n]), change("child", [1n, 2n]), change("t", [1n, 2n])]);
});

test("tables of the same name in main, temp and an attached database are told apart", () => {
  using handle = tracked();
  handle.db.exec("attach ':memory:' as extra; create table extra.t (a); create temp table t (a)");
  handle.db.exec(
    "begin; insert into extra.t values (1); insert into temp.t values (1); insert into main.t values (1); commit",
  );
  expect(handle.take()).toEqual([change("t", [1n], "extra"), change("t", [1n], "temp"), change("t", [1n])]);
});

test("copying a table row by row or as a whole is reported", () => {
  using handle = tracked();
  handle.db.exec("insert into t values (1), (2); create table copy (a)");
  handle.take();
  handle.db.exec("insert into copy select * from t");
  expect(handle.take()).toEqual([change("copy", [1n, 2n])]);
});

test("a marked change is reported with the transaction it is in, or at once", () => {
  using handle = tracked();
  handle.db.exec("create table w (k primary key) without rowid");
  handle.db.exec("insert into w values (1)");
  expect(handle.take()).toBeNull();
  native.markChanged(handle.token, "main", "w");
  expect(handle.take()).toEqual([change("w", null)]);

  handle.db.exec("begin; insert into w values (2)");
  native.markChanged(handle.token, "main", "w");
  expect(handle.take()).toBeNull();
  handle.db.exec("commit");
  expect(handle.take()).toEqual([change("w", null)]);

  handle.db.exec("begin; insert into w values (3)");
  native.markChanged(handle.token, "main", "w");
  handle.db.exec("rollback");
  expect(handle.take()).toBeNull();
});

test("nothing is collected before tracking is on and after it is off", () => {
  using handle = tracked();
  handle.db.exec("insert into t values (1)");
  native.trackChanges(handle.token, false);
  expect(handle.take()).toBeNull();
  handle.db.exec("insert into t values (2)");
  native.markChanged(handle.token, "main", "t");
  native.trackChanges(handle.token, true);
  expect(handle.take()).toBeNull();
});

test("an authorizer and change tracking work side by side, whichever is removed first", () => {
  using handle = tracked();
  native.setAuthorizer(handle.token, (action, table) => (action === 9 && table === "u" ? 1 : 0));
  handle.db.exec("insert into t values (1); insert into u values (1, 1)");
  handle.db.exec("delete from t");
  expect(codeOf(() => handle.db.exec("delete from u"))).toBe("SQLITE_AUTH");
  expect(handle.take()).toEqual([change("t", [1n]), change("u", [1n])]);
  native.trackChanges(handle.token, false);
  expect(codeOf(() => handle.db.exec("delete from u"))).toBe("SQLITE_AUTH");
  native.trackChanges(handle.token, true);
  native.setAuthorizer(handle.token, null);
  handle.db.exec("delete from u");
  expect(handle.take()).toEqual([change("u", [1n])]);
});

test("a handle may close in a transaction with changes collected", () => {
  using file = temporary();
  const handle = tracked(file.path);
  handle.db.exec("insert into t values (1); begin; insert into t values (2)");
  handle.db.close();
  using again = open(file.path);
  expect(again.db.prepare("select a from t").raw().all()).toEqual([[1]]);
});

/** A seeded random generator (Park and Miller). */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

test("over 500 random transactions each changed row is reported if it was committed and none if not", () => {
  using handle = tracked();
  const { db } = handle;
  const pick = random(42);
  const snapshot = () => ({
    t: new Map(db.prepare("select rowid, a from t").raw().all() as [number, unknown][]),
    u: new Map(db.prepare("select id, b from u").raw().all() as [number, unknown][]),
  });
  const statements = [
    () => `insert into t values (${pick(100)})`,
    () => `update t set a = a + 1 where rowid % 5 = ${pick(5)}`,
    () => `delete from t where rowid % 7 = ${pick(7)}`,
    () => `insert or ignore into u values (${pick(40)}, ${pick(40)})`,
    () => `delete from u where id = ${pick(40)}`,
    () => (pick(10) === 0 ? "delete from t" : "select 1"),
  ];
  const attempt = (sql: string) => codeOf(() => db.exec(sql));
  for (let round = 0; round < 500; round++) {
    const before = snapshot();
    const mode = pick(3);
    if (mode > 0) db.exec("begin");
    for (let i = 0; i <= pick(4); i++) attempt(statements[pick(statements.length)]!());
    if (mode > 0) db.exec(mode === 1 ? "commit" : "rollback");
    const after = snapshot();
    const reported = new Map(handle.take()?.map(({ table, rowids }) => [table, rowids]));
    if (mode === 2) expect(reported.size, `round ${round}`).toBe(0);
    for (const table of ["t", "u"] as const) {
      const rowids = new Set([...before[table].keys(), ...after[table].keys()]);
      for (const rowid of rowids) {
        if (before[table].get(rowid) === after[table].get(rowid)) continue;
        expect(reported.get(table), `round ${round}, ${table} ${rowid}`).toContain(BigInt(rowid));
      }
    }
  }
});
