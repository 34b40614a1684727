// Runs all calls of the C files in several threads at once, until something breaks or all rounds are done. sanitize.mjs
// starts it on a binary that checks its own memory: `node stress.mjs <index.cjs> <rounds>`.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";

const require = createRequire(import.meta.url);
const Database = require("better-sqlite3");
const { index, rounds, words } = isMainThread
  ? {
      index: process.argv[2],
      rounds: Number(process.argv[3]),
      words: new BigInt64Array(new SharedArrayBuffer(64)),
    }
  : workerData;
const native = require(index);
const owners = 2;

// Any step may be interrupted, and the next may then miss what that one creates. It only matters that SQLite reports
// it.
function attempt(fn) {
  try {
    fn();
  } catch (error) {
    if (
      !/^(SQLITE_(INTERRUPT|AUTH|ERROR|MISUSE|RANGE)|ERR_SQLITE_AIO_NATIVE_(SQL|FINALIZED)|ERR_INVALID_ARG_TYPE)$/.test(
        error.code,
      )
    )
      throw error;
  }
}

const control = new Int32Array(new SharedArrayBuffer(8192));
const progress = new Float64Array(2);
const cells = new Float64Array(2000);
const tags = new Uint8Array(2000);
const text = new Uint8Array(20_000);

/** Writes every kind of column and reads it back: row by row, and in a run of small statements. */
function statements(db, token, number) {
  attempt(() => db.exec("create table s (id integer primary key, a, b, c, d)"));
  const rows = 300 + (number % 300);
  const sets = [
    rows,
    [1, Float64Array.from({ length: rows }, (_, i) => (i < 200 ? i : i / 3)), null],
    [3, "é日".repeat(rows), Uint32Array.from({ length: rows }, (_, i) => 2 * i + 2), new Uint8Array(rows)],
    [6, ["few", null, "ü"], Uint16Array.from({ length: rows }, (_, i) => i % 3)],
    [
      0,
      Array.from({ length: rows }, (_, i) => [i, `own ${i}`, null, new Uint8Array(i % 40), 2n ** 60n][i % 5]),
    ],
  ];
  let id;
  attempt(() => ({ id } = native.prepare(token, "insert into s (a, b, c, d) values (?, ?, ?, ?)")));
  attempt(() => native.runMany(token, id, sets, 0, progress, control, 1));
  attempt(
    () => ({ id } = native.prepare(token, "select a, b, c, d, d, 'term ' || (id % 9) from s where id > ?")),
  );
  for (const limit of [1 + (number % 7), 2048]) {
    attempt(() => {
      native.bind(token, id, ["0"]);
      native.bind(token, id, [number % 3]);
      for (let blocks = 0; blocks < 20; blocks++) {
        const block = native.rows(token, id, limit, 1 + 1000 * (number % 50), number % 3, false, control, 1);
        if ((new Int32Array(block)[1] & 1) === 1) break;
      }
    });
  }
  attempt(() => native.columns(token, id));
  attempt(() => {
    ({ id } = native.prepare(token, "select *, hex(zeroblob(?)) from s limit 5"));
    const input = Float64Array.from(
      { length: 120 },
      (_, i) => [id, i % 24 < 6 ? 5 : 1, number % 3, 1, 1, i][i % 6],
    );
    native.runPoints(token, 20, input, 0, new Uint8Array(), 0, cells, tags, text, control, 1);
  });
  attempt(() => {
    // A third of them fails; the next run goes on after the failed one.
    ({ id } = native.prepare(token, "insert into s (id, a) values (?, ?)"));
    const count = 30;
    const input = Float64Array.from(
      { length: count * 8 },
      (_, i) => [id, 0, number % 3, 2, 1, 1000 + (Math.floor(i / 8) % 20), 3, 4][i % 8],
    );
    const bytes = new Uint8Array(count * 4).fill(97);
    for (let left = count, at = 0, byteAt = 0; left > 0; ) {
      cells.fill(0, 0, 6);
      attempt(() =>
        native.runPoints(token, left, input, at, bytes, byteAt, cells, tags, text, control, 1, 5),
      );
      if (cells[1] === at) break;
      [, at, byteAt] = cells;
      left -= cells[0] + cells[3];
    }
  });
  if (number % 3 === 0) native.finalize(token, id);
  if (number % 6 === 0) native.finalize(token);
}

function guarded(db, token) {
  db.function("boom", () => {
    throw Object.assign(new Error("boom"), { code: "SQLITE_ERROR" });
  });
  attempt(() => {
    native.guard(db, token, true);
    const { id } = native.prepare(token, "select 1 union all select boom()");
    native.rows(token, id, 100, 1000, 0, false);
    native.rows(token, id, 100, 1000, 0, false);
  });
  native.guard(db, token, false);
}

function round(slot, number) {
  const db = new Database(":memory:");
  const token = native.attach(db);
  Atomics.store(words, slot, BigInt(token));
  attempt(() =>
    db.exec("create table t (a); create table w (k primary key) without rowid; create view v as select 1"),
  );
  attempt(() => native.analyze(token, "select count(*) from t, v"));
  native.trackChanges(token, true, number % 40);
  attempt(() => db.exec("begin; insert into t values (1), (2), (3); insert into w values (1)"));
  native.markChanged(token, "main", "w");
  attempt(() => db.exec(number % 3 === 0 ? "rollback" : "commit"));
  attempt(() => native.takeChanges(token));
  native.setAuthorizer(token, (action, name) => {
    if (number % 5 === 0 && action === 20) throw new Error("denied");
    return name === "a" ? 2 : 0;
  });
  attempt(() => native.analyze(token, "insert into t select a + 1 from t"));
  attempt(() => db.prepare("select count(*), max(a) from t").get());
  if (number % 2 === 0) native.setAuthorizer(token, null);
  attempt(() =>
    db.exec(
      "with recursive n(i) as (select 1 union all select i + 1 from n limit 500) insert into t select i from n",
    ),
  );
  attempt(() => db.exec("delete from t"));
  if (number % 4 === 0) native.trackChanges(token, false);
  attempt(() => db.exec("begin; insert into t values (1)"));
  native.setAuthorizer(token, null);
  attempt(() => db.exec("rollback"));
  statements(db, token, number);
  if (number % 7 === 0) guarded(db, token);
  // The last handle stays open until the thread ends.
  if (number < rounds) db.close();
}

if (isMainThread) {
  const threads = Array.from({ length: owners }, (_, slot) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { index, rounds, words, slot } });
    return new Promise((resolve, reject) => worker.once("exit", resolve).once("error", reject));
  });
  const fail = (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  };
  const running = new Set(threads);
  for (const thread of threads) void thread.then(() => running.delete(thread), fail);
  const seen = { alive: 0, dead: 0 };
  while (running.size > 0) {
    for (let i = 0; i < 20_000; i++) {
      seen[native.interrupt(Number(Atomics.load(words, i % owners))) ? "alive" : "dead"]++;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(seen.alive > 0 && seen.dead > 0);
  for (let slot = 0; slot < owners; slot++) assert.equal(native.interrupt(Number(words[slot])), false);
  process.stdout.write(
    `${owners} x ${rounds} handles, interrupted ${seen.alive} times alive and ${seen.dead} times dead\n`,
  );
} else {
  for (let number = 1; number <= rounds; number++) round(workerData.slot, number);
}
