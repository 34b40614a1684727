import { AsyncLocalStorage } from "node:async_hooks";
import type { Channel, TracingChannel } from "node:diagnostics_channel";
import { type TransferListItem, Worker } from "node:worker_threads";
import {
  createPool,
  type Cursor,
  OperationalError,
  PoolTimeoutError,
  ProgrammingError,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import {
  acquireChannel,
  onQuery,
  queryChannel,
  type QueryEvent,
  showParameters,
  transactionChannel,
  type TransactionEvent,
} from "@sqlite-aio/core/diagnostics";
import { Op } from "@sqlite-aio/worker/wire";
import { describe, expect, it, onTestFinished } from "vitest";
import { open, rejection } from "../support/database.ts";
import { gate } from "../support/gate.ts";
import { holds, openPool, quiet, until } from "../support/pool-support.ts";

const STEPS = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;

interface Step<E> {
  readonly name: (typeof STEPS)[number];
  readonly event: E;
  /** A copy of the event at that moment. */
  readonly seen: E;
  readonly context: unknown;
}

const caller = new AsyncLocalStorage<string>();

/** Everything that a channel publishes until the test is over. */
function record<E extends object>(channel: TracingChannel<unknown, E>): Step<E>[] {
  const steps: Step<E>[] = [];
  for (const name of STEPS) {
    const listener = (message: unknown): void => {
      const event = message as E;
      steps.push({ name, event, seen: { ...event }, context: caller.getStore() });
    };
    const part = channel[name] as Channel;
    part.subscribe(listener);
    onTestFinished(() => {
      part.unsubscribe(listener);
    });
  }
  return steps;
}

/** The statements that are over. */
function recordQueries(): QueryEvent[] {
  const events: QueryEvent[] = [];
  onTestFinished(onQuery((event) => events.push(event)));
  return events;
}

/** Lets some milliseconds pass, and says how many those were. */
async function timePasses(): Promise<number> {
  const since = performance.now();
  await until(() => performance.now() - since > 20);
  return performance.now() - since;
}

/** Takes some tens of milliseconds. */
const SLOW =
  "WITH RECURSIVE c(x) AS (SELECT ? UNION ALL SELECT x + 1 FROM c WHERE x < 300000) SELECT count(*) AS n FROM c";

describe("sqlite-aio:query", () => {
  it("publishes a statement from its call to its answer, as one event", async () => {
    const db = await open();
    const steps = record(queryChannel);
    await db.executeFetchall("SELECT 1 UNION ALL SELECT 2");
    expect(steps.map(({ name }) => name)).toEqual(["start", "end", "asyncStart", "asyncEnd"]);
    expect(new Set(steps.map(({ event }) => event)).size).toBe(1);
    const told = { operation: "query", sql: "SELECT 1 UNION ALL SELECT 2", database: ":memory:" };
    expect(steps[0]?.seen).toMatchObject({ ...told, queueMs: undefined, execMs: undefined, rows: 0 });
    const last = steps[3]!.seen;
    expect(last).toMatchObject({ ...told, rows: 2, changes: undefined });
    expect(last.thread).toBeGreaterThan(0);
    expect(last.queueMs).toBeGreaterThan(0);
    expect(last.execMs).toBeGreaterThan(0);
  });

  it("tells the wait in the queue apart from the run in the thread", async () => {
    const db = await open();
    const events = recordQueries();
    const held = await holds(db);
    const began = performance.now();
    const calls = [db.executeFetchall("SELECT hold(?)", [held.name(0)]), db.executeFetchall("SELECT 1")];
    await held.entered(0);
    const kept = await timePasses();
    await held.release(0);
    await Promise.all(calls);
    const took = performance.now() - began;
    const [first, behind] = events as [QueryEvent, QueryEvent];
    expect(first.execMs).toBeGreaterThan(kept);
    expect(behind.queueMs).toBeGreaterThan(kept);
    // None of it is counted twice.
    expect(first.queueMs! + first.execMs! + behind.execMs!).toBeLessThanOrEqual(took);
    expect(behind.queueMs! + behind.execMs!).toBeLessThanOrEqual(took);
  });

  it("publishes the error that the caller gets, with a stack that shows the caller", async () => {
    const db = await open();
    const steps = record(queryChannel);
    async function asking(): Promise<void> {
      await db.executeFetchall("SELECT nothing");
    }
    for (let use = 0; use < 2; use++) {
      steps.length = 0;
      const error = (await rejection(asking())) as OperationalError;
      expect(steps.map(({ name }) => name)).toEqual(["start", "end", "error", "asyncStart", "asyncEnd"]);
      expect(steps[2]?.seen.error).toBe(error);
      expect(error.stack).toContain("asking");
      expect(steps[4]?.seen.execMs).toBeGreaterThan(0);
    }
  });

  it("keeps the stack of a statement that has run before, whose error is made where it is awaited", async () => {
    const db = await open();
    await db.executescript("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (0)");
    const insert = "INSERT INTO t VALUES (?)";
    await db.execute(insert, [1]);
    const steps = record(queryChannel);
    async function inserting(): Promise<void> {
      await db.execute(insert, [1]);
    }
    const error = (await rejection(inserting())) as OperationalError;
    expect(error.stack).toContain("inserting");
    expect(steps.find(({ name }) => name === "error")?.seen.error).toBe(error);
  });

  it("has no error where the further rows of a result are not wanted any more: the request is cancelled", async () => {
    const db = await open();
    const held = await holds(db);
    await using other = await db.execute(
      "SELECT value FROM json_each('[' || replace(printf('%09999d', 0), '0', '0,') || '0]')",
    );
    const leave = [
      async (cursor: Cursor) => await cursor.close(),
      async (cursor: Cursor) => await cursor[Symbol.asyncDispose](),
      async (cursor: Cursor) => void (await cursor.execute("SELECT 1")),
      async (cursor: Cursor) => {
        const asked = cursor.fetchmany(500);
        await cursor.close();
        expect((await asked).length).toBeLessThan(500);
      },
    ];
    for (const [call, leaves] of leave.entries()) {
      const steps = record(queryChannel);
      const cursor = await db.execute(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        SELECT CASE i WHEN 90 THEN hold('${held.name(call)}') ELSE i END FROM n LIMIT 10000`);
      // The next rows are requested with the first one.
      await cursor.fetchone();
      await held.entered(call);
      setImmediate(() => void held.release(call));
      await leaves(cursor);
      await db.executeFetchall("SELECT 1");
      const [start, ...rest] = steps.filter(({ event }) => event.operation === "fetch");
      expect([start, ...rest].map((step) => step?.name)).toEqual(["start", "end", "asyncStart", "asyncEnd"]);
      expect(start?.seen.cancelled).toBe(false);
      expect(rest[2]?.seen).toMatchObject({ cancelled: true, rows: 0 });
      expect(steps.filter(({ name, event }) => name === "error" || event.error !== undefined)).toEqual([]);
    }
    expect((await other.fetchall()).length).toBe(10_000);
  });

  it("ends also where nobody waits for the answer", async () => {
    const db = await open();
    const ended = new Promise<QueryEvent>((resolve) => onTestFinished(onQuery(resolve)));
    db.executeFetchall("SELECT nothing").catch(() => {});
    expect((await ended).error).toBeInstanceOf(OperationalError);
  });

  it("ends also where the call is refused at once, since it would wait for itself", async () => {
    const db = await open();
    const steps = record(queryChannel);
    const error = await db.transaction(async () => await rejection(db.executeFetchall("SELECT 1")));
    expect(error).toBeInstanceOf(ProgrammingError);
    expect(steps.map(({ name }) => name)).toEqual(["start", "end", "error", "asyncStart", "asyncEnd"]);
    expect(steps[4]?.seen).toMatchObject({ error, sql: "SELECT 1", queueMs: undefined, execMs: undefined });
  });

  it("is of no call that nobody has made: rows are not read ahead inside a transaction of others", async () => {
    const db = await open(":memory:", { iterChunkSize: 2 });
    const cursor = await db.execute("VALUES (1), (2), (3)");
    const steps = record(queryChannel);
    await db.transaction(async () => {
      expect(await cursor.fetchmany(2)).toEqual([[1], [2]]);
      expect(steps).toEqual([]);
      expect(await rejection(cursor.fetchone())).toBeInstanceOf(ProgrammingError);
      expect(steps.map(({ event }) => event.operation)).toEqual(Array.from({ length: 5 }, () => "fetch"));
    });
  });

  it("tells of a chunk of rows that fails once, whoever waits for it", async () => {
    const db = await open(":memory:", { iterChunkSize: 10 });
    // The eleventh row is an integer overflow.
    const sql =
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 20) SELECT iif(x > 10, abs(-9223372036854775808), x) AS x FROM c";
    const events = recordQueries();
    const nobody = await db.execute(sql);
    // Requests the next chunk, which is never read.
    expect(await nobody.fetchone()).toEqual([1]);
    const two = await db.execute(sql);
    expect(await two.fetchmany(10)).toHaveLength(10);
    const errors = await Promise.all([rejection(two.fetchone()), rejection(two.fetchone())]);
    for (const error of errors) expect(error).toMatchObject({ message: "integer overflow" });
    expect(events.map(({ operation }) => operation)).toEqual(["query", "fetch", "query", "fetch"]);
    expect(events[1]?.error).toMatchObject({ message: "integer overflow", sql });
    expect(events[3]?.error).toBe(errors[0]);
  });

  it("is in the caller's context at every step, with what is bound to it", async () => {
    const pool = await openPool({ readers: 0, writers: 1 });
    await pool.exec("CREATE TABLE t (a)");
    const steps = record(queryChannel);
    const bound = new AsyncLocalStorage<QueryEvent>();
    const stores: unknown[] = [];
    const onEnd = (): void => void stores.push(bound.getStore());
    queryChannel.start.bindStore(bound, (event) => event);
    queryChannel.asyncEnd.subscribe(onEnd);
    onTestFinished(() => {
      queryChannel.start.unbindStore(bound);
      queryChannel.asyncEnd.unsubscribe(onEnd);
    });
    // The lease makes all of them wait, so they are sent in the tick that ends the lease.
    const lease = await pool.acquire();
    const callers = ["a", "b", "c"].map((name) => {
      const sql = name === "c" ? "SELECT nothing" : `INSERT INTO t VALUES ('${name}')`;
      return caller.run(name, async () => await pool.run(sql).catch(() => {}));
    });
    await caller.run("lease", () => lease.close());
    await Promise.all(callers);
    for (const { event, context } of steps) {
      expect(context).toBe(/'(.)'/.exec(event.sql)?.[1] ?? "c");
    }
    expect(steps).toHaveLength(13);
    expect(new Set(stores)).toEqual(new Set(steps.map(({ event }) => event)));
    expect(bound.getStore()).toBeUndefined();
  });

  it("may be frozen by whoever subscribes, and the statement, transaction or lease is answered as ever", async () => {
    const warned: unknown[] = [];
    const onWarning = (warning: Error): void => void warned.push(warning);
    process.on("warning", onWarning);
    onTestFinished(() => void process.off("warning", onWarning));
    const freeze = (event: unknown): void => void Object.freeze(event);
    for (const { start } of [queryChannel, transactionChannel, acquireChannel]) {
      start.subscribe(freeze);
      onTestFinished(() => {
        start.unsubscribe(freeze);
      });
    }
    const db = await open(":memory:", { slowQueryMs: 1 });
    const pool = await openPool();
    expect(await db.executeFetchall(SLOW, [1])).toEqual([[300000]]);
    expect(await rejection(db.execute("SELECT nothing"))).toBeInstanceOf(OperationalError);
    expect(await pool.transaction((tx) => tx.get("SELECT 1 AS one"))).toEqual({ one: 1 });
    expect(await rejection(pool.get("SELECT nothing"))).toBeInstanceOf(OperationalError);
    await db.close();
    await new Promise(setImmediate);
    expect(warned[0]).toMatchObject({ code: "SQLITE_AIO_SLOW", sql: SLOW, execMs: expect.any(Number) });
  });

  it("may be given setters that throw, which are not called, and a connection is given back", async () => {
    const told: unknown[] = [];
    const spoil = (event: unknown): void => {
      for (const name of [...Object.keys(event as object), "error"]) {
        const set = (): void => {
          throw new Error("not for you");
        };
        Object.defineProperty(event as object, name, { get: () => "spoilt", set, configurable: true });
      }
    };
    for (const { start, asyncEnd } of [queryChannel, transactionChannel, acquireChannel]) {
      const tell = (event: unknown): void => void told.push({ ...(event as object) });
      start.subscribe(spoil);
      asyncEnd.subscribe(tell);
      onTestFinished(() => {
        start.unsubscribe(spoil);
        asyncEnd.unsubscribe(tell);
      });
    }
    const pool = await openPool();
    expect(await pool.get("SELECT 1 AS one")).toEqual({ one: 1 });
    expect(await rejection(pool.get("SELECT nothing"))).toBeInstanceOf(OperationalError);
    expect(await pool.transaction((tx) => tx.get("SELECT 1 AS one"))).toEqual({ one: 1 });
    expect(await pool.read((tx) => tx.get("SELECT 1 AS one"))).toEqual({ one: 1 });
    expect(await rejection(pool.transaction(() => Promise.reject(new RangeError())))).toBeInstanceOf(
      RangeError,
    );
    // A lease that has failed is cleaned after its caller was told.
    await quiet(pool);
    expect(pool.stats()).toMatchObject({ busy: 0, waiting: 0, pending: 0 });
    expect(told[0]).toMatchObject({ rows: 1, execMs: expect.any(Number) });
    expect(told[1]).toMatchObject({ error: expect.any(OperationalError) });
  });

  it("has no parameters, unless they are asked for", async () => {
    const db = await open();
    const pool = await openPool();
    const events = recordQueries();
    const ask = async (): Promise<void> => {
      await db.executeFetchall("SELECT ?", ["mine"]);
      await db.execute("SELECT :a", { a: "mine" });
      await pool.get("SELECT ?", ["mine"]);
    };
    await ask();
    expect(JSON.stringify(events)).not.toContain("mine");
    showParameters(true);
    onTestFinished(() => showParameters(false));
    await ask();
    expect(events.slice(3).map(({ parameters }) => parameters)).toEqual([["mine"], { a: "mine" }, ["mine"]]);
  });

  it("has the parameters of the moment of the call, whatever becomes of the caller's objects", async () => {
    const db = await open();
    const pool = await openPool();
    const events = recordQueries();
    showParameters(true);
    onTestFinished(() => showParameters(false));
    const bytes = Buffer.from([1]);
    const list = ["mine", bytes];
    const named = { a: "mine", b: bytes };
    const calls = [
      db.executeFetchall("SELECT ?, ?", list),
      pool.get("SELECT ?, ?", list),
      pool.get("SELECT :a, :b", named),
      pool.get("SELECT ?", new Set(["mine"]).values() as never),
    ];
    bytes[0] = 2;
    list[0] = named.a = "changed";
    await Promise.all(calls);
    const taken = new Uint8Array([1]);
    // The order of the answers does not matter.
    expect(events.map(({ sql, parameters }) => [sql, parameters])).toEqual(
      expect.arrayContaining([
        ["SELECT ?, ?", ["mine", taken]],
        ["SELECT :a, :b", { a: "mine", b: taken }],
        ["SELECT ?", undefined],
      ]),
    );
    expect(events.filter(({ sql }) => sql === "SELECT ?, ?").map(({ parameters }) => parameters)).toEqual([
      ["mine", taken],
      ["mine", taken],
    ]);
    expect(events).toHaveLength(4);
  });

  it("has no key, and no parameters beside one", async () => {
    const db = await open();
    const steps = record(queryChannel);
    showParameters(true);
    onTestFinished(() => showParameters(false));
    await db.executeFetchall("PRAGMA rekey = 'secret'");
    await db.execute("ATTACH ? AS other KEY ?", [":memory:", "secret"]);
    expect(await rejection(db.execute("PRAGMA key = 'secret"))).toBeInstanceOf(OperationalError);
    const seen = steps.filter(({ name }) => name === "asyncEnd").map(({ event }) => event);
    expect(seen.map(({ sql }) => sql)).toEqual([
      "PRAGMA rekey = ***",
      "ATTACH ? AS other KEY ***",
      "PRAGMA key = ***",
    ]);
    for (const { event } of steps) {
      expect(JSON.stringify(event)).not.toContain("secret");
      expect(String((event.error as Error | undefined)?.stack)).not.toContain("secret");
    }
  });

  it("has an event for an executemany, a script, each chunk of a cursor, and a commit", async () => {
    const db = await open(":memory:", { iterChunkSize: 100 });
    const events = recordQueries();
    await db.executescript("CREATE TABLE t (a)");
    await db.executemany(
      "INSERT INTO t VALUES (?)",
      Array.from({ length: 2500 }, (_, i) => [i]),
    );
    await db.commit();
    let rows = 0;
    for await (const _ of db.execute("SELECT a FROM t LIMIT 250")) rows++;
    await db.executeInsert("INSERT INTO t VALUES (1)");
    await db.rollback();
    expect(rows).toBe(250);
    expect(events.map((event) => [event.operation, event.sql, event.rows, event.changes])).toEqual([
      ["script", "CREATE TABLE t (a)", 0, undefined],
      ["many", "INSERT INTO t VALUES (?)", 0, 2500],
      ["query", "COMMIT", 0, undefined],
      ["query", "SELECT a FROM t LIMIT 250", 100, undefined],
      ["fetch", "SELECT a FROM t LIMIT 250", 100, undefined],
      ["fetch", "SELECT a FROM t LIMIT 250", 50, undefined],
      ["query", "INSERT INTO t VALUES (1)", 0, 1],
      ["query", "ROLLBACK", 0, undefined],
    ]);
    for (const { queueMs, execMs } of events) {
      expect(queueMs).toBeGreaterThan(0);
      expect(execMs).toBeGreaterThan(0);
    }
  });

  it("tells of a pool's statements, whichever connection they end up on", async () => {
    const pool = await openPool({ readers: 1 });
    const events = recordQueries();
    await pool.exec("CREATE TABLE t (a UNIQUE)");
    expect(await pool.get("INSERT INTO t VALUES (1) RETURNING a")).toEqual({ a: 1 });
    await Promise.all([2, 3, 4].map((a) => pool.run("INSERT INTO t VALUES (?)", [a])));
    await pool.all("SELECT a FROM t");
    // A reader has to begin it to find out that it writes.
    await pool.get("PRAGMA optimize(0x10002)");
    await pool.transaction(async (tx) => await tx.run("DELETE FROM t WHERE a = 4"));
    expect(
      await rejection(pool.read(async (tx) => await tx.get("DELETE FROM t RETURNING a"))),
    ).toBeInstanceOf(OperationalError);
    for await (const _ of pool.iterate("SELECT a FROM t"));
    expect(
      events.map((event) => [event.operation, event.sql.split(" ")[0], event.rows, event.changes]),
    ).toEqual([
      ["script", "CREATE", 0, undefined],
      ["query", "INSERT", 1, 1],
      ["query", "INSERT", 0, 1],
      ["query", "INSERT", 0, 1],
      ["query", "INSERT", 0, 1],
      ["query", "SELECT", 4, undefined],
      ["query", "PRAGMA", 0, undefined],
      ["query", "DELETE", 0, 1],
      ["query", "DELETE", 0, undefined],
      ["query", "SELECT", 3, undefined],
    ]);
    const [script, , , , grouped, select, optimize, deletion, refused] = events;
    expect(new Set([script, grouped, optimize, deletion].map((event) => event?.thread)).size).toBe(1);
    expect(select?.thread).not.toBe(script?.thread);
    expect(refused?.error).toMatchObject({ code: "SQLITE_READONLY" });
    for (const { queueMs, execMs } of events) {
      expect(queueMs).toBeGreaterThan(0);
      expect(execMs).toBeGreaterThan(0);
    }
  });

  it("counts the wait for a connection as a wait", async () => {
    const pool = await openPool({ readers: 0, writers: 1 });
    const events = recordQueries();
    const lease = await pool.acquire();
    const waiting = pool.get("SELECT 1 AS a");
    await lease.executeFetchall(SLOW, [1]);
    await lease.close();
    expect(await waiting).toEqual({ a: 1 });
    const [slow, waited] = events as [QueryEvent, QueryEvent];
    expect(waited.queueMs).toBeGreaterThan(slow.execMs!);
  });

  it("does not say how long a call waited that was given up before it began", async () => {
    const db = await open();
    const events = recordQueries();
    const slow = db.executeFetchall(SLOW, [1]);
    const reason = new Error("enough");
    const given = rejection(db.executeFetchall("SELECT 1", [], { signal: AbortSignal.abort(reason) }));
    const aborter = new AbortController();
    const late = rejection(db.executeFetchall("SELECT 2", [], { signal: aborter.signal }));
    aborter.abort(reason);
    expect([await given, await late]).toEqual([reason, reason]);
    await slow;
    expect(events[0]).toMatchObject({
      sql: "SELECT 2",
      error: reason,
      queueMs: undefined,
      execMs: undefined,
    });
  });
});

describe("the event of a call", () => {
  it("has the error of a thread that dies, and not how long it ran", async () => {
    const db = await open();
    await db.createFunction(
      "die",
      0,
      new URL("data:text/javascript,export const die = () => process.exit(3)"),
      {
        export: "die",
      },
    );
    const events = recordQueries();
    const running = rejection(db.executeFetchall("SELECT die()"));
    const behind = rejection(db.executeFetchall("SELECT 1"));
    expect(events).toEqual([]);
    const errors = [await running, await behind];
    expect(errors[0]).toBeInstanceOf(WorkerCrashedError);
    expect(events.map(({ error }) => error)).toEqual(errors);
    expect(events.map(({ execMs }) => execMs)).toEqual([undefined, undefined]);
  });

  it("comes to its end where the connection is closed meanwhile", async () => {
    const db = await open();
    const events = recordQueries();
    const running = db.executeFetchall(SLOW, [1]);
    await db.close();
    expect(await running).toEqual([[300_000]]);
    expect(events).toMatchObject([{ rows: 1, execMs: expect.any(Number) }]);
    expect(events[0]).not.toHaveProperty("error");
  });
});

describe("without a subscriber", () => {
  it("the thread is asked for no times, and is again from the first statement without one", async () => {
    const frames: unknown[][] = [];
    class WatchedWorker extends Worker {
      override postMessage(message: unknown, transfer?: readonly TransferListItem[]): void {
        if (Array.isArray(message)) frames.push(message[1] as unknown[]);
        super.postMessage(message, transfer);
      }
    }
    const db = await open(":memory:", { createWorker: (url, options) => new WatchedWorker(url, options) });
    await db.executeFetchall("SELECT 1");
    const ask = async (): Promise<unknown> => {
      frames.length = 0;
      await db.executeFetchall("SELECT 1");
      return frames[0]?.slice(0, 3);
    };
    const statement = ((await ask()) as unknown[])[1];
    expect(await ask()).toEqual([Op.QUERY, statement, expect.any(Number)]);
    const stop = onQuery(() => {});
    expect(await ask()).toEqual([Op.TIME, 1, Op.QUERY]);
    expect(await ask()).toEqual([Op.QUERY, statement, expect.any(Number)]);
    stop();
    expect(await ask()).toEqual([Op.TIME, 0, Op.QUERY]);
    expect(await ask()).toEqual([Op.QUERY, statement, expect.any(Number)]);
  });
});

describe("sqlite-aio:transaction", () => {
  it("publishes a transaction, with its savepoints inside", async () => {
    const db = await open();
    const steps = record(transactionChannel);
    await db.transaction(
      async (tx) => {
        await tx.transaction(async () => {});
      },
      { mode: "immediate" },
    );
    expect(steps.map(({ name, event }) => `${event.mode} ${name}`)).toEqual([
      "immediate start",
      "immediate end",
      "savepoint start",
      "savepoint end",
      "savepoint asyncStart",
      "savepoint asyncEnd",
      "immediate asyncStart",
      "immediate asyncEnd",
    ]);
    const [inner, outer] = [steps[5]!.seen, steps[7]!.seen] as [TransactionEvent, TransactionEvent];
    expect(outer.openMs).toBeGreaterThan(inner.openMs!);
    expect(inner.queueMs).toBeGreaterThan(0);
    expect(outer.thread).toBe(inner.thread);
  });

  it("publishes what a callback throws, and how long the transaction was open", async () => {
    const pool = await openPool();
    const steps = record(transactionChannel);
    const reason = new Error("no");
    const failed = pool.transaction(() => {
      throw reason;
    });
    expect(await rejection(failed)).toBe(reason);
    expect(steps.map(({ name }) => name)).toEqual(["start", "end", "error", "asyncStart", "asyncEnd"]);
    expect(steps[2]?.seen).toMatchObject({ mode: "immediate", error: reason });
    expect(steps[2]?.seen.openMs).toBeGreaterThan(0);
  });

  it("tells how long a transaction waited for the one before", async () => {
    const pool = await openPool({ readers: 1 });
    const steps = record(transactionChannel);
    const [inside, over] = [gate(), gate()];
    const began = performance.now();
    const first = pool.transaction(async () => {
      inside.open();
      await over.opened;
    });
    await inside.opened;
    const second = pool.transaction(async () => {});
    const waited = await timePasses();
    over.open();
    await Promise.all([first, second, pool.read(async (tx) => await tx.get("SELECT 1"))]);
    const took = performance.now() - began;
    const ended = steps.filter(({ name }) => name === "asyncEnd").map(({ event }) => event);
    const [one, two] = ended.filter(({ mode }) => mode === "immediate") as [
      TransactionEvent,
      TransactionEvent,
    ];
    expect(one.openMs).toBeGreaterThan(waited);
    expect(two.queueMs).toBeGreaterThan(waited);
    // One is open after the other.
    expect(one.openMs! + two.openMs!).toBeLessThanOrEqual(took);
    expect(two.queueMs! + two.openMs!).toBeLessThanOrEqual(took);
    expect(ended.find(({ mode }) => mode === "read")?.openMs).toBeGreaterThan(0);
  });

  it("has what it binds around the callback, and around the wait for its connection", async () => {
    const pool = await openPool();
    const bound = new AsyncLocalStorage<TransactionEvent>();
    transactionChannel.start.bindStore(bound, (event) => event);
    onTestFinished(() => void transactionChannel.start.unbindStore(bound));
    const seen: unknown[] = [];
    const onAcquire = (): void => void seen.push(bound.getStore()?.mode);
    acquireChannel.start.subscribe(onAcquire);
    onTestFinished(() => {
      acquireChannel.start.unsubscribe(onAcquire);
    });
    await pool.transaction(async (tx) => {
      await tx.run("CREATE TABLE t (a)");
      seen.push(bound.getStore()?.mode);
    });
    expect(seen).toEqual(["immediate", "immediate"]);
    expect(bound.getStore()).toBeUndefined();
  });
});

describe("sqlite-aio:acquire", () => {
  it("publishes who waited for a connection of which kind", async () => {
    const pool = await openPool({ readers: 1 });
    const steps = record(acquireChannel);
    await (await pool.acquire()).close();
    await (await pool.acquire({ mode: "read" })).close();
    await pool.transaction(async () => {});
    await pool.read(async () => {});
    for await (const _ of pool.iterate("SELECT 1"));
    // These have no connection to themselves that anybody holds.
    await pool.exec("CREATE TABLE t (a)");
    await pool.all("PRAGMA table_info(t)");
    const ended = steps.filter(({ name }) => name === "asyncEnd").map(({ event }) => event);
    expect(ended.map(({ method, role }) => `${method} ${role}`)).toEqual([
      "acquire writer",
      "acquire reader",
      "transaction writer",
      "read reader",
      "iterate reader",
    ]);
    for (const { queueMs, thread } of ended) {
      expect(queueMs).toBeGreaterThan(0);
      expect(thread).toBeGreaterThan(0);
    }
  });

  it("publishes that there was none in time", async () => {
    const pool = await openPool({ readers: 0, writers: 1, acquireTimeout: 20 });
    const lease = await pool.acquire();
    const steps = record(acquireChannel);
    const error = await rejection(pool.acquire());
    expect(error).toBeInstanceOf(PoolTimeoutError);
    expect(steps.map(({ name }) => name)).toEqual(["start", "end", "error", "asyncStart", "asyncEnd"]);
    expect(steps[2]?.seen).toMatchObject({ error, thread: undefined });
    expect(steps[2]?.seen.queueMs).toBeGreaterThanOrEqual(19);
    await lease.close();
  });
});

describe("slowQueryMs", () => {
  interface SlowWarning extends Error {
    readonly code: string;
    readonly detail: string;
    readonly sql: string;
    readonly queueMs: number | undefined;
    readonly execMs: number | undefined;
  }

  /** The warnings from now on; they are emitted a tick after their statements. */
  function recordWarnings(): () => Promise<SlowWarning[]> {
    const found: SlowWarning[] = [];
    const onWarning = (warning: Error): void => void found.push(warning as SlowWarning);
    process.on("warning", onWarning);
    onTestFinished(() => void process.off("warning", onWarning));
    return async () => {
      await new Promise(setImmediate);
      return found;
    };
  }

  it("warns of a statement that takes longer, with its text, and its wait apart from its run", async () => {
    const db = await open(":memory:", { slowQueryMs: 10 });
    const warnings = recordWarnings();
    await db.executeFetchall(SLOW, [12345]);
    const [warning, ...others] = await warnings();
    expect(others).toEqual([]);
    const { name, code, message, detail, sql, queueMs, execMs } = warning!;
    expect([name, code, detail, sql]).toEqual(["SlowQueryWarning", "SQLITE_AIO_SLOW", SLOW, SLOW]);
    expect(message).toMatch(/^a query took \d+ ms: it waited for [\d.]+ ms and ran for [\d.]+ ms$/);
    expect(queueMs! + execMs!).toBeGreaterThanOrEqual(10);
    expect(message).not.toContain("12345");
  });

  it("warns of one that waited, in a pool too, and says so", async () => {
    const pool = await openPool({ readers: 0, writers: 1, slowQueryMs: 10 });
    const lease = await pool.acquire();
    const warnings = recordWarnings();
    const waiting = pool.get("SELECT 1 AS waited");
    await lease.executeFetchall(SLOW, [1]);
    await lease.close();
    await waiting;
    const [slow, waited] = await warnings();
    expect([slow?.sql, waited?.sql]).toEqual([SLOW, "SELECT 1 AS waited"]);
    expect(waited?.queueMs).toBeGreaterThan(slow!.execMs!);
  });

  it("warns of one that nobody knows the run of, since it was given up while it waited", async () => {
    const pool = await openPool({ readers: 0, writers: 1, slowQueryMs: 10 });
    const lease = await pool.acquire();
    const warnings = recordWarnings();
    expect(await rejection(pool.get("SELECT 1", [], { timeout: 15 }))).toBeInstanceOf(OperationalError);
    const [warning, ...others] = await warnings();
    expect(others).toEqual([]);
    expect(warning).toMatchObject({ code: "SQLITE_AIO_SLOW", sql: "SELECT 1", execMs: undefined });
    expect(warning?.message).toMatch(/^a query was over after \d+ ms; how long it ran is not known$/);
    await lease.close();
  });

  it("says nothing of quick ones, nor without the option, nor of keys", async () => {
    const quick = await open(":memory:", { slowQueryMs: 600_000 });
    const without = await open();
    const slow = await open(":memory:", { slowQueryMs: 10 });
    const warnings = recordWarnings();
    await quick.executeFetchall("SELECT 1");
    await without.executeFetchall(SLOW, [1]);
    await slow.executescript(`PRAGMA key = 'secret'; CREATE TABLE t AS ${SLOW.replace("?", "1")}`);
    expect((await warnings()).map(({ sql }) => sql.slice(0, 17))).toEqual(["PRAGMA key = ***;"]);
  });

  it("is a number of milliseconds", async () => {
    expect(await rejection(open(":memory:", { slowQueryMs: -1 }))).toBeInstanceOf(RangeError);
    expect(await rejection(createPool(":memory:", { slowQueryMs: "1" as never }))).toBeInstanceOf(TypeError);
  });
});
