import { existsSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  type Connection,
  createPool,
  OperationalError,
  type Pool,
  PoolTimeoutError,
  ProgrammingError,
} from "@sqlite-aio/core";
import { beforeEach, describe, expect, it } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { gate } from "../support/gate.ts";
import { counted, openPool, until } from "../support/pool-support.ts";
import { python } from "../support/python.ts";

/** Node has it where it was asked for. */
function garbageCollector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}

const ROWS = 300;

let path: string;
let pool: Pool;

beforeEach(async () => {
  path = await temporaryPath();
  pool = await openPool({ readers: 1, readLeases: 1 }, path);
  await pool.exec(
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE TABLE u (b); INSERT INTO u VALUES ('x')",
  );
  await pool.executemany(
    "INSERT INTO t VALUES (?, zeroblob(3500))",
    Array.from({ length: ROWS }, (_, i) => [i]),
  );
});

const countIn = (file: string): unknown => openEngine(file).prepare("SELECT count(*) FROM t").pluck().get();
const countOf = async (db: Connection): Promise<unknown> =>
  (await db.executeFetchall<[unknown]>("SELECT count(*) FROM t"))[0]![0];

async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const read: string[] = [];
  for await (const line of lines) read.push(line);
  return read;
}

const given = (): Promise<void> => until(() => pool.stats().pending === 0);

describe("backup() of a pool", () => {
  it("copies into a file or a connection, and gives its reader back", async () => {
    const copy = await temporaryPath("copy.db");
    await pool.backup(copy);
    expect(countIn(copy)).toBe(ROWS);
    const memory = await open();
    await pool.backup(memory);
    expect(await countOf(memory)).toBe(ROWS);
    await given();
    expect(pool.stats()).toMatchObject({ busy: 0, respawned: 0 });
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: ROWS });
  });

  it("is a copy of one state, however much is written meanwhile, and comes to its end", async () => {
    const copy = await temporaryPath("copy.db");
    const steps: number[] = [];
    const writes: Promise<unknown>[] = [];
    await pool.backup(copy, {
      pages: 10,
      progress: (_status, remaining) => {
        steps.push(remaining);
        writes.push(pool.run("DELETE FROM t WHERE id = ?", [steps.length]));
      },
    });
    await Promise.all(writes);
    expect(steps.length).toBeGreaterThan(25);
    // It has not begun anew: there are fewer pages left after each step.
    expect(steps).toEqual(steps.toSorted((a, b) => b - a));
    expect(countIn(copy)).toBe(ROWS);
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: ROWS - steps.length });
  });

  it("refuses what it cannot do at once, and takes path and options when it is called", async () => {
    for (const wrong of [5, null, "", ":memory:", "file:x.db", {}])
      expect(await rejection(pool.backup(wrong as never))).toBeInstanceOf(TypeError);
    const copy = await temporaryPath("copy.db");
    for (const options of [{ pages: "5" }, { progress: 5 }, { name: "" }, { sleep: "1" }, { timeout: "1" }])
      expect(await rejection(pool.backup(copy, options as never))).toBeInstanceOf(TypeError);
    expect(await rejection(pool.backup(copy, { name: "nowhere" }))).toMatchObject({
      message: "unknown database nowhere",
    });
    expect(existsSync(copy)).toBe(false);
    const connection = await pool.acquire({ mode: "read" });
    const options = { pages: 5, name: "main" };
    const copying = pool.backup(copy, options);
    options.name = "nowhere";
    await connection.close();
    await copying;
    expect(countIn(copy)).toBe(ROWS);
  });

  it("is given up by signal and timeout, while it waits and between its steps", async () => {
    const copy = await temporaryPath("copy.db");
    const connection = await pool.acquire({ mode: "read" });
    const error = await rejection(pool.backup(copy, { timeout: 20 }));
    expect(error).toBeInstanceOf(OperationalError);
    expect(error).toMatchObject({ code: "SQLITE_INTERRUPT" });
    await connection.close();
    const reason = new Error("enough");
    const controller = new AbortController();
    const progress = (): void => controller.abort(reason);
    expect(await rejection(pool.backup(copy, { pages: 5, signal: controller.signal, progress }))).toBe(
      reason,
    );
    expect(await rejection(pool.backup(copy, { signal: controller.signal }))).toBe(reason);
    await given();
    await pool.backup(copy);
    expect(countIn(copy)).toBe(ROWS);
  });

  it("waits no longer than acquireTimeout, and is refused when the pool is closed", async () => {
    const copy = await temporaryPath("copy.db");
    const hasty = await openPool({ readers: 0, acquireTimeout: 20 }, path);
    const connection = await hasty.acquire();
    expect(await rejection(hasty.backup(copy))).toBeInstanceOf(PoolTimeoutError);
    await connection.close();
    const last = hasty.backup(copy);
    await hasty.close();
    await last;
    expect(countIn(copy)).toBe(ROWS);
    expect(await rejection(hasty.backup(copy))).toMatchObject({ message: "Pool closed" });
  });
});

describe("serialize() of a pool", () => {
  it("gives the database as it is, and another pool can have it in memory", async () => {
    await pool.run("DELETE FROM t WHERE id < 100");
    const image = await pool.serialize();
    const other = await openPool({ image }, ":memory:");
    expect(await other.get("SELECT count(*) AS n, min(id) AS id FROM t")).toEqual({ n: 200, id: 100 });
    expect(await other.get("PRAGMA integrity_check")).toEqual({ integrity_check: "ok" });
    const again = await other.serialize();
    expect(await countOf(await open(":memory:", { image: again }))).toBe(200);
    expect(pool.stats()).toMatchObject({ busy: 0, pending: 0 });
  });

  it("refuses what is wrong, and is given up like other calls", async () => {
    expect(await rejection(pool.serialize({ name: 5 as never }))).toBeInstanceOf(TypeError);
    expect(await rejection(pool.serialize({ pages: 5 } as never))).toBeInstanceOf(TypeError);
    const nowhere = await rejection(pool.serialize({ name: "nowhere" }));
    expect(nowhere).toBeInstanceOf(OperationalError);
    expect(nowhere).toMatchObject({ message: "unknown database nowhere" });
    const reason = new Error("enough");
    expect(await rejection(pool.serialize({ signal: AbortSignal.abort(reason) }))).toBe(reason);
    await pool.transaction(async () => {
      expect(await rejection(pool.serialize())).toBeInstanceOf(ProgrammingError);
    });
  });
});

describe("iterdump() of a pool", () => {
  it("gives CPython's lines", async () => {
    await pool.run("DELETE FROM t WHERE id > 3");
    const lines = await all(pool.iterdump());
    const expected = python(`print(json.dumps(list(sqlite3.connect(${JSON.stringify(path)}).iterdump())))`);
    expect(lines).toEqual(expected);
    const some = await all(pool.iterdump({ filter: "u" }));
    expect(some).toEqual([
      "BEGIN TRANSACTION;",
      "CREATE TABLE u (b);",
      "INSERT INTO \"u\" VALUES('x');",
      "COMMIT;",
    ]);
    await given();
    expect(pool.stats()).toMatchObject({ busy: 0, respawned: 0 });
  });

  it("is of one state, however much is written meanwhile", async () => {
    await pool.exec("CREATE TABLE v (c)");
    await pool.executemany(
      "INSERT INTO v VALUES (?)",
      Array.from({ length: 9000 }, (_, i) => [i]),
    );
    let rows = 0;
    for await (const line of pool.iterdump({ filter: "_" })) {
      if (line.startsWith('INSERT INTO "v"') && rows++ === 0) await pool.exec("DELETE FROM v; DROP TABLE u");
    }
    expect(rows).toBe(9000);
    expect(await pool.get("SELECT count(*) AS n FROM v")).toEqual({ n: 0 });
  });

  it("gives its reader back when it is left early, by break, throw, return() and the end of a block", async () => {
    const leave: ((lines: AsyncGenerator<string, void, undefined>) => Promise<unknown>)[] = [
      async (lines) => {
        for await (const line of lines) if (line !== "") break;
      },
      async (lines) => {
        await lines.next();
        await lines.return();
      },
      async (lines) => {
        await lines.next();
        await rejection(lines.throw(new Error("thrown in")));
      },
      async (lines) => {
        await using kept = lines;
        await kept.next();
      },
      // Never begun.
      async (lines) => await lines.return(),
    ];
    for (const how of leave) {
      const lines = pool.iterdump();
      await how(lines);
      await given();
      expect(pool.stats()).toMatchObject({ busy: 0, respawned: 0 });
      expect(await lines.next()).toEqual({ value: undefined, done: true });
    }
  });

  it("stops waiting for a reader when it is left", async () => {
    const connection = await pool.acquire({ mode: "read" });
    const lines = pool.iterdump();
    const next = lines.next();
    await until(() => pool.stats().waiting === 1);
    await lines.return();
    expect(await next).toEqual({ value: undefined, done: true });
    expect(pool.stats().waiting).toBe(0);
    await connection.close();
  });

  it("gives its reader back when it is forgotten half read", async () => {
    const gc = garbageCollector();
    await (async () => {
      const lines = pool.iterdump();
      await lines.next();
      expect(pool.stats().threads.some(({ heldBy }) => heldBy === "iterdump()")).toBe(true);
    })();
    await until(() => {
      gc();
      return pool.stats().pending === 0;
    });
    expect(await all(pool.iterdump({ filter: "u" }))).toHaveLength(4);
  });

  it("keeps a pool that is forgotten while it is read", async () => {
    const gc = garbageCollector();
    const { alive, createWorker } = counted();
    const begin = async (): Promise<AsyncGenerator<string, void, undefined>> =>
      (await createPool(path, { readers: 1, createWorker })).iterdump();
    let count = 0;
    for await (const line of await begin()) {
      if (line !== "" && count++ % 50 === 0) gc();
      await Promise.resolve();
    }
    expect(count).toBe(ROWS + 5);
    // Then it is closed: the file is not held when its folder is removed.
    await until(() => {
      gc();
      return alive() === 0;
    });
  });

  it("refuses what is wrong when it is called, and a closed pool", async () => {
    expect(() => pool.iterdump({ filter: 5 as never })).toThrow(TypeError);
    expect(() => pool.iterdump({ fliter: "u" } as never)).toThrow(TypeError);
    const opened = gate();
    const reading = (async () => {
      const lines: string[] = [];
      for await (const line of pool.iterdump()) {
        lines.push(line);
        opened.open();
      }
      return lines;
    })();
    await opened.opened;
    await pool.close();
    expect(await reading).toHaveLength(ROWS + 5);
    expect(await rejection(pool.iterdump().next())).toMatchObject({ message: "Pool closed" });
  });
});
