import { getEventListeners } from "node:events";
import { inspect } from "node:util";
import {
  type Connection,
  ConnectionClosedError,
  Cursor,
  IntegrityError,
  OperationalError,
  ProgrammingError,
  Row,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";

/** `i` from 0 to `count` - 1. */
const numbers = (count: number, select = "i"): string =>
  `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${count - 1}) SELECT ${select} FROM n`;
const upTo = (count: number, first = 0): number[][] =>
  Array.from({ length: count - first }, (_, i) => [first + i]);
const names = (cursor: Cursor): string[] | undefined => cursor.description?.map(([name]) => name);

/** Counts, on this thread, how many rows the connection's thread has stepped to. */
async function countSteps(db: Connection): Promise<() => number> {
  let steps = 0;
  await db.createFunction("step", 1, (value: number) => {
    steps++;
    return value;
  });
  return () => steps;
}

/** Until all that was asked of the connection is done. */
const barrier = (db: Connection): Promise<unknown> => db.executeFetchall("SELECT 1");

describe("execute", () => {
  it("gives a promise for a cursor that is also iterable by itself", async () => {
    const db = await open();
    const pending = db.execute("SELECT 1 UNION ALL SELECT 2");
    expect(pending).toBeInstanceOf(Promise);
    const rows: unknown[] = [];
    for await (const row of pending) rows.push(row);
    expect(rows).toEqual([[1], [2]]);
    const cursor = await db.execute("SELECT 3");
    expect(cursor).toBeInstanceOf(Cursor);
    expect(cursor.connection).toBe(db);
    expect(await cursor.fetchall()).toEqual([[3]]);
  });

  it("starts at once, whether or not the promise is awaited", async () => {
    const db = await open();
    await db.execute("CREATE TABLE t (a)");
    const pending = db.execute("INSERT INTO t VALUES (1)");
    expect(await db.executeFetchall("SELECT * FROM t")).toEqual([[1]]);
    await pending;
  });

  it("iterated directly rejects in the loop when the statement fails", async () => {
    const db = await open();
    const error = await rejection(async () => {
      for await (const row of db.execute("SELECT * FROM nowhere")) expect.fail(String(row));
    });
    expect(error).toBeInstanceOf(OperationalError);
    expect((error as OperationalError).message).toBe("no such table: nowhere");
    expect((error as OperationalError).sql).toBe("SELECT * FROM nowhere");
  });

  it("on a cursor gives that cursor, and drops what it had not read", async () => {
    const db = await open();
    const cursor = await db.cursor();
    expect(await cursor.execute(numbers(500))).toBe(cursor);
    expect(await cursor.fetchone()).toEqual([0]);
    await cursor.execute("SELECT 'other'");
    expect(await cursor.fetchall()).toEqual([["other"]]);
  });

  it("twice at once on a cursor leaves it with the rows of the second, and nothing held by the first", async () => {
    const db = await open();
    await db.execute("CREATE TABLE t (a)");
    const cursor = await db.cursor();
    const first = cursor.execute(`${numbers(500)} UNION ALL SELECT a FROM t`);
    const second = cursor.execute("SELECT 'other'");
    expect([await first, await second]).toEqual([cursor, cursor]);
    expect(await cursor.fetchall()).toEqual([["other"]]);
    await db.execute("DROP TABLE t");
  });

  it("gives each fetch the rows of the execute() before it, when none of them is awaited", async () => {
    const db = await open();
    const cursor = await db.cursor();
    const told: string[] = [];
    cursor.rowFactory = ({ description }, row) => {
      told.push([description![0]![0], row[0]].join(" "));
      return row;
    };
    const results = await Promise.all([
      cursor.execute(numbers(3000, "i AS a")),
      cursor.fetchone(),
      cursor.fetchmany(2),
      cursor.fetchall(),
      cursor.execute("SELECT 'b' AS b"),
      cursor.fetchchunk(),
      cursor.execute("SELECT missing").catch(() => "failed"),
      cursor.fetchone(),
      cursor.execute("SELECT 'c' AS c UNION ALL SELECT 'd'"),
      cursor.fetchone(),
      cursor.executescript("CREATE TABLE t (a)"),
      cursor.fetchone(),
    ]);
    const all = results[3] as unknown[];
    expect([results[1], results[2], all[0], all.length]).toEqual([[0], [[1], [2]], [3], 2997]);
    expect(results.slice(5, 12)).toEqual([[["b"]], "failed", null, cursor, ["c"], cursor, null]);
    const named = Array.from({ length: 3000 }, (_, at) => `a ${at}`);
    expect(told.toSorted()).toEqual([...named, "b b", "c c"].toSorted());
    // Nothing of them is left half read: that would keep the table.
    await db.execute("DROP TABLE t");
  });

  it("gives a fetch its rows though the cursor, or the connection, is closed behind it in the same tick", async () => {
    const db = await open();
    const cursor = await db.cursor();
    expect((await Promise.all([cursor.execute(numbers(200)), cursor.fetchall(), cursor.close()]))[1]).toEqual(
      upTo(200),
    );
    const other = await db.cursor();
    expect((await Promise.all([other.execute("SELECT 1"), other.fetchone(), db.close()]))[1]).toEqual([1]);
    const next = await open();
    const third = await next.cursor();
    const [, fetched] = [third.execute(numbers(200)), rejection(third.fetchall()), next.close()];
    // The rows beyond the first chunk cannot be had any more, and a part of them is no answer.
    expect(await fetched).toMatchObject({ message: "Connection closed" });
  });

  it("lets a fetch that waits for further rows have them, though the cursor is used again", async () => {
    const db = await open(":memory:", { iterChunkSize: 5 });
    const cursor = await db.execute(numbers(500));
    const rest = cursor.fetchall();
    const [, next] = await Promise.all([cursor.execute("SELECT 'other'"), cursor.fetchall()]);
    expect((await rest).map(([value]) => value)).toEqual(Array.from({ length: 500 }, (_, at) => at));
    expect(next).toEqual([["other"]]);
    await cursor.execute(numbers(500));
    const row = cursor.fetchmany(6);
    await cursor.execute("CREATE TABLE t (a)");
    expect(await row).toEqual([[0], [1], [2], [3], [4], [5]]);
    await db.execute("DROP TABLE t");
  });

  it.each(["", "  \n", "-- only a comment", "/* only */ /* comments", ";", "; ;"])(
    "of the empty statement %j does nothing",
    async (sql) => {
      const db = await open();
      const cursor = await db.execute(sql);
      expect([cursor.description, cursor.rowcount, await cursor.fetchall()]).toEqual([null, -1, []]);
      expect(await db.executeFetchall(sql)).toEqual([]);
    },
  );

  it.each(["SELECT 1;", "SELECT 1; ", "SELECT 1; -- x", "SELECT 1; /* x", "; SELECT 1", "/* x */ SELECT 1"])(
    "takes %j, which is one statement",
    async (sql) => {
      const db = await open();
      expect(await (await db.execute(sql)).fetchall()).toEqual([[1]]);
    },
  );

  it.each(["SELECT 1; SELECT 2", "CREATE TABLE t (a); CREATE TABLE u (a)", "SELECT 1; x"])(
    "of the several statements in %j is a ProgrammingError and runs none of them",
    async (sql) => {
      const db = await open();
      const error = await rejection(db.execute(sql));
      expect(error).toBeInstanceOf(ProgrammingError);
      expect((error as Error).message).toBe("You can only execute one statement at a time.");
      expect(await db.executeFetchall("SELECT * FROM sqlite_schema")).toEqual([]);
    },
  );
});

describe("fetchchunk", () => {
  it("gives the rows that came together, and none at the end", async () => {
    const db = await open();
    const cursor = await db.cursor();
    cursor.iterChunkSize = 4;
    await cursor.execute(numbers(10));
    expect(await cursor.fetchone()).toEqual([0]);
    expect(await cursor.fetchchunk()).toEqual(upTo(4, 1));
    expect(await cursor.fetchchunk()).toEqual(upTo(8, 4));
    expect(await cursor.fetchchunk()).toEqual(upTo(10, 8));
    expect(await cursor.fetchchunk()).toEqual([]);
    await cursor.execute("CREATE TABLE t (a)");
    expect(await cursor.fetchchunk()).toEqual([]);
  });

  it("loses no row in front of an error", async () => {
    const db = await open();
    const cursor = await db.cursor();
    cursor.iterChunkSize = 4;
    await cursor.execute(numbers(10, "iif(i < 6, i, abs(-9223372036854775807 - 1))"));
    expect(await cursor.fetchchunk()).toEqual(upTo(4));
    expect(await cursor.fetchchunk()).toEqual(upTo(6, 4));
    await expect(cursor.fetchchunk()).rejects.toThrow("integer overflow");
  });
});

describe("rows", () => {
  it("come a chunk at a time, the next one asked for when the first row of this one is taken", async () => {
    const db = await open(":memory:", { iterChunkSize: 10 });
    const steps = await countSteps(db);
    const cursor = await db.execute(numbers(1000, "step(i)"));
    // One row more, so that the last chunk is known to be the last.
    expect(steps()).toBe(11);
    await barrier(db);
    expect(steps()).toBe(11);
    expect(await cursor.fetchone()).toEqual([0]);
    await barrier(db);
    expect(steps()).toBe(21);
    expect(await cursor.fetchmany(9)).toEqual(upTo(10, 1));
    await barrier(db);
    expect(steps()).toBe(21);
    expect(await cursor.fetchone()).toEqual([10]);
    await barrier(db);
    expect(steps()).toBe(31);
    expect(await cursor.fetchall()).toEqual(upTo(1000, 11));
    expect(steps()).toBe(1000);
  });

  it("are not asked for ahead by a cursor of one row at a time, until it is asked for a second one", async () => {
    const db = await open(":memory:", { iterChunkSize: 1 });
    const underWay = (): string | undefined => /pending: (\d+)/.exec(inspect(db))?.[1];
    const cursor = await db.execute(
      "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c) SELECT x FROM c",
    );
    expect(await cursor.fetchone()).toEqual([1]);
    expect(underWay()).toBe("0");
    expect(await cursor.fetchone()).toEqual([2]);
    expect(underWay()).toBe("1");
    expect(await cursor.fetchmany(3)).toEqual([[3], [4], [5]]);
  });

  it("are 64 to a chunk by default, and as many as a cursor's iterChunkSize says from its next execute on", async () => {
    const db = await open();
    const steps = await countSteps(db);
    await db.execute(numbers(1000, "step(i)"));
    expect(steps()).toBe(65);
    const cursor = await db.cursor();
    expect(cursor.iterChunkSize).toBe(64);
    cursor.iterChunkSize = 3;
    await cursor.execute(numbers(1000, "step(i)"));
    expect(steps()).toBe(65 + 4);
    expect(await cursor.fetchall()).toEqual(upTo(1000));
    for (const wrong of [0, -1, 1.5, "3"]) {
      expect(() => {
        cursor.iterChunkSize = wrong as number;
      }).toThrow(/iterChunkSize/);
    }
  });

  it("come in larger chunks, of 2,048 at the most, to a reader that waits for them again and again", async () => {
    const db = await open();
    const steps = await countSteps(db);
    const ahead: number[] = [];
    let read = 0;
    for await (const [value] of db.execute(numbers(9000, "step(i)")) as AsyncIterable<[number]>) {
      expect(value).toBe(read++);
      ahead.push(steps() - read);
    }
    expect(read).toBe(9000);
    expect(Math.max(...ahead.slice(0, 128))).toBeLessThanOrEqual(64 * 3);
    expect(Math.max(...ahead)).toBeGreaterThan(1024);
    expect(Math.max(...ahead)).toBeLessThanOrEqual(3 * 2048 + 1);
  });

  it("are read two chunks ahead, of twice the size, for a reader that has waited twice", async () => {
    const db = await open(":memory:", { iterChunkSize: 10 });
    const steps = await countSteps(db);
    const cursor = await db.execute(numbers(1000, "step(i)"));
    // The reader waits: each row is computed by this thread.
    for (let i = 0; i < 22; i++) expect(await cursor.fetchone()).toEqual([i]);
    await barrier(db);
    expect(steps()).toBe(71);
  });

  it.each([1, 2, 63, 64, 65, 66, 128, 129, 130, 1000])("are all there when there are %d", async (count) => {
    const db = await open();
    const rows: unknown[] = [];
    for await (const row of db.execute(numbers(count))) rows.push(row);
    expect(rows).toEqual(upTo(count));
  });

  it("stop being read when a loop over execute() is left", async () => {
    const db = await open();
    const steps = await countSteps(db);
    for await (const row of db.execute(numbers(1000, "step(i)"))) if (row[0] === 70) break;
    await barrier(db);
    expect(steps()).toBeLessThanOrEqual(64 * 3 + 1);
    // Nothing is half read any more: that would be SQLITE_LOCKED.
    await db.executescript("CREATE TABLE t (a); DROP TABLE t");
  });

  it("go on where a loop over a cursor was left", async () => {
    const db = await open();
    const cursor = await db.execute(numbers(200));
    for await (const row of cursor) if (row[0] === 99) break;
    expect(await cursor.fetchone()).toEqual([100]);
    for await (const row of cursor) if (row[0] === 150) break;
    expect(await cursor.fetchall()).toEqual(upTo(200, 151));
  });

  it("are given in order to fetches that do not wait for each other", async () => {
    const db = await open(":memory:", { iterChunkSize: 5 });
    const cursor = await db.execute(numbers(40));
    const fetched = await Promise.all(Array.from({ length: 42 }, () => cursor.fetchone()));
    expect(fetched).toEqual([...upTo(40), null, null]);
  });

  it("that several fetches wait for at a time leave none of their signals' listeners behind", async () => {
    const db = await open(":memory:", { iterChunkSize: 5 });
    const { signal } = new AbortController();
    const cursor = await db.execute(numbers(20));
    expect(await cursor.fetchmany(5)).toEqual(upTo(5));
    const fetched = await Promise.all([1, 2, 3].map((size) => cursor.fetchmany(size, { signal })));
    expect(fetched.flat().toSorted((a, b) => Number(a[0]) - Number(b[0]))).toEqual(upTo(11, 5));
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("of two half-read cursors of the same statement do not mix", async () => {
    const db = await open(":memory:", { iterChunkSize: 7 });
    const sql = numbers(100);
    const [a, b, c] = await Promise.all([db.execute(sql), db.execute(sql), db.execute(sql)]);
    const read: number[][] = [[], [], []];
    for (let i = 0; i < 100; i++) {
      read[0]!.push((await a.fetchone())?.[0]);
      if (i % 2 === 0) read[1]!.push((await b.fetchone())?.[0]);
      if (i % 10 === 0) read[2]!.push((await c.fetchone())?.[0]);
    }
    expect(read[0]).toEqual(upTo(100).flat());
    expect(read[1]).toEqual(upTo(50).flat());
    expect(read[2]).toEqual(upTo(10).flat());
    expect(await db.executeFetchall(sql)).toEqual(upTo(100));
    expect(await b.fetchall()).toEqual(upTo(100, 50));
  });

  it("before an error in the middle of a result are given, then the error, then nothing", async () => {
    const db = await open(":memory:", { iterChunkSize: 10 });
    // abs() of the smallest integer overflows.
    const sql = numbers(100, "CASE i WHEN 25 THEN abs(-9223372036854775807 - 1) ELSE i END");
    const seen: unknown[] = [];
    const error = await rejection(async () => {
      for await (const row of db.execute(sql)) seen.push(row);
    });
    expect(error).toBeInstanceOf(OperationalError);
    expect((error as Error).message).toBe("integer overflow");
    expect(seen).toEqual(upTo(25));
    const cursor = await db.execute(sql);
    expect(await rejection(cursor.fetchmany(50))).toBeInstanceOf(OperationalError);
    expect(await cursor.fetchall()).toEqual([]);
    expect(await rejection(db.executeFetchall(sql))).toBeInstanceOf(OperationalError);
    expect(
      await rejection(db.executeFetchall(sql.replace("99", "9999").replace("25", "5000"))),
    ).toBeInstanceOf(OperationalError);
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });
});

describe("fetchone, fetchmany and fetchall", () => {
  it("give null and empty arrays at the end, as often as asked", async () => {
    const db = await open();
    const cursor = await db.execute("SELECT 1 UNION ALL SELECT 2");
    expect(await cursor.fetchone()).toEqual([1]);
    expect(await cursor.fetchone()).toEqual([2]);
    expect([await cursor.fetchone(), await cursor.fetchone()]).toEqual([null, null]);
    expect([await cursor.fetchmany(3), await cursor.fetchall()]).toEqual([[], []]);
  });

  it("give nothing before anything was executed, and after a statement without rows", async () => {
    const db = await open();
    const cursor = await db.cursor();
    expect([await cursor.fetchone(), await cursor.fetchmany(2), await cursor.fetchall()]).toEqual([
      null,
      [],
      [],
    ]);
    await cursor.execute("CREATE TABLE t (a)");
    expect([await cursor.fetchone(), await cursor.fetchall()]).toEqual([null, []]);
  });

  it("fetchmany gives arraysize rows by default, which is 1", async () => {
    const db = await open();
    const cursor = await db.execute(numbers(10));
    expect(cursor.arraysize).toBe(1);
    expect(await cursor.fetchmany()).toEqual([[0]]);
    cursor.arraysize = 3;
    expect(await cursor.fetchmany()).toEqual([[1], [2], [3]]);
    expect(await cursor.fetchmany(2)).toEqual([[4], [5]]);
    expect(await cursor.fetchmany(100)).toEqual([[6], [7], [8], [9]]);
    expect(() => {
      cursor.arraysize = -1;
    }).toThrow(RangeError);
    expect(await rejection(cursor.fetchmany(-1))).toBeInstanceOf(RangeError);
  });
});

describe("rowcount, lastrowid and description", () => {
  // Compared by hand with CPython 3.11: rowcount counts for INSERT, UPDATE, DELETE and REPLACE, else -1; lastrowid
  // is last_insert_rowid() after every execute(), and left alone by executemany() and executescript().
  it("are as in CPython for each kind of statement", async () => {
    const db = await open();
    const cursor = await db.cursor();
    const state = (): unknown[] => [cursor.rowcount, cursor.lastrowid, names(cursor) ?? null];
    expect(state()).toEqual([-1, null, null]);
    const after = async (sql: string): Promise<unknown[]> => {
      await cursor.execute(sql);
      return state();
    };
    expect(await after("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")).toEqual([-1, 0, null]);
    expect(await after("INSERT INTO t VALUES (5, 'x')")).toEqual([1, 5, null]);
    expect(await after("SELECT * FROM t")).toEqual([-1, 5, ["id", "a"]]);
    expect(await after("UPDATE t SET a = 'y'")).toEqual([1, 5, null]);
    expect(await after("UPDATE t SET a = 'y' WHERE 0")).toEqual([0, 5, null]);
    expect(await after("REPLACE INTO t VALUES (7, 'x')")).toEqual([1, 7, null]);
    expect(await after("DELETE FROM t")).toEqual([2, 7, null]);
    await cursor.executemany("INSERT INTO t (a) VALUES (?)", [["a"], ["b"]]);
    expect(state()).toEqual([2, 7, null]);
    await cursor.executemany("UPDATE t SET a = ? WHERE 0", [["a"], ["b"]]);
    expect(state()).toEqual([0, 7, null]);
    await cursor.executescript("INSERT INTO t VALUES (50, 's')");
    expect(state()).toEqual([-1, 7, null]);
    expect(await after("SELECT 1 AS one WHERE 0")).toEqual([-1, 50, ["one"]]);
    expect(await cursor.fetchone()).toBe(null);
    expect(names(cursor)).toEqual(["one"]);
    expect(await after("PRAGMA foreign_keys = ON")).toEqual([-1, 50, null]);
    expect(await after("PRAGMA foreign_keys")).toEqual([-1, 50, ["foreign_keys"]]);
    expect((await after("EXPLAIN SELECT 1"))[2]).toContain("opcode");
  });

  it("have entries of a name and six nulls", async () => {
    const db = await open();
    const cursor = await db.execute("SELECT 1 AS a, 2, 3 AS a");
    expect(cursor.description).toEqual([
      ["a", null, null, null, null, null, null],
      ["2", null, null, null, null, null, null],
      ["a", null, null, null, null, null, null],
    ]);
  });

  it("stay when the cursor is closed, as in CPython", async () => {
    const db = await open();
    const read = await db.execute("SELECT 1 AS a UNION ALL SELECT 2");
    await read.close();
    expect([read.description?.[0]?.[0], read.columns()?.length, read.rowcount]).toEqual(["a", 1, -1]);
    await db.execute("CREATE TABLE t (x)");
    const write = await db.execute("INSERT INTO t VALUES (1), (2)");
    await write.close();
    expect([write.description, write.rowcount, write.lastrowid]).toEqual([null, 2, 2]);
  });

  it("are cleared by a statement that fails, and the cursor goes on", async () => {
    const db = await open();
    await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    const cursor = await db.execute("INSERT INTO t VALUES (5) RETURNING id");
    expect(await rejection(cursor.execute("INSERT INTO t VALUES (5)"))).toBeInstanceOf(IntegrityError);
    expect([cursor.rowcount, cursor.description, await cursor.fetchall()]).toEqual([-1, null, []]);
    await cursor.execute("SELECT id FROM t");
    expect(await cursor.fetchall()).toEqual([[5]]);
  });

  it("belong to their own statement when many are answered together", async () => {
    const db = await open();
    await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    const inserted = await Promise.all(
      Array.from({ length: 50 }, (_, i) => db.execute("INSERT INTO t (a) VALUES (?)", [i])),
    );
    expect(inserted.map((cursor) => cursor.lastrowid)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(inserted.every((cursor) => cursor.rowcount === 1)).toBe(true);
    const [first, select, second] = await Promise.all([
      db.execute("INSERT INTO t VALUES (100, 'x')"),
      db.execute("SELECT 1"),
      db.execute("INSERT INTO t VALUES (200, 'x') RETURNING id"),
    ]);
    expect([first.lastrowid, select.lastrowid, second.lastrowid]).toEqual([100, 100, 200]);
  });

  it("of RETURNING are the rows, their names, and the count of what was written", async () => {
    const db = await open();
    await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    const cursor = await db.execute("INSERT INTO t (a) VALUES ('x'), ('y'), ('z') RETURNING id AS new, a");
    expect([cursor.rowcount, cursor.lastrowid, names(cursor)]).toEqual([3, 3, ["new", "a"]]);
    // Written before anything is fetched, and also when nothing ever is.
    expect(db.totalChanges).toBe(3);
    expect(await cursor.fetchall()).toEqual([
      [1, "x"],
      [2, "y"],
      [3, "z"],
    ]);
    expect(await db.executeFetchall("DELETE FROM t WHERE id > 1 RETURNING id")).toEqual([[2], [3]]);
    expect(await db.executeFetchall("UPDATE t SET a = 'w' RETURNING a")).toEqual([["w"]]);
    expect(await db.executeInsert("INSERT INTO t (a) VALUES ('v') RETURNING a")).toEqual([2]);
  });
});

describe("closing", () => {
  it("lets go of the rows that are left, and refuses further calls", async () => {
    const db = await open();
    await db.execute("CREATE TABLE t (a)");
    const cursor = await db.execute(`${numbers(500)} UNION ALL SELECT a FROM t`);
    expect(await rejection(db.execute("DROP TABLE t"))).toBeInstanceOf(OperationalError);
    await cursor.close();
    await cursor.close();
    await db.execute("DROP TABLE t");
    for (const call of [
      () => cursor.fetchone(),
      () => cursor.fetchmany(1),
      () => cursor.fetchall(),
      () => cursor.execute("SELECT 1"),
      () => cursor.executemany("SELECT 1", []),
      () => cursor.executescript("SELECT 1"),
      () => cursor[Symbol.asyncIterator]().next(),
    ]) {
      const error = await rejection(call);
      expect(error).toBeInstanceOf(ProgrammingError);
      expect((error as Error).message).toBe("Cannot operate on a closed cursor.");
    }
  });

  it("is done by await using", async () => {
    const db = await open();
    let outside: Cursor;
    {
      await using cursor = await db.execute(numbers(500));
      outside = cursor;
      expect(await cursor.fetchone()).toEqual([0]);
    }
    expect(await rejection(outside.fetchone())).toBeInstanceOf(ProgrammingError);
    {
      await using cursor = await db.cursor();
      await cursor.close();
    }
  });

  it("the connection ends its cursors: their calls reject with Connection closed", async () => {
    const db = await open();
    const cursor = await db.execute(numbers(500));
    await db.close();
    for (const call of [() => cursor.fetchone(), () => cursor.fetchall(), () => cursor.execute("SELECT 1")]) {
      const error = await rejection(call);
      expect(error).toBeInstanceOf(ConnectionClosedError);
      expect((error as Error).message).toBe("Connection closed");
    }
    await cursor[Symbol.asyncDispose]();
  });

  it("while a fetch waits gives that what was there", async () => {
    const db = await open(":memory:", { iterChunkSize: 5 });
    const cursor = await db.execute(numbers(500));
    const waiting = cursor.fetchmany(20);
    await cursor.close();
    expect(await waiting).toEqual([[0], [1], [2], [3], [4]]);
  });

  it("is over when the thread dies meanwhile", async () => {
    const db = await open();
    await db.createFunction("die", 0, new URL("../fixtures/deadly.mjs", import.meta.url), { export: "die" });
    const cursor = await db.execute(numbers(500));
    const dead = rejection(db.execute("SELECT die()"));
    await cursor.close();
    expect(await dead).toBeInstanceOf(WorkerCrashedError);
    expect(await rejection(cursor.fetchone())).toMatchObject({
      message: "Cannot operate on a closed cursor.",
    });
  });

  it("is not needed for a cursor that is dropped half read: the garbage collector does it", async () => {
    const { setFlagsFromString } = await import("node:v8");
    const { runInNewContext } = await import("node:vm");
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const db = await open();
    await db.execute("CREATE TABLE t (a)");
    expect(await (await db.execute(`${numbers(500)} UNION ALL SELECT a FROM t`)).fetchone()).toEqual([0]);
    // As long as the cursor is half read the table cannot be dropped.
    for (let round = 0; round < 50; round++) {
      collect();
      await new Promise(setImmediate);
      try {
        await db.execute("DROP TABLE t");
        return;
      } catch (error) {
        expect((error as Error).message).toBe("database table is locked");
      }
    }
    expect.fail("the cursor was never let go of");
  });
});

describe("a half-read cursor", () => {
  it("inside its own connection's transaction gives what is there, and the rest after it", async () => {
    const db = await open(":memory:", { iterChunkSize: 2 });
    const cursor = await db.execute(numbers(5));
    const seen: unknown[] = [];
    await db.transaction(async () => {
      seen.push(await cursor.fetchone(), await cursor.fetchone());
      expect(await rejection(cursor.fetchone())).toBeInstanceOf(ProgrammingError);
    });
    expect(seen).toEqual([[0], [1]]);
    expect(await cursor.fetchall()).toEqual([[2], [3], [4]]);
  });

  async function filled(): Promise<{ db: Connection; cursor: Cursor }> {
    const db = await open(":memory:", { iterChunkSize: 10 });
    await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    await db.execute(`INSERT INTO t ${numbers(100, "i, 'old'")}`);
    await db.commit();
    const cursor = await db.execute("SELECT id FROM t");
    expect(await cursor.fetchmany(5)).toEqual(upTo(5));
    return { db, cursor };
  }

  it("lets the connection write, begin and commit meanwhile", async () => {
    const { db, cursor } = await filled();
    await db.execute("UPDATE t SET a = 'new'");
    await db.executemany("INSERT INTO t VALUES (?, ?)", [[200, "many"]]);
    await db.executescript("CREATE TABLE other (a); INSERT INTO other VALUES (1)");
    expect(await db.executeFetchall("DELETE FROM t WHERE id = 99 RETURNING id")).toEqual([[99]]);
    await db.commit();
    expect(await cursor.fetchall()).toEqual([...upTo(99, 5), [200]]);
    expect(await db.executeFetchall("SELECT count(*), count(nullif(a, 'new')) FROM t")).toEqual([[100, 1]]);
  });

  it("goes on after ROLLBACK", async () => {
    const { db, cursor } = await filled();
    await db.execute("DELETE FROM t WHERE id > 50");
    await db.rollback();
    expect(await cursor.fetchall()).toEqual(upTo(100, 5));
    expect(await db.executeFetchall("SELECT count(*) FROM t")).toEqual([[100]]);
  });

  it("is ended by a ROLLBACK that takes a change of the schema back, with an error and no wrong row", async () => {
    const { db, cursor } = await filled();
    await db.execute("BEGIN");
    await db.execute("ALTER TABLE t ADD COLUMN b");
    await db.rollback();
    const error = await rejection(cursor.fetchall());
    expect(error).toBeInstanceOf(OperationalError);
    expect((error as OperationalError).code).toBe("SQLITE_ABORT_ROLLBACK");
    expect(await db.executeFetchall("SELECT count(*) FROM t")).toEqual([[100]]);
  });

  it("keeps its table from being dropped, as in CPython, until it is read to its end", async () => {
    const { db, cursor } = await filled();
    const error = await rejection(db.execute("DROP TABLE t"));
    expect(error).toBeInstanceOf(OperationalError);
    expect((error as Error).message).toBe("database table is locked");
    await cursor.fetchall();
    await db.execute("DROP TABLE t");
  });

  it("does not keep the connection from closing", async () => {
    const { db } = await filled();
    await db.close();
    expect(await rejection(db.execute("SELECT 1"))).toBeInstanceOf(ConnectionClosedError);
  });
});

describe("description after another connection's ALTER TABLE", () => {
  async function pair(): Promise<{ db: Connection; other: ReturnType<typeof openEngine>; path: string }> {
    const path = await temporaryPath();
    const db = await open(path, { pragmas: { journal_mode: "wal" } });
    await db.executescript("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2)");
    return { db, other: openEngine(path), path };
  }

  it("shows an added column, also when the statement was prepared before", async () => {
    const { db, other } = await pair();
    const sql = "SELECT * FROM t";
    expect(names(await db.execute(sql))).toEqual(["a", "b"]);
    expect(names(await db.execute(sql))).toEqual(["a", "b"]);
    other.exec("ALTER TABLE t ADD COLUMN c DEFAULT 3");
    const cursor = await db.execute(sql);
    expect(names(cursor)).toEqual(["a", "b", "c"]);
    expect(await cursor.fetchall()).toEqual([[1, 2, 3]]);
  });

  it("shows a renamed and a dropped column, with arrays and with objects", async () => {
    const { db, other } = await pair();
    const cursor = await db.cursor();
    cursor.rowFactory = Row;
    db.rowFactory = Row;
    const sql = "SELECT * FROM t";
    const expectRow = async (row: object): Promise<void> => {
      await cursor.execute(sql);
      expect(names(cursor)).toEqual(Object.keys(row));
      expect(await cursor.fetchall()).toEqual([row]);
      expect(await db.executeFetchall(sql)).toEqual([row]);
    };
    await expectRow({ a: 1, b: 2 });
    other.exec("ALTER TABLE t RENAME COLUMN a TO z");
    await expectRow({ z: 1, b: 2 });
    other.exec("ALTER TABLE t DROP COLUMN z");
    await expectRow({ b: 2 });
    other.exec("ALTER TABLE t RENAME TO u; CREATE TABLE t (q, r, s); INSERT INTO t VALUES (7, 8, 9)");
    await expectRow({ q: 7, r: 8, s: 9 });
  });

  it.each(["", "BEGIN"])("shows it to quick reads, whichever way each of them runs (%s)", async (begin) => {
    const { db, other } = await pair();
    db.rowFactory = Row;
    const sql = "SELECT * FROM t WHERE a = ?";
    const read = async (): Promise<unknown> => (await db.executeFetchall(sql, [1]))[0];
    // What is traced is run by the engine itself, and what is quick by the companion.
    const traced = async (): Promise<unknown> => {
      await db.setTraceCallback(() => {});
      const row = await read();
      await db.setTraceCallback(null);
      return row;
    };
    const ways = [read, traced, traced, read, read, traced, read];
    for (let i = 0; i < 3; i++) expect(await read()).toEqual({ a: 1, b: 2 });
    for (const [i, way] of ways.entries()) {
      other.exec(`ALTER TABLE t RENAME COLUMN ${i === 0 ? "b" : `b${i - 1}`} TO b${i}`);
      if (begin !== "") await db.execute(begin);
      expect(await way()).toEqual({ a: 1, [`b${i}`]: 2 });
      expect(await way()).toEqual({ a: 1, [`b${i}`]: 2 });
      if (begin !== "") await db.rollback();
    }
  });

  it("shows it also when the other connection altered the table while rows were being read", async () => {
    const { db, other } = await pair();
    db.rowFactory = Row;
    await db.createFunction("meanwhile", 0, () => {
      other.exec("ALTER TABLE t ADD COLUMN c DEFAULT 3");
      return 0;
    });
    const sql =
      "SELECT * FROM t WHERE a + CASE (SELECT count(*) FROM pragma_table_info('t')) WHEN 2 THEN meanwhile() ELSE 0 END";
    expect(await db.executeFetchall(sql)).toEqual([{ a: 1, b: 2 }]);
    expect(await db.executeFetchall(sql)).toEqual([{ a: 1, b: 2, c: 3 }]);
    expect(await db.executeFetchall(sql)).toEqual([{ a: 1, b: 2, c: 3 }]);
  });

  it.each(["main", "attached"])(
    "never shifts values of a table in %s, whatever is called at once",
    async (name) => {
      const { db: first, other, path } = await pair();
      const db = name === "main" ? first : await open();
      if (name === "attached") await db.execute("ATTACH ? AS attached", [path]);
      db.rowFactory = Row;
      await db.createFunction("meanwhile", 1, (sql: string) => {
        if (sql !== "") other.exec(sql);
        return 0;
      });
      const sql = `SELECT * FROM ${name}.t`;
      // So that one reply could answer all: they have long been quick, and the COMMIT is.
      other.pragma("synchronous = OFF");
      for (const [ddl, row] of [
        ["ALTER TABLE t ADD COLUMN c DEFAULT 3", { a: 1, b: 2, c: 3 }],
        ["ALTER TABLE t DROP COLUMN b", { a: 1, c: 3 }],
        ["ALTER TABLE t DROP COLUMN c", { a: 1 }],
        ["ALTER TABLE t ADD COLUMN d DEFAULT 4", { a: 1, d: 4 }],
        ["DROP TABLE t; CREATE TABLE t (p, q, r); INSERT INTO t VALUES (5, 6, 7)", { p: 5, q: 6, r: 7 }],
        ["DROP TABLE t; CREATE TABLE t (q, r, p); INSERT INTO t VALUES (6, 7, 5)", { q: 6, r: 7, p: 5 }],
      ] as const) {
        for (let i = 0; i < 50; i++) await db.executeFetchall("SELECT meanwhile(?)", [""]);
        const [before] = await db.executeFetchall(sql);
        other.exec(`BEGIN; ${ddl}`);
        const [early, cursor, , late, later] = await Promise.all([
          db.executeFetchall(sql),
          db.execute(sql),
          db.executeFetchall("SELECT meanwhile(?)", ["COMMIT"]),
          db.executeFetchall(sql),
          db.execute(sql),
        ]);
        expect([early, late]).toEqual([[before], [row]]);
        expect([await cursor.fetchall(), await later.fetchall()]).toEqual([[before], [row]]);
        expect([names(cursor), names(later)]).toEqual([Object.keys(before!), Object.keys(row)]);
      }
    },
  );

  it("shows the connection's own changes of the schema in the same tick", async () => {
    const db = await open();
    db.rowFactory = Row;
    await db.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 30; i++) {
      calls.push(db.executeFetchall("SELECT * FROM t"));
      calls.push(db.executeFetchall("ALTER TABLE t ADD COLUMN b DEFAULT 2"));
      calls.push(db.executeFetchall("SELECT * FROM t"));
      calls.push(db.executeFetchall("ALTER TABLE t DROP COLUMN b"));
    }
    const results = await Promise.all(calls);
    for (let i = 0; i < results.length; i += 4) {
      expect([results[i], results[i + 2]]).toEqual([[{ a: 1 }], [{ a: 1, b: 2 }]]);
    }
  });

  it("knows TEMP tables that shadow a table, and databases that are attached", async () => {
    // Its folder outlives the connection.
    const attached = await temporaryPath("attached.db");
    const { db } = await pair();
    const sql = "SELECT * FROM t";
    expect(names(await db.execute(sql))).toEqual(["a", "b"]);
    await db.execute("CREATE TEMP TABLE t (x, y, z)");
    expect(names(await db.execute(sql))).toEqual(["x", "y", "z"]);
    await db.execute("DROP TABLE temp.t");
    expect(names(await db.execute(sql))).toEqual(["a", "b"]);
    await db.execute("ATTACH ? AS more", [attached]);
    await db.execute("CREATE TABLE more.m (a)");
    expect(names(await db.execute("SELECT * FROM m"))).toEqual(["a"]);
    openEngine(attached).exec("ALTER TABLE m RENAME COLUMN a TO b");
    expect(names(await db.execute("SELECT * FROM m"))).toEqual(["b"]);
  });
});

describe("rowFactory", () => {
  it("is null for arrays, Row for objects, or a function of the cursor and the array", async () => {
    const db = await open();
    const sql = "SELECT 1 AS a, 'x' AS b";
    expect(db.rowFactory).toBe(null);
    expect(await db.executeFetchall(sql)).toEqual([[1, "x"]]);
    db.rowFactory = Row;
    expect(await db.executeFetchall(sql)).toEqual([{ a: 1, b: "x" }]);
    expect(await (await db.execute(sql)).fetchone()).toEqual({ a: 1, b: "x" });
    db.rowFactory = (cursor, row) => [names(cursor), cursor instanceof Cursor, ...row];
    const expected = [["a", "b"], true, 1, "x"];
    expect(await db.executeFetchall(sql)).toEqual([expected]);
    expect(await (await db.execute(numbers(200))).fetchall()).toHaveLength(200);
    expect(await (await db.execute(sql)).fetchall()).toEqual([expected]);
    for await (const row of db.execute(sql)) expect(row).toEqual(expected);
    const iterator = (await db.execute(sql))[Symbol.asyncIterator]();
    for await (const row of iterator) expect(row).toEqual(expected);
    expect(() => {
      db.rowFactory = "Row" as never;
    }).toThrow(TypeError);
  });

  it("may call Row for a part of its work", async () => {
    const db = await open();
    db.rowFactory = (cursor, row) => ({ ...Row(cursor, row), own: true });
    expect(await db.executeFetchall("SELECT 1 AS a, 2 AS b, 3 AS a")).toEqual([{ a: 3, b: 2, own: true }]);
    expect(await db.executeInsert("CREATE TABLE t (a)")).toEqual({ "last_insert_rowid()": 0, own: true });
    const [row] = [Row({ description: null }, [1, 2])];
    expect(row).toEqual({ 0: 1, 1: 2 });
    const hostile = Row({ description: [["__proto__", null, null, null, null, null, null]] }, [{ x: 1 }]);
    expect([Object.getPrototypeOf(hostile), Object.keys(hostile)]).toEqual([Object.prototype, ["__proto__"]]);
  });

  it("of a cursor is the connection's when it was made, and its own from then on", async () => {
    const db = await open();
    const before = await db.execute("SELECT 1 AS a");
    db.rowFactory = Row;
    const after = await db.execute("SELECT 1 AS a");
    expect([await before.fetchone(), await after.fetchone()]).toEqual([[1], { a: 1 }]);
    expect([before.rowFactory, after.rowFactory]).toEqual([null, Row]);
    const own = await db.cursor();
    own.rowFactory = (_, row) => row.length;
    await own.execute("SELECT 1, 2, 3");
    expect(await own.fetchall()).toEqual([3]);
    expect(await db.executeFetchall("SELECT 2 AS b")).toEqual([{ b: 2 }]);
    expect(() => {
      own.rowFactory = 5 as never;
    }).toThrow(TypeError);
  });

  it("applies to the rows that are fetched after it is set, also where they are there already", async () => {
    const db = await open(":memory:", { iterChunkSize: 4 });
    const cursor = await db.execute(numbers(20, "i AS n, i AS n, 'x' AS s"));
    expect(await cursor.fetchone()).toEqual([0, 0, "x"]);
    cursor.rowFactory = Row;
    expect(await cursor.fetchone()).toEqual({ n: 1, s: "x" });
    cursor.rowFactory = (_, row) => row[0];
    expect(await cursor.fetchmany(4)).toEqual([2, 3, 4, 5]);
    cursor.rowFactory = null;
    expect(await cursor.fetchone()).toEqual([6, 6, "x"]);
    cursor.rowFactory = Row;
    expect(await cursor.fetchall()).toEqual(Array.from({ length: 13 }, (_, i) => ({ n: 7 + i, s: "x" })));
  });

  it("of a call is the one of the time of the call", async () => {
    const db = await open();
    const arrays = db.executeFetchall("SELECT 1 AS a");
    db.rowFactory = Row;
    const objects = db.executeFetchall("SELECT 1 AS a");
    db.rowFactory = null;
    expect([await arrays, await objects]).toEqual([[[1]], [{ a: 1 }]]);
  });

  it("may make undefined or null of rows, and none of them is left out", async () => {
    const db = await open(":memory:", { iterChunkSize: 3 });
    const cursor = await db.execute(numbers(10));
    cursor.rowFactory = (_, [i]) => [undefined, null, i][(i as number) % 3];
    const rows: unknown[] = [];
    for await (const row of cursor) rows.push(row);
    expect(rows).toEqual([undefined, null, 2, undefined, null, 5, undefined, null, 8, undefined]);
  });

  it("that throws in a loop over execute() ends it, and lets go of the rows that are left", async () => {
    const db = await open();
    db.rowFactory = (_, row) => {
      if (row[0] === 3) throw new Error("not this one");
      return row[0];
    };
    const rows = db.execute(numbers(1000))[Symbol.asyncIterator]();
    for (let i = 0; i < 3; i++) expect(await rows.next()).toEqual({ value: i, done: false });
    expect(await rejection(rows.next())).toEqual(new Error("not this one"));
    expect(await rows.next()).toEqual({ value: undefined, done: true });
    // Refused while a cursor is half read.
    await db.createFunction("f", 0, () => 1);
  });

  it("that throws rejects the fetch of that row, and the next row is given", async () => {
    const db = await open();
    const cursor = await db.execute(numbers(5));
    cursor.rowFactory = (_, row) => {
      if (row[0] === 1) throw new Error("not this one");
      return row[0];
    };
    expect(await cursor.fetchone()).toBe(0);
    expect(await rejection(cursor.fetchone())).toEqual(new Error("not this one"));
    expect(await cursor.fetchone()).toBe(2);
    cursor.rowFactory = () => {
      throw new Error("none");
    };
    expect(await rejection(cursor[Symbol.asyncIterator]().next())).toEqual(new Error("none"));
  });
});

describe("textFactory", () => {
  it("is String, Buffer or a function of the UTF-8 bytes, for TEXT only", async () => {
    const db = await open();
    const sql = "SELECT 'ä', 1, NULL, x'41'";
    expect(db.textFactory).toBe(String);
    expect(await db.executeFetchall(sql)).toEqual([["ä", 1, null, Buffer.from("A")]]);
    db.textFactory = Buffer;
    expect(await db.executeFetchall(sql)).toEqual([[Buffer.from("ä"), 1, null, Buffer.from("A")]]);
    db.textFactory = (bytes) => bytes.toString("hex");
    expect(await db.executeFetchall(sql)).toEqual([["c3a4", 1, null, Buffer.from("A")]]);
    db.rowFactory = Row;
    expect(await db.executeFetchall("SELECT 'ä' AS a, 2 AS b")).toEqual([{ a: "c3a4", b: 2 }]);
    for await (const row of db.execute("SELECT 'ä' AS a")) expect(row).toEqual({ a: "c3a4" });
    expect(() => {
      db.textFactory = null as never;
    }).toThrow(TypeError);
  });

  it("applies to large results and to all columns of text", async () => {
    const db = await open();
    db.textFactory = (bytes) => bytes.length;
    const rows = await db.executeFetchall(numbers(3000, "'ä' || i, i, CASE i % 2 WHEN 0 THEN 'x' END"));
    expect(rows).toEqual(
      Array.from({ length: 3000 }, (_, i) => [2 + String(i).length, i, i % 2 === 0 ? 1 : null]),
    );
  });
});

describe("cached statements", () => {
  it("may be as few as one, with hundreds of different statements in flight", async () => {
    for (const cachedStatements of [0, 1, 2, 10]) {
      const db = await open(":memory:", { cachedStatements });
      const calls = Array.from({ length: 600 }, (_, i) =>
        db.executeFetchall(`SELECT ${i % 300} AS a${i % 300}, ?`, [i]),
      );
      expect(await Promise.all(calls)).toEqual(Array.from({ length: 600 }, (_, i) => [[i % 300, i]]));
    }
  });

  it("may be evicted while a cursor of theirs is half read", async () => {
    const db = await open(":memory:", { cachedStatements: 1 });
    const cursors = await Promise.all(
      Array.from({ length: 20 }, (_, i) => db.execute(numbers(300, `i * ${i}`))),
    );
    for (const [i, cursor] of cursors.entries()) {
      expect(await cursor.fetchall()).toEqual(upTo(300).map(([n]) => [n! * i]));
    }
  });

  it("may be evicted while a call of theirs waits behind a transaction", async () => {
    const db = await open(":memory:", { cachedStatements: 2 });
    await db.execute("CREATE TABLE t (a)");
    const known = "INSERT INTO t VALUES (?)";
    await db.executeFetchall(known, [0]);
    await db.commit();
    const waiting: Promise<unknown>[] = [];
    let enter!: () => void;
    let leave!: () => void;
    const entered = new Promise<void>((resolve) => (enter = resolve));
    const left = new Promise<void>((resolve) => (leave = resolve));
    const transaction = db.transaction(async (tx) => {
      enter();
      await left;
      for (let i = 0; i < 20; i++) await tx.executeFetchall(`SELECT ${i}`);
    });
    await entered;
    for (let i = 1; i <= 30; i++) {
      waiting.push(db.executeFetchall(known, [i]));
      waiting.push(db.executeFetchall(`SELECT ${i}, ${i}`));
    }
    leave();
    await transaction;
    await Promise.all(waiting);
    expect(await db.executeFetchall("SELECT count(*), sum(a) FROM t")).toEqual([[31, 465]]);
    expect(names(await db.execute("SELECT 1 AS one"))).toEqual(["one"]);
  });

  it("may be evicted in the middle of an executemany", async () => {
    const db = await open(":memory:", { cachedStatements: 1 });
    await db.execute("CREATE TABLE t (a)");
    async function* sets(): AsyncGenerator<[number]> {
      for (let i = 0; i < 4000; i++) {
        if (i % 500 === 0) expect(await db.executeFetchall(`SELECT ${i}`)).toEqual([[i]]);
        yield [i];
      }
    }
    await db.executemany("INSERT INTO t VALUES (?)", sets());
    expect(await db.executeFetchall("SELECT count(*), sum(a) FROM t")).toEqual([[4000, 7998000]]);
  });
});
