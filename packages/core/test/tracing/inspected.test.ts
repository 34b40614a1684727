import { randomUUID } from "node:crypto";
import { tracingChannel } from "node:diagnostics_channel";
import { inspect } from "node:util";
import { capabilities, createPool, createPools } from "@sqlite-aio/core";
import { expect, it, onTestFinished, vi } from "vitest";
import { open, temporaryPath } from "../support/database.ts";
import { holds, openPool, until } from "../support/pool-support.ts";

/** In one line, and without the ways in which a path is quoted. */
const shown = (value: unknown): string => inspect(value, { breakLength: Infinity, compact: true });

it("console.log() of a pool shows its path and what it is doing", async () => {
  const path = await temporaryPath();
  const pool = await openPool({ readers: 1 }, path);
  const text = (state: string, rest: string): string =>
    `Pool { path: ${inspect(path)}, state: '${state}', ${rest} }`;
  expect(shown(pool)).toBe(text("open", "writers: 1, readers: 0, busy: 0, waiting: 0, pending: 0"));
  const held = await holds(pool);
  const slow = pool.get("SELECT hold(?) AS secret", [held.name(1)]);
  await held.entered(1);
  const lease = await pool.acquire();
  const run = pool.run("CREATE TABLE t (a)");
  expect(shown(pool)).toBe(text("open", "writers: 1, readers: 1, busy: 2, waiting: 1, pending: 3"));
  await held.release(1);
  await lease.close();
  await Promise.all([slow, run]);
  await until(() => pool.stats().pending === 0);
  expect(shown({ pool })).toBe(
    `{ pool: ${text("open", "writers: 1, readers: 1, busy: 0, waiting: 0, pending: 0")} }`,
  );
  expect(shown({ a: { b: { pool } } })).toContain("[Pool]");
  await pool.close();
  expect(shown(pool)).toBe(text("closed", "writers: 0, readers: 0, busy: 0, waiting: 0, pending: 0"));
});

it("console.log() of a connection shows its path and state, and nothing of its calls", async () => {
  const path = await temporaryPath();
  const db = await open(path);
  const text = (state: string, inTransaction: boolean, pending: number): string =>
    `Connection { path: ${inspect(path)}, state: '${state}', inTransaction: ${inTransaction}, pending: ${pending} }`;
  expect(shown(db)).toBe(text("open", false, 0));
  await db.execute("CREATE TABLE t (a)");
  const inserting = db.execute("INSERT INTO t VALUES (?)", ["secret"]);
  expect(shown(db)).toBe(text("open", false, 1));
  await inserting;
  expect(shown(db)).toBe(text("open", true, 0));
  await db.commit();
  await db.transaction(async (tx) => {
    const waiting = db.execute("SELECT ?", ["secret"]).catch(() => {});
    const inside = tx.execute("INSERT INTO t VALUES (?)", ["secret"]);
    expect(shown(tx)).toBe(text("open", true, 1));
    expect(inspect(tx, { depth: 20, showHidden: true })).not.toContain("secret");
    expect(inspect(db, { depth: 20, showHidden: true })).not.toContain("secret");
    await inside;
    await waiting;
  });
  await db.close();
  expect(shown(db)).toBe(text("closed", false, 0));
});

it("console.log() of a cursor shows what has become of its statement", async () => {
  const db = await open();
  const cursor = await db.cursor();
  const text = (state: string, columns: string, rowcount: number, lastrowid: string): string =>
    `Cursor { state: '${state}', columns: ${columns}, rowcount: ${rowcount}, lastrowid: ${lastrowid} }`;
  expect(shown(cursor)).toBe(text("unused", "[]", -1, "null"));
  await db.execute("CREATE TABLE t (a)");
  const running = cursor.execute("INSERT INTO t VALUES (?), (?)", ["secret", "other"]);
  expect(shown(cursor)).toBe(text("running", "[]", -1, "null"));
  await running;
  expect(shown(cursor)).toBe(text("read", "[]", 2, "2"));
  await cursor.execute("SELECT rowid AS id, a FROM t WHERE a <> ?", ["nothing"]);
  await cursor.fetchone();
  expect(shown(cursor)).toBe(text("half read", "[ 'id', 'a' ]", -1, "2"));
  expect(inspect(cursor, { depth: 20, showHidden: true })).not.toContain("secret");
  await cursor.fetchall();
  expect(shown(cursor)).toBe(text("read", "[ 'id', 'a' ]", -1, "2"));
  await cursor.close();
  expect(shown(cursor)).toContain("state: 'closed'");
});

it("console.log() of a transaction's handle and of a lease shows nothing of who comes after", async () => {
  const path = await temporaryPath();
  const pool = await openPool({ readers: 1 }, path);
  await pool.exec("CREATE TABLE t (a)");
  let kept: unknown;
  await pool.transaction(async (tx) => {
    kept = tx;
    const inserting = tx.run("INSERT INTO t VALUES (?)", ["secret"]);
    expect(shown(tx)).toBe(
      `PoolTransaction { path: ${inspect(path)}, state: 'open', inTransaction: true, pending: 1 }`,
    );
    expect(inspect(tx, { depth: 20, showHidden: true })).not.toContain("secret");
    await inserting;
  });
  expect(shown(kept)).toContain("state: 'closed'");
  await pool.read((tx) => {
    expect(shown(tx)).toBe(
      `ReadTransaction { path: ${inspect(path)}, state: 'open', inTransaction: true, pending: 0 }`,
    );
  });
  const lease = await pool.acquire();
  expect(shown(lease)).toBe(
    `Connection { path: ${inspect(path)}, state: 'open', inTransaction: false, pending: 0 }`,
  );
  await lease.execute("INSERT INTO t VALUES (1)");
  await lease.close();
  const next = await pool.acquire();
  await next.execute("INSERT INTO t VALUES (2)");
  expect(shown(lease)).toBe(`Connection { path: ${inspect(path)}, state: 'over' }`);
  await next.close();
});

it("console.log() of rows and of a live query shows how far they are", async () => {
  const pool = await openPool();
  await pool.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");
  const rows = pool.iterate("SELECT a FROM t");
  expect(shown(rows)).toBe("RowIterator { state: 'unused' }");
  await rows.next();
  expect(shown(rows)).toBe("RowIterator { state: 'half read' }");
  await rows.return?.();
  expect(shown(rows)).toBe("RowIterator { state: 'over' }");
  if (!capabilities.changes) return;
  const live = pool.watch("SELECT a FROM t");
  expect(shown(live)).toBe("Watch { state: 'unused' }");
  await live.next();
  expect(shown(live)).toBe("Watch { state: 'watching' }");
  await live.return?.();
  expect(shown(live)).toBe("Watch { state: 'over' }");
});

it("console.log() of many databases shows how many are open and in use", async () => {
  const path = await temporaryPath();
  const pools = createPools({ open: (key) => ({ database: `${path}.${key}` }), max: 1 });
  const text = (state: string, openNow: number, inUse: number, opened: number): string =>
    `Pools { state: '${state}', open: ${openNow}, inUse: ${inUse}, opening: 0, closing: 0, waiting: 0, opened: ${opened}, evicted: ${opened > 1 ? 1 : 0} }`;
  expect(shown(pools)).toBe(text("open", 0, 0, 0));
  await pools.use("a", async () => {
    expect(shown(pools)).toBe(text("open", 1, 1, 1));
  });
  await pools.use("b", () => {
    expect(shown(pools)).toBe(text("open", 1, 1, 2));
  });
  await pools.close();
  expect(shown(pools)).toBe(text("closed", 0, 0, 2));
});

it.runIf(capabilities.blobs)("console.log() of a blob shows its length and its position", async () => {
  const db = await open();
  await db.executescript(
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, x'736563726574')",
  );
  const blob = await db.blobopen("t", "a", 1);
  await blob.read(2);
  expect(shown(blob)).toBe("Blob { state: 'open', length: 6, position: 2 }");
  await blob.close();
  expect(shown(blob)).toBe("Blob { state: 'closed', length: 6, position: 2 }");
});

it.runIf(capabilities.sharedMemory)(
  "a database in memory is shown by the name that it was given",
  async () => {
    const memory = `a "b" é ${randomUUID()}`;
    const database = `{ memory: ${JSON.stringify(memory)} }`;
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    onTestFinished(() => warned.mockRestore());
    const traced: unknown[] = [];
    const trace = (message: unknown): void => void traced.push((message as { database: string }).database);
    for (const channel of ["query", "transaction", "acquire"].map((name) =>
      tracingChannel(`sqlite-aio:${name}`),
    )) {
      channel.start.subscribe(trace);
      onTestFinished(() => {
        channel.start.unsubscribe(trace);
      });
    }
    const pool = await createPool({ memory });
    onTestFinished(() => pool.close());
    const db = await open({ memory });
    await pool.transaction(async (tx) => {
      await tx.run("CREATE TABLE t (a)");
    });
    await using lease = await pool.acquire();
    for (const each of [pool, db, lease]) expect(shown(each)).toContain(`path: ${inspect(database)}`);
    await lease.close();
    await db.execute("INSERT INTO t VALUES (1)");
    await db.close();
    expect(warned.mock.calls.map(([warning]) => String(warning))).toEqual([
      expect.stringContaining(`close() rolls back a transaction of ${database} that`),
    ]);
    expect(new Set(traced)).toEqual(new Set([database]));
  },
);
