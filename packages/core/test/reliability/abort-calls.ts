// Makes calls of every kind, aborts most of them at random moments, and prints whether answers, file and pool agree.
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { createRequire } from "node:module";
import { type CallOptions, capabilities, connect, createPool } from "@sqlite-aio/core";
import { random } from "../support/random.ts";

/** The report for the parent. */
export interface AbortReport {
  readonly native: boolean;
  /** Numbers of calls of each kind: those that took effect, and those that were aborted. */
  readonly kinds: Record<string, { done: number; givenUp: number }>;
  readonly violations: readonly string[];
}

interface Write {
  readonly id: number;
  readonly rows: number;
  /** All or nothing, or what was done before the end. */
  readonly whole: boolean;
  /** Aborted in the tick of the call. */
  unsent: boolean;
  done: boolean;
}

const [path, seed, count] = process.argv.slice(2) as [string, string, string];
const pragmas = { synchronous: "OFF" };
const READERS = 2;
const READ_LEASES = 2;
const pool = await createPool(path, {
  readers: READERS,
  readLeases: READ_LEASES,
  pragmas,
  acquireTimeout: 0,
});
await pool.exec("CREATE TABLE t (id INTEGER, part INTEGER); CREATE TABLE n (i INTEGER PRIMARY KEY)");
const COUNTED = 3000;
await pool.run(
  `INSERT INTO n WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT ${COUNTED}) SELECT i FROM c`,
);
const db = await connect(path, { isolationLevel: null, pragmas });
// By itself: a write beside a half-read cursor, whose snapshot is of the past, is refused at once.
const looking = await connect(path, { isolationLevel: null, iterChunkSize: 32 });

const below = random(Number(seed));
const enough = new Error("enough");
const native = capabilities.interrupt;
const kinds: AbortReport["kinds"] = {};
const violations: string[] = [];
const writes: Write[] = [];

const FILL =
  "INSERT INTO t WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT ?2) SELECT ?1, i FROM c";
const ONE = "INSERT INTO t VALUES (?, ?)";
const COUNT =
  "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT ?) SELECT count(*) AS n FROM c";
const ROWS = "SELECT i FROM n ORDER BY i";

function write(rows: number, whole = true): Write {
  const made: Write = { id: writes.length + 1, rows, whole, unsent: false, done: false };
  writes.push(made);
  return made;
}

/** Mostly a row or two, and sometimes so many that the statement runs when it is aborted. */
const fewOrMany = (): number => (below(20) === 0 ? (native ? 30_000 : 8_000) : 1 + below(3));

function same(found: unknown, wanted: unknown, what: string): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted))
    violations.push(`${what}: ${JSON.stringify(found)} in place of ${JSON.stringify(wanted)}`);
}

/** Rows that were read until the abort: the first ones, in order. */
function prefix(rows: readonly number[], what: string): void {
  const wrong = rows.findIndex((i, at) => i !== at + 1);
  if (wrong >= 0) violations.push(`${what}: row ${wrong} is ${rows[wrong]}`);
}

type Kind = (options: CallOptions) => { work: Promise<unknown>; write: Write | null };

const KINDS: Record<string, Kind> = {
  "pool.run": (options) => {
    const made = write(fewOrMany());
    return { work: pool.run(FILL, [made.id, made.rows], options), write: made };
  },
  execute: (options) => {
    const made = write(fewOrMany());
    return { work: db.execute(FILL, [made.id, made.rows], options), write: made };
  },
  "pool.all": (options) => {
    const made = write(fewOrMany());
    const work = pool
      .all(`${FILL} RETURNING part`, [made.id, made.rows], options)
      .then((rows) => same(rows.length, made.rows, "all"));
    return { work, write: made };
  },
  "tx.run": (options) => {
    const made = write(1);
    const inside = write(fewOrMany());
    const work = pool.transaction(async (tx) => {
      await tx.run(ONE, [made.id, 1]);
      // Who catches the error may find the transaction rolled back, but never a part of the statement in it.
      inside.done = await tx.run(FILL, [inside.id, inside.rows], options).then(
        () => true,
        () => false,
      );
      await tx.run("UPDATE t SET part = 1 WHERE id = ? AND part = 1", [made.id]);
    });
    return {
      work: work.catch((error: unknown) => {
        inside.done = false;
        throw error;
      }),
      write: made,
    };
  },
  executemany: (options) => {
    const made = write(1 + below(1500), false);
    const sets = Array.from({ length: made.rows }, (_, i) => [made.id, i + 1]);
    return { work: db.executemany(ONE, sets, options), write: made };
  },
  "pool.transaction": ({ signal }) => {
    const made = write(2 + below(3));
    const work = pool.transaction(
      async (tx) => {
        for (let part = 1; part <= made.rows; part++) await tx.run(ONE, [made.id, part]);
      },
      { signal },
    );
    return { work, write: made };
  },
  "connection.transaction": ({ signal }) => {
    const made = write(2 + below(3));
    const work = db.transaction(
      async (tx) => {
        for (let part = 1; part <= made.rows; part++) await tx.execute(ONE, [made.id, part]);
      },
      { signal },
    );
    return { work, write: made };
  },
  "pool.get": (options) => {
    const steps = below(3) === 0 ? 100_000 : 10;
    return {
      work: pool.get(COUNT, [steps], options).then((row) => same(row, { n: steps }, "get")),
      write: null,
    };
  },
  "pool.iterate": (options) => {
    const rows: number[] = [];
    const work = (async () => {
      try {
        for await (const { i } of pool.iterate<{ i: number }>(ROWS, [], options)) rows.push(i);
        same(rows.length, COUNTED, "iterate");
      } finally {
        prefix(rows, "iterate");
      }
    })();
    return { work, write: null };
  },
  "cursor.fetchmany": (options) => {
    const rows: number[] = [];
    const work = (async () => {
      const cursor = await looking.execute(ROWS, [], options);
      try {
        for (;;) {
          const more = await cursor.fetchmany<[number]>(100, options);
          if (more.length === 0) break;
          rows.push(...more.map(([i]) => i));
        }
        same(rows.length, COUNTED, "fetchmany");
      } finally {
        await cursor.close();
        prefix(rows, "fetchmany");
      }
    })();
    return { work, write: null };
  },
  executeFetchall: (options) => {
    const steps = below(3) === 0 ? 100_000 : 10;
    const work = looking.executeFetchall(COUNT, [steps], options);
    return { work: work.then((rows) => same(rows, [[steps]], "executeFetchall")), write: null };
  },
  "pool.acquire": ({ signal }) => {
    const mode = below(2) === 0 ? "read" : "write";
    const work = (async () => {
      const connection = await pool.acquire({ mode, signal });
      try {
        same(await connection.executeFetchall(COUNT, [20], { signal }), [[20]], "acquire");
      } finally {
        await pool.release(connection);
      }
    })();
    return { work, write: null };
  },
  "pool.read": (options) => {
    const work = pool.read(async (tx) => {
      same(await tx.get(COUNT, [30]), { n: 30 }, "read");
      return await tx.all(ROWS);
    }, options);
    return { work, write: null };
  },
};
const NAMES = Object.keys(KINDS);
/** An interrupt of the connection also ends their cursors and statements, whichever call it was for. */
const ON_CONNECTION = new Set(["execute", "executemany", "cursor.fetchmany", "executeFetchall"]);

/** A microtask, some turns of the loop, some milliseconds, or some hundred microseconds in which nothing else happens. */
async function moment(): Promise<void> {
  const kind = below(4);
  if (kind === 1) for (let turns = below(20); turns > 0; turns--) await turn();
  if (kind === 2) await sleep(below(below(4) === 0 ? 60 : 5));
  if (kind === 3) {
    const until = performance.now() + below(800) / 1000;
    while (performance.now() < until);
  }
}

let interrupting = false;

async function call(): Promise<void> {
  const name = NAMES[below(NAMES.length)]!;
  const tally = (kinds[name] ??= { done: 0, givenUp: 0 });
  const timed = below(5) === 0 && !/transaction|acquire/.test(name);
  const controller = new AbortController();
  const { work, write: made } = KINDS[name]!(
    timed ? { timeout: 1 + below(5) } : { signal: controller.signal },
  );
  const settled = work.then(
    () => {
      if (made !== null) made.done = true;
      tally.done++;
    },
    (error: unknown) => {
      tally.givenUp++;
      const interrupted = error instanceof Error && Reflect.get(error, "code") === "SQLITE_INTERRUPT";
      const right =
        (error === enough && !timed) ||
        // Its transaction is rolled back with the statement.
        (name === "tx.run" && Reflect.get(error as object, "code") === "SQLITE_ABORT_ROLLBACK") ||
        (interrupted &&
          (timed || ON_CONNECTION.has(name) || (interrupting && name === "connection.transaction")));
      if (!right) violations.push(`${name} was rejected with ${String(error)}`);
    },
  );
  if (!timed && below(5) > 0) {
    if (below(6) === 0) {
      if (made !== null) made.unsent = true;
    } else await moment();
    controller.abort(enough);
  }
  await settled;
}

for (let made = 0; made < Number(count); ) {
  // Alone, and in crowds that wait for one another.
  const several = Math.min(Number(count) - made, below(3) === 0 ? 1 : 20 + below(40));
  made += several;
  const calls = Array.from({ length: several }, call);
  interrupting = below(6) === 0;
  if (interrupting) {
    await moment();
    await Promise.all([db.interrupt(), looking.interrupt()]);
  }
  await Promise.all(calls);
}

// Waits for statements that could not be stopped.
while (pool.stats().busy > 0 || pool.stats().queued > 0) await sleep(1);
for (const connection of [db, looking])
  same(await connection.executeFetchall("SELECT 1"), [[1]], "connection");
const { writers, readers, idle, busy, waiting, queued, pending, respawned, threads } = pool.stats();
same(
  { writers, idle, busy, waiting, queued, pending, respawned },
  { writers: 1, idle: 1 + readers, busy: 0, waiting: 0, queued: 0, pending: 0, respawned: 0 },
  "stats",
);
if (readers > READERS + READ_LEASES) violations.push(`${readers} readers`);
for (const thread of threads) same([thread.heldBy, thread.stuck], [null, false], "thread");
// All connections can be leased at once, and work.
const leases = await Promise.all((["write", "read", "read"] as const).map((mode) => pool.acquire({ mode })));
for (const lease of leases) {
  same([lease.inTransaction, await lease.executeFetchall(COUNT, [5])], [false, [[5]]], "lease");
  await lease.close();
}
same(db.inTransaction, false, "inTransaction");
const last = write(1);
await pool.run(FILL, [last.id, 1]);
last.done = true;
await looking.close();
await db.close();
await pool.close();

const require = createRequire(new URL("../../../worker/package.json", import.meta.url));
const Database = require("better-sqlite3") as new (
  path: string,
) => {
  prepare(sql: string): { raw(): { all(): unknown[] } };
};
const found = new Map<number, [number, number, number]>();
for (const [id, ...parts] of new Database(path)
  .prepare("SELECT id, count(*), min(part), max(part) FROM t GROUP BY id")
  .raw()
  .all() as [number, number, number, number][]) {
  found.set(id, parts);
}
for (const { id, rows, whole, unsent, done } of writes) {
  const [stored, first, latest] = found.get(id) ?? [0, 1, 0];
  const what = `write ${id} of ${rows} rows, ${done ? "done" : "given up"}`;
  if (first !== 1 || latest !== stored) violations.push(`${what}: parts ${first} to ${latest}`);
  if (done) {
    if (stored !== rows) violations.push(`${what}: ${stored} are there`);
  } else if (unsent) {
    if (stored !== 0) violations.push(`${what} in the tick of the call: ${stored} are there`);
  } else if (whole && stored !== 0) violations.push(`${what}: ${stored} are there`);
}
const report: AbortReport = { native, kinds, violations };
process.stdout.write(JSON.stringify(report));
