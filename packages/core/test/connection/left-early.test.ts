import { Readable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { capabilities, connect, createPool, type Pool } from "@sqlite-aio/core";
import { knexClient } from "@sqlite-aio/core/knex";
import knex from "knex";
import { describe, expect, it } from "vitest";
import { collector } from "../support/collector.ts";
import { open, temporaryPath } from "../support/database.ts";
import { holds, openPool, until } from "../support/pool-support.ts";

/** Tells when it has begun, and never ends by itself. */
const ENDLESS =
  "WITH RECURSIVE n (i) AS (SELECT hold(?) UNION ALL SELECT 1 FROM n) SELECT count(*) AS c FROM n";

const NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) SELECT i FROM n";

/** Ends an iteration of a pool while its statement runs. */
async function leftWhileItRuns(method: "iterate" | "watch"): Promise<Pool> {
  const pool = await openPool({ readers: 1, readLeases: 1 });
  const { name, entered, release } = await holds(pool);
  await release(1);
  const rows: AsyncIterableIterator<unknown> = pool[method](ENDLESS, [name(1)]);
  const first = rows.next();
  await entered(1);
  expect(await rows.return!()).toEqual({ value: undefined, done: true });
  expect(await first).toEqual({ value: undefined, done: true });
  expect(await rows.next()).toEqual({ value: undefined, done: true });
  return pool;
}

describe.runIf(capabilities.interrupt)("an iteration that is left while its first row is computed", () => {
  it("stops the statement of a connection", async () => {
    const db = await open();
    const { name, entered, release } = await holds(db);
    await release(1);
    const iterator = db.execute(ENDLESS, [name(1)])[Symbol.asyncIterator]();
    const first = iterator.next();
    await entered(1);
    await iterator.return!();
    expect(await first).toEqual({ value: undefined, done: true });
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("stops the statement of a connection that was sent, of which no row was asked for", async () => {
    const db = await open();
    const { name, entered, release } = await holds(db);
    await release(1);
    const executed = db.execute(ENDLESS, [name(1)]);
    const rows = executed[Symbol.asyncIterator]();
    await entered(1);
    expect(await rows.return!()).toEqual({ value: undefined, done: true });
    expect(await rows.next()).toEqual({ value: undefined, done: true });
    await expect(executed).rejects.toMatchObject({ code: "SQLITE_INTERRUPT" });
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("stops the statement of a pool, and the connection is there for others", async () => {
    const pool = await leftWhileItRuns("iterate");
    expect(pool.stats()).toMatchObject({ busy: 0, pending: 0, waiting: 0, respawned: 0 });
    expect(await pool.read((tx) => tx.get("SELECT 1 AS one"))).toEqual({ one: 1 });
  });

  it("stops the statement of a live query, and the connection is there for others", async () => {
    const pool = await leftWhileItRuns("watch");
    await until(() => pool.stats().busy === 0);
    expect(pool.stats()).toMatchObject({ pending: 0, waiting: 0, respawned: 0 });
  });

  it("stops the statement of a transaction, which goes on", async () => {
    const pool = await openPool();
    const { name, entered, release } = await holds(pool);
    await release(1);
    await pool.exec("CREATE TABLE t (a)");
    await pool.transaction(async (tx) => {
      await tx.run("INSERT INTO t VALUES (1)");
      const rows = tx.iterate(ENDLESS, [name(1)]);
      const first = rows.next();
      await entered(1);
      await rows.return!();
      expect(await first).toEqual({ value: undefined, done: true });
      await tx.run("INSERT INTO t VALUES (2)");
    });
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 1 }, { a: 2 }]);
  });

  it("stops it when a stream of its rows is destroyed", async () => {
    const pool = await openPool({ readers: 1, readLeases: 1 });
    const { name, entered, release } = await holds(pool);
    await release(1);
    const stream = Readable.from(pool.iterate(ENDLESS, [name(1)]));
    stream.resume();
    await entered(1);
    stream.destroy();
    await until(() => pool.stats().busy === 0);
    expect(pool.stats()).toMatchObject({ pending: 0, respawned: 0 });
  });

  it("stops it when a stream of Knex's is destroyed", async () => {
    const pool = await openPool({ readers: 1, readLeases: 1 });
    const { name, entered, release } = await holds(pool);
    await release(1);
    const stream = knex({ client: knexClient(pool) })
      .raw(ENDLESS, [name(1)])
      .stream();
    const errors: unknown[] = [];
    stream.on("error", (error) => errors.push(error));
    stream.resume();
    await entered(1);
    stream.destroy();
    await until(() => pool.stats().busy === 0);
    expect(pool.stats()).toMatchObject({ pending: 0, respawned: 0 });
    expect(errors).toEqual([]);
  });
});

/** A first chunk, the row that is read with it, and an endless one. */
const endlessAfter = (chunk: number): string =>
  `WITH RECURSIVE few (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM few LIMIT ${chunk + 1}),
    n (i) AS (SELECT hold(?) UNION ALL SELECT 1 FROM n) SELECT i FROM few UNION ALL SELECT count(*) FROM n`;

describe.runIf(capabilities.interrupt)("a result that is left while its next rows are computed ahead", () => {
  it("stops the statement of a connection at a break", async () => {
    const db = await open();
    const { name, entered, release } = await holds(db);
    await release(1);
    for await (const row of db.execute(endlessAfter(64), [name(1)])) {
      expect(row).toEqual([1]);
      await entered(1);
      break;
    }
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("ends no other cursor of the connection", async () => {
    const db = await open();
    const other = await db.execute(NUMBERS);
    expect(await other.fetchone()).toEqual([1]);
    const { name, entered, release } = await holds(db);
    const left = await db.execute("SELECT value, iif(value < 66, 0, hold(?)) FROM json_each(?)", [
      name(1),
      JSON.stringify(Array.from({ length: 1000 }, (_, at) => at)),
    ]);
    expect(await left.fetchone()).toEqual([0, 0]);
    await entered(1);
    const closed = left.close();
    await release(1);
    await closed;
    expect((await other.fetchall()).length).toBe(4999);
  });

  it("stops the statement of a pool at a break, and the connection is there for others", async () => {
    const pool = await openPool({ readers: 1, readLeases: 1 });
    const { name, entered, release } = await holds(pool);
    await release(1);
    for await (const row of pool.iterate(endlessAfter(2048), [name(1)])) {
      expect(row).toEqual({ i: 1 });
      await entered(1);
      break;
    }
    expect(pool.stats()).toMatchObject({ busy: 0, pending: 0, waiting: 0, respawned: 0 });
    expect(await pool.read((tx) => tx.get("SELECT 1 AS one"))).toEqual({ one: 1 });
  });

  it("stops it at the end of a lease and of a transaction, which commits", async () => {
    const pool = await openPool({ readers: 1, readLeases: 1 });
    const { name, entered, release } = await holds(pool);
    for (const number of [1, 2]) await release(number);
    await pool.exec("CREATE TABLE t (a)");
    const lease = await pool.acquire();
    expect(await (await lease.execute(endlessAfter(64), [name(1)])).fetchone()).toEqual([1]);
    await entered(1);
    await lease.close();
    await pool.transaction(async (tx) => {
      await tx.run("INSERT INTO t VALUES (1)");
      for await (const row of tx.iterate(endlessAfter(2048), [name(2)])) {
        expect(row).toEqual({ i: 1 });
        await entered(2);
        break;
      }
    });
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 1 }]);
  });

  it("stops it when the cursor is used again or closed, and who waits for a row then gets none", async () => {
    const db = await open();
    const { name, entered, release } = await holds(db);
    await release(1);
    await release(2);
    const cursor = await db.execute(endlessAfter(64), [name(1)]);
    // The next chunk is read ahead, and nobody waits for it.
    expect(await cursor.fetchone()).toEqual([1]);
    await entered(1);
    await cursor.execute(endlessAfter(64), [name(2)]);
    expect((await cursor.fetchmany(64)).length).toBe(64);
    const waiting = cursor.fetchone();
    await entered(2);
    await cursor.close();
    expect(await waiting).toBeNull();
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });
});

describe("an iteration that is left while it waits for a connection", () => {
  it("leaves the line, and nothing is run for it", async () => {
    const pool = await openPool({ readers: 1, readLeases: 1 });
    let called = 0;
    await pool.createFunction("called", 0, () => ++called);
    const holder = await pool.acquire({ mode: "read" });
    const rows = pool.iterate("SELECT called()");
    const first = rows.next();
    const stream = Readable.from(pool.iterate("SELECT called()"));
    stream.resume();
    await turn();
    expect(pool.stats()).toMatchObject({ waiting: 2 });
    await rows.return!();
    stream.destroy();
    expect(await first).toEqual({ value: undefined, done: true });
    expect(pool.stats()).toMatchObject({ waiting: 0 });
    await holder.close();
    expect(await pool.read((tx) => tx.get("SELECT 1 AS one"))).toEqual({ one: 1 });
    await until(() => pool.stats().busy === 0);
    expect(called).toBe(0);
    expect(pool.stats()).toMatchObject({ pending: 0, waiting: 0 });
  });
});

/** Resolves when the garbage collector has had the pool's leased connection given back. */
async function givenBack(pool: Pool): Promise<void> {
  const collect = collector();
  await until(async () => {
    collect();
    await turn();
    return pool.stats().busy === 0;
  });
}

it("an iterator that is dropped half read gives its connection back", async () => {
  const pool = await openPool({ readers: 1, readLeases: 1 });
  expect((await pool.iterate(NUMBERS).next()).value).toEqual({ i: 1 });
  expect(pool.stats()).toMatchObject({ busy: 1 });
  await givenBack(pool);
  expect(await pool.read((tx) => tx.get("SELECT 1 AS one"))).toEqual({ one: 1 });
});

it.each<[string, (pool: Pool) => AsyncIterable<unknown>]>([
  ["rows", (pool) => pool.iterate(NUMBERS)],
  ["the lines of a dump", (pool) => pool.iterdump()],
])("a generator over %s that is dropped gives the connection back", async (_, iterate) => {
  const pool = await openPool({ readers: 1, readLeases: 1 });
  async function* generated(): AsyncGenerator {
    for await (const item of iterate(pool)) yield item;
  }
  expect((await generated().next()).done).toBe(false);
  expect(pool.stats()).toMatchObject({ busy: 1 });
  await givenBack(pool);
  expect(await pool.read((tx) => tx.get("SELECT 1 AS one"))).toEqual({ one: 1 });
});

it("a connection that was opened in a generator's first step, and forgotten with it, is warned of", async () => {
  const collect = collector();
  const warned = Promise.withResolvers<Error>();
  const note = (warning: Error & { code?: string }): void => {
    if (warning.code === "SQLITE_AIO_FORGOTTEN") warned.resolve(warning);
  };
  process.on("warning", note);
  try {
    async function* generated(): AsyncGenerator {
      const db = await connect(":memory:");
      yield* db.execute("SELECT 1 UNION SELECT 2");
    }
    expect((await generated().next()).value).toEqual([1]);
    const found = warned.promise.then(() => true);
    await until(async () => {
      collect();
      return await Promise.race([found, turn().then(() => false)]);
    });
    expect((await warned.promise).message).toMatch(/it was opened here:\n.*generated/);
  } finally {
    process.off("warning", note);
  }
});

it("a pool that is forgotten says where it was opened, and its threads end", async () => {
  const collect = collector();
  const warnings: (Error & { code?: string })[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on("warning", note);
  let threads = 0;
  const path = await temporaryPath();
  async function openAndForget(): Promise<void> {
    const pool = await createPool(path, {
      readers: 1,
      createWorker: (url, options) => {
        threads++;
        return new Worker(url, options).once("exit", () => threads--);
      },
    });
    await pool.run("CREATE TABLE t (a)");
    expect(await pool.all("SELECT a FROM t")).toEqual([]);
  }
  try {
    await openAndForget();
    expect(threads).toBe(2);
    await until(async () => {
      collect();
      await turn();
      return threads === 0;
    });
    const [warning, ...others] = warnings.filter(({ code }) => code === "SQLITE_AIO_FORGOTTEN");
    expect(warning!.message).toMatch(
      /^the pool on .*test\.db was not closed; it was opened here:\n.*openAndForget/,
    );
    expect(others).toEqual([]);
  } finally {
    process.off("warning", note);
  }
});
