// Runs everything the C file does, in several threads at once, until something breaks or it is done. Started by
// sanitize.mjs on a binary that watches its own memory: `node stress.mjs <index.cjs> <rounds>`.
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

// Any step may be interrupted, and the next may miss what it made: what counts is that SQLite says so.
function attempt(fn) {
  try {
    fn();
  } catch (error) {
    if (!/^(SQLITE_(INTERRUPT|AUTH|ERROR)|ERR_SQLITE_AIO_NATIVE_SQL)$/.test(error.code)) throw error;
  }
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
  // The last one is left to the end of the thread.
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
