import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { codeOf, native, open } from "./engine.ts";
import { wire } from "./reading.ts";

type Value = null | number | bigint | string | Uint8Array;
interface Point {
  readonly id: number;
  /** 0 for a statement that writes. */
  readonly limit: number;
  readonly mode?: number;
  readonly values?: readonly Value[];
}
type Outcome = { rows: unknown[][]; renamed: boolean } | { changes: number; rowid: number | bigint };

const ROOM = 4096;
const HEAD = 6;

/** Runs the points as the worker does, and reads their results. */
class Run {
  readonly outcomes: Outcome[] = [];
  readonly code: unknown;
  readonly message: string = "";
  readonly done: number;
  /** The operation that failed writes and was begun. */
  readonly stepped: boolean;
  readonly times: number[] = [];
  readonly #cells = new Float64Array(ROOM);
  readonly #integers = new BigInt64Array(this.#cells.buffer);
  readonly #tags = new Uint8Array(ROOM);
  readonly #text = Buffer.alloc(1 << 16);
  #cell = HEAD;
  #at = 0;

  constructor(token: number, points: readonly Point[], control?: Int32Array, sequence?: number, ms?: number) {
    const input: number[] = [];
    const bytes: Buffer[] = [];
    for (const { id, limit, mode = 0, values = [] } of points) {
      input.push(id, limit, mode, values.length);
      for (const value of values) input.push(...write(value, bytes));
    }
    this.code = codeOf(() =>
      native.runPoints(
        token,
        points.length,
        new Float64Array(input),
        0,
        new Uint8Array(Buffer.concat(bytes)),
        0,
        this.#cells,
        this.#tags,
        this.#text,
        control,
        sequence,
        ms,
      ),
    );
    this.done = this.#cells[0]!;
    this.stepped = this.#cells[3] === 1;
    for (let i = 0; i < this.done; i++) this.outcomes.push(this.#read());
    const [code = 0, message = 0] = this.#cells.subarray(4, 6);
    if (code === 0) return;
    this.code = this.#text.toString("utf8", this.#at, this.#at + code);
    this.message = this.#text.toString("utf8", this.#at + code, this.#at + code + message);
  }

  #read(): Outcome {
    const [status, ms, first] = this.#cells.subarray(this.#cell, this.#cell + 3) as unknown as number[];
    this.times.push(ms!);
    this.#cell += 3;
    if (status === 2) return { changes: first!, rowid: this.#value() as number | bigint };
    const second = this.#cells[this.#cell++]!;
    const rows = Array.from({ length: first! }, () => Array.from({ length: second }, () => this.#value()));
    return { rows, renamed: status === 1 };
  }

  #value(): unknown {
    const cell = this.#cell++;
    const length = this.#cells[cell]!;
    const bytes = (): Buffer => Buffer.from(this.#text.subarray(this.#at, (this.#at += length)));
    switch (this.#tags[cell]) {
      case 0:
        return null;
      case 1:
        return length;
      case 2:
        return this.#integers[cell];
      case 3:
        return bytes().toString("latin1");
      case 4:
        return bytes();
      default:
        return bytes().toString("utf8");
    }
  }
}

function write(value: Value, bytes: Buffer[]): number[] {
  if (value === null) return [0, 0];
  if (typeof value === "number") return [1, value];
  if (typeof value === "bigint") return [2, new Float64Array(new BigInt64Array([value]).buffer)[0]!];
  const memory = typeof value === "string" ? Buffer.from(value) : Buffer.from(value);
  bytes.push(memory);
  return [typeof value === "string" ? 3 : 4, memory.length];
}

test("reads and writes run one after the other, and give what each alone would", () => {
  using handle = open();
  handle.db.exec("create table t (id integer primary key, a)");
  const insert = native.prepare(handle.token, "insert into t (a) values (?)")!.id;
  const get = native.prepare(handle.token, "select * from t where id = ?")!.id;
  const all = native.prepare(handle.token, "select a from t order by id")!.id;
  const none = native.prepare(handle.token, "update t set a = 1 where 0")!.id;
  const { outcomes, done } = new Run(handle.token, [
    { id: insert, limit: 0, values: ["one"] },
    { id: insert, limit: 0, values: [2] },
    { id: get, limit: 1, values: [1] },
    { id: get, limit: 1, values: [7] },
    { id: all, limit: 10 },
    { id: none, limit: 0 },
  ]);
  expect(done).toBe(6);
  expect(outcomes).toEqual([
    { changes: 1, rowid: 1 },
    { changes: 1, rowid: 2 },
    { rows: [[1, "one"]], renamed: false },
    { rows: [], renamed: false },
    { rows: [["one"], [2]], renamed: false },
    { changes: 0, rowid: 2 },
  ]);
});

test("every kind of value goes in and comes out as it was", () => {
  using handle = open();
  const values: Value[] = [
    null,
    1,
    -0,
    1.5,
    2 ** 53,
    2n ** 63n - 1n,
    -5n,
    "",
    "abc",
    "é",
    "日本😀",
    "a\0b",
    new Uint8Array([1, 2]),
    new Uint8Array(),
  ];
  const echo = native.prepare(handle.token, "select ?1, typeof(?1)")!.id;
  const { outcomes } = new Run(
    handle.token,
    values.map((value) => ({ id: echo, limit: 1, values: [value] })),
  );
  const types = [
    "null",
    "integer",
    "real",
    "real",
    "real",
    "integer",
    "integer",
    "text",
    "text",
    "text",
    "text",
    "text",
    "blob",
    "blob",
  ];
  expect(outcomes).toStrictEqual(
    values.map((value, i) => ({
      rows: [[value instanceof Uint8Array ? Buffer.from(value) : value === -5n ? -5 : value, types[i]]],
      renamed: false,
    })),
  );
});

test("integers are read as the mode says", () => {
  using handle = open();
  const { id } = native.prepare(handle.token, "select 1, 9007199254740993")!;
  const { outcomes } = new Run(
    handle.token,
    [0, 1, 2].map((mode) => ({ id, limit: 1, mode })),
  );
  expect(outcomes.map((outcome) => (outcome as { rows: unknown[][] }).rows)).toStrictEqual([
    [[1, 9007199254740993n]],
    [[1n, 9007199254740993n]],
    [[1, 9007199254740992]],
  ]);
});

test("the run ends before a result that is larger than it may be, or than there is room for", () => {
  using handle = open();
  const limited = "with recursive n(i) as (select 1 union all select i + 1 from n limit ?) select i from n";
  const numbers = native.prepare(handle.token, limited)!.id;
  const wide = native.prepare(handle.token, "select hex(zeroblob(?))")!.id;
  const fits = { id: numbers, limit: 5, values: [5] };
  for (const large of [
    { id: numbers, limit: 5, values: [6] },
    { id: numbers, limit: 100_000, values: [10_000] },
    { id: wide, limit: 1, values: [60_000] },
  ]) {
    const { outcomes, done, code } = new Run(handle.token, [fits, large, fits]);
    expect([done, code]).toEqual([1, undefined]);
    // Such a text is compiled again for other parameters, and the columns may then have other names.
    const renamed = expect.any(Boolean) as boolean;
    expect(outcomes).toEqual([{ rows: [[1], [2], [3], [4], [5]], renamed }]);
  }
});

test("the run ends where there is no room for an answer", () => {
  using handle = open();
  const { id } = native.prepare(handle.token, "select 1, 2, 3, 4, 5, 6, 7")!;
  const { outcomes, done, code } = new Run(
    handle.token,
    Array.from({ length: 1000 }, () => ({ id, limit: 1 })),
  );
  expect([code, done]).toEqual([undefined, Math.floor((ROOM - HEAD) / 11)]);
  expect(outcomes).toEqual(
    Array.from({ length: done }, () => ({ rows: [[1, 2, 3, 4, 5, 6, 7]], renamed: false })),
  );
});

test("a failing statement ends the run behind those that are done, and has changed nothing", () => {
  using handle = open();
  handle.db.exec("create table t (a unique)");
  const { id } = native.prepare(handle.token, "insert into t values (?)")!;
  const { outcomes, done, code } = new Run(
    handle.token,
    [1, 2, 1, 3].map((value) => ({ id, limit: 0, values: [value] })),
  );
  expect([done, code]).toEqual([2, "SQLITE_CONSTRAINT_UNIQUE"]);
  expect(outcomes).toEqual([
    { changes: 1, rowid: 1 },
    { changes: 1, rowid: 2 },
  ]);
  expect(handle.db.prepare("select count(*) from t").pluck().get()).toBe(2);
});

test("a write that has failed is told from what was not run, and has a rowid of the kind that the mode says", () => {
  using handle = open();
  handle.db.exec("create table t (a unique)");
  const insert = native.prepare(handle.token, "insert into t values (?)")!.id;
  const at = native.prepare(handle.token, "insert into t (rowid, a) values (?, null)")!.id;
  const broken = native.prepare(handle.token, "select abs(-9223372036854775808)")!.id;
  const failed = (...points: Point[]): unknown[] => {
    const { done, code, stepped } = new Run(handle.token, points);
    return [done, code, stepped];
  };
  expect(failed({ id: insert, limit: 0, values: [1] })).toEqual([1, undefined, false]);
  expect(failed({ id: insert, limit: 0, values: [1] })).toEqual([0, "SQLITE_CONSTRAINT_UNIQUE", true]);
  expect(failed({ id: broken, limit: 1 })).toEqual([0, "SQLITE_ERROR", false]);
  expect(failed({ id: insert, limit: 0, values: [] })).toEqual([0, "SQLITE_MISUSE", false]);
  handle.db.exec(
    "create trigger r before insert on t when new.a = 'é' begin select raise(abort, 'nein, é!'); end",
  );
  const refused = new Run(handle.token, [{ id: insert, limit: 0, values: ["é"] }]);
  expect([refused.code, refused.message]).toEqual(["SQLITE_CONSTRAINT_TRIGGER", "nein, é!"]);
  const long = "x".repeat(70_000);
  handle.db.exec(
    `create trigger l before insert on t when new.a = 'l' begin select raise(abort, '${long}'); end`,
  );
  expect(failed({ id: insert, limit: 0, values: ["l"] })).toEqual([0, "SQLITE_CONSTRAINT_TRIGGER", true]);
  const big = 2n ** 60n;
  const { outcomes } = new Run(
    handle.token,
    [0, 1, 2].map((mode) => ({ id: at, limit: 0, mode, values: [big + BigInt(mode)] })),
  );
  expect(outcomes).toEqual([big, big + 1n, Number(big + 2n)].map((rowid) => ({ changes: 1, rowid })));
  const small = new Run(handle.token, [{ id: at, limit: 0, mode: 1, values: [7] }]);
  expect(small.outcomes).toEqual([{ changes: 1, rowid: 7n }]);
});

test("the run ends behind an operation at whose end the time is over, and tells how long each took", () => {
  using handle = open();
  const slow = native.prepare(
    handle.token,
    "with recursive n(i) as (select 1 union all select i + 1 from n limit ?) select max(i) from n",
  )!.id;
  const points = [10, 300_000, 10].map((value) => ({ id: slow, limit: 1, values: [value] }));
  // A busy machine may delay a thread anywhere, so the fastest of several runs counts.
  const runs = Array.from({ length: 5 }, () => new Run(handle.token, points));
  expect(runs.map(({ done }) => done)).toEqual([3, 3, 3, 3, 3]);
  const [quick, long] = [0, 1].map((at) => Math.min(...runs.map(({ times }) => times[at]!))) as [
    number,
    number,
  ];
  expect(long).toBeGreaterThan(10 * quick);
  const ms = long / 2;
  const bounded = new Run(handle.token, points, undefined, undefined, ms);
  // The run ends after the second operation, unless the first was delayed.
  expect(bounded.done).toBe(bounded.times[0]! > ms ? 1 : 2);
  expect(new Run(handle.token, points, undefined, undefined, 60_000).done).toBe(3);
});

test("a table that was altered is read by its new columns, which is told once", () => {
  using handle = open();
  handle.db.exec("create table t (a); insert into t values (1)");
  const { id } = native.prepare(handle.token, "select * from t")!;
  const read = (): unknown => new Run(handle.token, [{ id, limit: 1 }]).outcomes[0];
  expect(read()).toEqual({ rows: [[1]], renamed: false });
  handle.db.exec("alter table t add column b default 2");
  expect(read()).toEqual({ rows: [[1, 2]], renamed: true });
  expect(read()).toEqual({ rows: [[1, 2]], renamed: false });
});

test("the control block says what is running, and a cancelled operation is not begun", () => {
  using handle = open();
  const { block: control, cancelled: marks } = wire.openControl(wire.createControl());
  const { id } = native.prepare(handle.token, "select 1")!;
  const points = [1, 2, 3].map(() => ({ id, limit: 1 }));
  expect(new Run(handle.token, points, control, 2 ** 31 - 2).done).toBe(3);
  expect([control[0], control[4]]).toEqual([1, 1]);
  marks[6] = 1;
  expect(new Run(handle.token, points, control, 5).done).toBe(1);
  expect([control[0], control[4]]).toEqual([5, 5]);
  marks[6] = 0;
  control[1] = 1;
  expect(new Run(handle.token, points, control, 8).done).toBe(0);
  control[1] = 0;
  control[3] = 1;
  expect(new Run(handle.token, points, control, 8).done).toBe(0);
});

test("the companion and the worker agree on where what is in the control block", () => {
  const header = readFileSync(new URL("../src/control.h", import.meta.url), "utf8");
  const constant = (name: string): number => Number(new RegExp(`${name} = (\\d+)`).exec(header)![1]);
  const { cancelled, group, block } = wire.openControl(wire.createControl());
  expect(constant("CONTROL_MARKS")).toBe(cancelled.byteOffset);
  expect(constant("CONTROL_RING")).toBe(cancelled.length);
  expect(constant("CONTROL_GROUP")).toBe(group.byteOffset / 4);
  expect(constant("CONTROL_ALONE")).toBe(group.byteOffset / 4 + 1);
  expect(constant("CONTROL_WORDS")).toBe(block.length);
  const worker = readFileSync(new URL("../../worker/src/wire/control-block.ts", import.meta.url), "utf8");
  for (const name of ["RUNNING", "INTERRUPTING", "STOPPED", "ENDED", "INTERRUPTS"]) {
    const place = Number(new RegExp(`^const ${name} = (\\d+);`, "m").exec(worker)![1]);
    expect(constant(`CONTROL_${name}`), name).toBe(place);
  }
});

test("a write that was given up before its end stops the others, unless a group looks later", () => {
  using handle = open();
  handle.db.exec("create table t (a); begin");
  const { block, cancelled, group } = wire.openControl(wire.createControl());
  handle.db.function("mark", {}, (value: number) => {
    if (value === 2) cancelled[6] = 1;
    return value;
  });
  native.guard(handle.db, handle.token, true);
  const { id } = native.prepare(handle.token, "insert into t values (mark(?))")!;
  const points = [1, 2, 3].map((value) => ({ id, limit: 0, values: [value] }));
  const stopped = new Run(handle.token, points, block, 5);
  expect([stopped.done, stopped.code, stopped.stepped]).toEqual([1, "SQLITE_INTERRUPT", true]);
  expect(group[0]).toBe(-6);
  cancelled[6] = 0;
  group[0] = 5;
  expect(new Run(handle.token, points, block, 5).done).toBe(3);
  expect(group[0]).toBe(5);
});

test("what is no input is refused", () => {
  using handle = open();
  const { id } = native.prepare(handle.token, "select ?")!;
  const run = (input: number[], bytes = 0): unknown =>
    codeOf(() =>
      native.runPoints(
        handle.token,
        1,
        new Float64Array(input),
        0,
        new Uint8Array(bytes),
        0,
        new Float64Array(20),
        new Uint8Array(20),
        new Uint8Array(20),
      ),
    );
  expect(run([id, 1, 0, 1, 1, 5])).toBeUndefined();
  for (const input of [
    [],
    [id, 1, 0],
    [id, 1, 0, 1],
    [id, 1, 0, 0],
    [id, 1, 0, 2, 1, 5, 1, 5],
    [id, -1, 0, 1, 1, 5],
    [id + 1, 1, 0, 1, 1, 5],
    [Number.NaN, 1, 0, 1, 1, 5],
    [id, 1, 0, 1, 9, 5],
    [id, 1, 0, 1, 3, 2],
    [id, 1, 0, 1, 4, -1],
    [id, 1, 0, 1, 3, Number.NaN],
  ]) {
    expect(run(input, 1)).toBe("SQLITE_MISUSE");
  }
  const right = [
    handle.token,
    1,
    new Float64Array([id, 1, 0, 1, 1, 5]),
    0,
    new Uint8Array(),
    0,
    new Float64Array(20),
    new Uint8Array(20),
    new Uint8Array(20),
    undefined,
    undefined,
    undefined,
  ];
  for (const [at, wrong] of [
    [1, "1"],
    [2, new Float32Array(6)],
    [3, 7],
    [4, null],
    [5, 1],
    [6, new Float64Array(2)],
    [7, new Uint8Array(3)],
    [8, new Int8Array(9)],
    [9, new Int32Array(3)],
    [11, "1"],
    [11, -1],
  ] as const) {
    const all: unknown[] = [...right];
    all[at] = wrong;
    expect(codeOf(() => native.runPoints(...(all as Parameters<typeof native.runPoints>)))).toBe(
      "ERR_INVALID_ARG_TYPE",
    );
  }
});

test("a run ends before a text for which the results before have left no room", () => {
  using handle = open();
  const text = native.prepare(handle.token, "select printf('%.*c', ?, 'x')")!.id;
  const long = { id: text, limit: 1, values: [40_000] };
  const { outcomes, done } = new Run(handle.token, [long, long]);
  expect(done).toBe(1);
  expect(outcomes).toEqual([{ rows: [["x".repeat(40_000)]], renamed: false }]);
});

test("a read that is over holds no lock on its table", () => {
  using handle = open();
  handle.db.exec("create table t (a); insert into t values (1), (2)");
  const { id } = native.prepare(handle.token, "select a from t")!;
  expect(new Run(handle.token, [{ id, limit: 1 }]).done).toBe(1);
  handle.db.exec("drop table t");
});

test("a run ends behind a read that was interrupted, or might have been", () => {
  using handle = open();
  const { block: control } = wire.openControl(wire.createControl());
  const INTERRUPTS = 5;
  handle.db.function("disturb", {}, () => ++control[INTERRUPTS]!);
  const disturbing = native.prepare(handle.token, "select disturb()")!.id;
  const plain = native.prepare(handle.token, "select 2")!.id;
  const { outcomes, done } = new Run(
    handle.token,
    [
      { id: disturbing, limit: 1 },
      { id: plain, limit: 1 },
    ],
    control,
    1,
  );
  expect(done).toBe(1);
  expect(outcomes).toEqual([{ rows: [[1]], renamed: false }]);
});
