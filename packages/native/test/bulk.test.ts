import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { codeOf, Database, native, open } from "./engine.ts";
import { packet, readAll, wire } from "./reading.ts";

/** Runs `sql` for the sets. Returns the result and the progress. */
function run(
  token: number,
  sql: string,
  sets: unknown[][],
  from = 0,
): { rowid?: bigint; code?: unknown; next: number; changes: number } {
  const { id } = native.prepare(token, sql)!;
  const progress = new Float64Array(2);
  let rowid: bigint | undefined;
  const code = codeOf(() => {
    rowid = native.runMany(token, id, packet(sets), from, progress);
  });
  native.finalize(token, id);
  const [next, changes] = progress as unknown as [number, number];
  return { ...(rowid === undefined ? { code } : { rowid }), next, changes };
}

const COLUMNS: Record<string, unknown[]> = {
  integers: [1, -5, 2 ** 53 - 1, 0],
  reals: [1.5, -0, 2 ** 60, Number.POSITIVE_INFINITY],
  "numbers and NULL": [1, null, 2.5, null],
  bigints: [1n, 2n ** 63n - 1n, -(2n ** 63n), null],
  texts: ["a", "", "é", "日本😀\0x"],
  "texts and NULL": [null, "ü", null, "last"],
  blobs: [new Uint8Array([1, 2]), new Uint8Array(), null, new Uint8Array(300).fill(7)],
  "large blobs": [new Uint8Array(6000).fill(1), new Uint8Array(5000).fill(2), null, new Uint8Array(1)],
  NULL: [null, null, null, null],
  "nothing but empty texts and blobs": ["", new Uint8Array(), null, ""],
  "all kinds": [1, "é", new Uint8Array([3]), 2n ** 60n],
};

test.each(Object.entries(COLUMNS))("a column of %s is stored as it is given", (_, values) => {
  using handle = open();
  handle.db.exec("create table t (id integer primary key, a, type)");
  const sets = values.map((value, i) => [i + 1, value, value]);
  expect(run(handle.token, "insert into t values (?, ?, typeof(?))", sets)).toEqual({
    rowid: 4n,
    next: 4,
    changes: 4,
  });
  const stored = readAll(handle.token, "select a from t order by id").rows.map(([value]) => value);
  const given = values.map((value) =>
    value instanceof Uint8Array ? Buffer.from(value) : typeof value === "bigint" && value === 1n ? 1 : value,
  );
  expect(stored).toStrictEqual(given);
  const type = (value: unknown): string =>
    value === null
      ? "null"
      : typeof value === "string"
        ? "text"
        : typeof value === "bigint" || (Number.isSafeInteger(value) && !Object.is(value, -0))
          ? "integer"
          : value instanceof Uint8Array
            ? "blob"
            : "real";
  expect(readAll(handle.token, "select type from t order by id").rows).toEqual(
    values.map((value) => [type(value)]),
  );
});

test("texts that repeat in a large batch are stored as they are given", () => {
  using handle = open();
  handle.db.exec("create table t (a, b)");
  const sets = Array.from({ length: 1000 }, (_, i) => [`stadt ${i % 9} ü`, i % 3 === 0 ? null : `${i % 5}`]);
  expect(
    packet(sets)
      .slice(1)
      .map((column) => (column as number[])[0]),
  ).toEqual([6, 6]);
  expect(run(handle.token, "insert into t values (?, ?)", sets)).toMatchObject({ next: 1000, changes: 1000 });
  expect(readAll(handle.token, "select a, b from t order by rowid").rows).toEqual(sets);
});

test("a statement without parameters runs once a set", () => {
  using handle = open();
  handle.db.exec("create table t (a)");
  expect(run(handle.token, "insert into t values (1)", [[], [], []])).toEqual({
    rowid: 3n,
    next: 3,
    changes: 3,
  });
});

test("rows changed are those that the statement changed, without what its triggers did", () => {
  using handle = open();
  handle.db.exec(
    "create table t (a); insert into t values (1), (1), (2); create table log (a); create trigger x after update on t begin insert into log values (1); end",
  );
  expect(run(handle.token, "update t set a = a where a = ?", [[1], [2], [3]])).toMatchObject({
    next: 3,
    changes: 3,
  });
});

test("a set that fails is told by its number, and the sets before it count", () => {
  using handle = open();
  handle.db.exec("create table t (a unique); begin");
  const outcome = run(handle.token, "insert into t values (?)", [[1], [2], [2], [3]]);
  expect(outcome).toEqual({ code: "SQLITE_CONSTRAINT_UNIQUE", next: 2, changes: 2 });
  expect(readAll(handle.token, "select a from t").rows).toEqual([[1], [2]]);
  expect(run(handle.token, "insert into t values (?)", [[1], [2], [2], [3]], 3)).toEqual({
    rowid: 3n,
    next: 4,
    changes: 1,
  });
});

test("sets that meet a lock go on where they were when it is gone", () => {
  const folder = mkdtempSync(join(tmpdir(), "sqlite-aio-native-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  using handle = open(join(folder, "test.db"));
  handle.db.exec("create table t (a)");
  using other = open(join(folder, "test.db"));
  const sets = [[0], [1], [2], [3]];
  const sql = "insert into t values (?)";
  expect(run(handle.token, sql, sets.slice(0, 2))).toMatchObject({ next: 2, changes: 2 });
  other.db.exec("begin immediate");
  expect(run(handle.token, sql, sets, 2)).toEqual({ code: "SQLITE_BUSY", next: 2, changes: 0 });
  other.db.exec("rollback");
  expect(run(handle.token, sql, sets, 2)).toMatchObject({ next: 4, changes: 2 });
  expect(readAll(handle.token, "select a from t").rows).toEqual(sets);
});

test("a cancelled operation ends between two sets", () => {
  using handle = open();
  handle.db.exec("create table t (a)");
  const { block: control, cancelled: marks } = wire.openControl(wire.createControl());
  handle.db.function("mark", {}, (a: number) => {
    if (a === 2) marks[5] = 1;
    return a;
  });
  native.guard(handle.db, handle.token, true);
  const { id } = native.prepare(handle.token, "insert into t values (mark(?))")!;
  const progress = new Float64Array(2);
  const work = (): unknown =>
    native.runMany(handle.token, id, packet([[1], [2], [3]]), 0, progress, control, 5);
  expect(codeOf(work)).toBe("SQLITE_INTERRUPT");
  expect([...progress]).toEqual([2, 2]);
});

test("each set has a savepoint of its own, which stays open where the set is to be undone, or fails", () => {
  using handle = open();
  const { db, token } = handle;
  db.exec("create table t (a unique)");
  const undo = new Int32Array(1);
  db.function("noted", {}, (a: number) => {
    undo[0] = Number(a === 3);
    return a;
  });
  native.guard(db, token, true);
  const [begin, keep] = ["savepoint s", "release s"].map((sql) => native.prepare(token, sql)!.id);
  const { id } = native.prepare(token, "insert or fail into t values (noted(?1)), (?1 + 10)")!;
  const progress = new Float64Array(3);
  const runSets = (values: number[], ...savepoints: unknown[]): unknown => {
    const sets = packet(values.map((value) => [value]));
    return codeOf(() =>
      native.runMany(token, id, sets, 0, progress, undefined, undefined, ...(savepoints as [])),
    );
  };
  const rows = (): unknown => db.prepare("select a from t order by rowid").pluck().all();

  expect(runSets([1, 2], begin, keep, undo)).toBeUndefined();
  expect([...progress, db.inTransaction]).toEqual([2, 4, 0, false]);
  expect(runSets([4, 3, 5], begin, keep, undo)).toBe("SQLITE_ABORT");
  expect([...progress, db.inTransaction]).toEqual([1, 2, 2, true]);
  expect(rows()).toEqual([1, 11, 2, 12, 4, 14, 3, 13]);
  db.exec("rollback");
  expect(rows()).toEqual([1, 11, 2, 12, 4, 14]);

  db.exec("insert into t values (16)");
  undo[0] = 0;
  expect(runSets([5, 6], begin, keep, undo)).toBe("SQLITE_CONSTRAINT_UNIQUE");
  expect([...progress, db.inTransaction]).toEqual([1, 2, 1, true]);
  db.exec("release s");
  expect(rows()).toEqual([1, 11, 2, 12, 4, 14, 16, 5, 15, 6]);

  db.exec("begin");
  expect(runSets([3], begin, keep, undo)).toBe("SQLITE_ABORT");
  db.exec("rollback to s; release s");
  expect(db.inTransaction).toBe(true);
  db.exec("commit");
  expect(runSets([7], "x", keep, undo)).toBe("ERR_INVALID_ARG_TYPE");
  expect(runSets([7], begin, undefined, undo)).toBe("ERR_INVALID_ARG_TYPE");
  expect(runSets([7], begin, keep, new Int32Array())).toBe("ERR_INVALID_ARG_TYPE");
  expect(runSets([7], begin, keep)).toBe("ERR_INVALID_ARG_TYPE");
  expect(rows()).toEqual([1, 11, 2, 12, 4, 14, 16, 5, 15, 6]);
});

test("what is no packet for the statement is refused, and nothing is written", () => {
  using handle = open();
  handle.db.exec("create table t (a, b)");
  const { id } = native.prepare(handle.token, "insert into t values (?, ?)")!;
  const numbers = [1, new Float64Array(2), null];
  const bad: unknown[] = [
    null,
    5,
    {},
    [],
    ["2"],
    [-1],
    [2],
    [2, numbers],
    [2, numbers, null],
    [2, numbers, [9, 1]],
    [2, numbers, [1, new Float64Array(1), null]],
    [2, numbers, [1, new Float32Array(2), null]],
    [2, numbers, [1, new Float64Array(2), new Uint8Array(1)]],
    [2, numbers, [2, new Float64Array(2), null]],
    [2, numbers, [3, "ab", new Uint32Array([1, 3]), null]],
    [2, numbers, [3, "ab", new Uint32Array([2, 1]), null]],
    [2, numbers, [3, "😀", new Uint32Array([1, 2]), null]],
    [2, numbers, [3, 5, new Uint32Array([1, 2]), null]],
    [2, numbers, [4, new Uint8Array(2), new Uint32Array([1, 3]), null]],
    [2, numbers, [4, "ab", new Uint32Array([1, 2]), null]],
    [2, numbers, [6, ["a"], new Uint16Array([0, 1])]],
    [2, numbers, [6, ["a"], [0, 0]]],
    [2, numbers, [0, [1]]],
    [2, numbers, [0, [1, {}]]],
    [2, numbers, [0, [1, 2n ** 63n]]],
    [2, numbers, [0, 5]],
  ];
  for (const each of bad) {
    expect(codeOf(() => native.runMany(handle.token, id, each as never, 0, new Float64Array(2)))).toBe(
      "ERR_INVALID_ARG_TYPE",
    );
  }
  const right = packet([[1, 2]]);
  for (const progress of [null, new Float64Array(1), new Float32Array(2)]) {
    expect(codeOf(() => native.runMany(handle.token, id, right, 0, progress as never))).toBe(
      "ERR_INVALID_ARG_TYPE",
    );
  }
  expect(codeOf(() => native.runMany(handle.token, id, right, 2, new Float64Array(2)))).toBe(
    "ERR_INVALID_ARG_TYPE",
  );
  expect(readAll(handle.token, "select count(*) from t").rows).toEqual([[0]]);
  const other = new Database(":memory:");
  expect(codeOf(() => native.runMany(native.attach(other), id, right, 0, new Float64Array(2)))).toBe(
    "ERR_SQLITE_AIO_NATIVE_FINALIZED",
  );
  other.close();
});

test("a set that finalizes the statement of its batch finds that at work, and the statement goes on", () => {
  using handle = open();
  handle.db.exec("create table t (a)");
  const { id } = native.prepare(handle.token, "insert into t values (?)")!;
  const sets = packet([[1], [2]]);
  const [, column] = sets;
  let code: unknown;
  Object.defineProperty(sets, 1, {
    get: () => {
      code = codeOf(() => native.finalize(handle.token, id));
      return column;
    },
  });
  const progress = new Float64Array(2);
  native.runMany(handle.token, id, sets, 0, progress);
  expect(code).toBe("ERR_SQLITE_AIO_NATIVE_BUSY");
  native.runMany(handle.token, id, packet([[3]]), 0, progress);
  expect(handle.db.prepare("select a from t").pluck().all()).toEqual([1, 2, 3]);
});
