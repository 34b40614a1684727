import { setImmediate as nextTurn } from "node:timers/promises";
import { type Connection, IntegrityError, OperationalError, ProgrammingError } from "@sqlite-aio/core";
import { beforeEach, describe, expect, it } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { abortedWithin } from "../support/pool-support.ts";
import { gate } from "../support/gate.ts";
import { lockMet, tellsOfLocks } from "../support/lock-met.ts";

let path: string;
let db: Connection;

beforeEach(async () => {
  path = await temporaryPath();
  db = await open(path, { isolationLevel: null });
  await db.executescript("CREATE TABLE t (x INTEGER PRIMARY KEY, y)");
});

const insert = (handle: Connection, x: number): Promise<unknown> =>
  handle.execute("INSERT INTO t (x) VALUES (?)", [x]);

/** What a second connection reads from the file. */
function committed(): unknown[] {
  return openEngine(path).prepare("SELECT x FROM t ORDER BY x").pluck().all();
}

describe("the end of a transaction", () => {
  it("commits when the callback returns, and gives what it returned", async () => {
    const result = await db.transaction(async (tx) => {
      await insert(tx, 1);
      expect(tx.inTransaction).toBe(true);
      expect(committed()).toEqual([]);
      return "done";
    });
    expect(result).toBe("done");
    expect(db.inTransaction).toBe(false);
    expect(committed()).toEqual([1]);
  });

  it("rolls back when the callback throws, and rejects with that very error", async () => {
    const boom = new Error("boom");
    const error = await rejection(
      db.transaction(async (tx) => {
        await insert(tx, 1);
        throw boom;
      }),
    );
    expect(error).toBe(boom);
    expect(db.inTransaction).toBe(false);
    expect(committed()).toEqual([]);
  });

  it("takes a callback that is not async, and one that throws at once", async () => {
    expect(await db.transaction(() => 7)).toBe(7);
    const boom = new Error("at once");
    expect(
      await rejection(
        db.transaction(() => {
          throw boom;
        }),
      ),
    ).toBe(boom);
    await insert(db, 1);
    expect(committed()).toEqual([1]);
  });

  it("rolls back when a statement in it fails and the callback passes that on", async () => {
    const error = await rejection(
      db.transaction(async (tx) => {
        await insert(tx, 1);
        await insert(tx, 1);
      }),
    );
    expect(error).toBeInstanceOf(IntegrityError);
    expect(committed()).toEqual([]);
  });

  it("goes on after a failed statement that the callback has dealt with", async () => {
    await db.transaction(async (tx) => {
      await insert(tx, 1);
      await rejection(insert(tx, 1));
      await insert(tx, 2);
    });
    expect(committed()).toEqual([1, 2]);
  });

  it("includes the calls that were not awaited", async () => {
    let last: Promise<unknown> | undefined;
    await db.transaction((tx) => {
      void insert(tx, 1);
      last = insert(tx, 2);
    });
    await last;
    expect(committed()).toEqual([1, 2]);
  });

  it("waits for a nested transaction that was not awaited", async () => {
    const { opened, open: go } = gate();
    let inner: Promise<void> | undefined;
    const outer = db.transaction((tx) => {
      inner = tx.transaction(async (sub) => {
        await insert(sub, 1);
        await opened;
        await insert(sub, 2);
      });
    });
    await nextTurn();
    go();
    await outer;
    await inner;
    expect(committed()).toEqual([1, 2]);
  });

  it("runs nothing that the callback's leftovers call after it has returned", async () => {
    let late: Promise<unknown> | undefined;
    await db.transaction(async (tx) => {
      await insert(tx, 1);
      // COMMIT is on its way by then, and its answer is not there.
      late = nextTurn().then(() => rejection(insert(tx, 2)));
    });
    const error = await late;
    expect(error).toBeInstanceOf(ProgrammingError);
    expect(error).toMatchObject({ message: "the transaction is over" });
    expect(committed()).toEqual([1]);
  });

  it("refuses each of the handle's calls once it is over", async () => {
    let kept!: Connection;
    let cursor!: Awaited<ReturnType<Connection["cursor"]>>;
    await db.transaction(async (tx) => {
      kept = tx;
      cursor = await tx.cursor();
    });
    const calls: (() => Promise<unknown>)[] = [
      () => kept.execute("SELECT 1"),
      () => kept.execute("SELECT 1", [], { timeout: 10 }),
      () => kept.executeFetchall("SELECT 1"),
      () => kept.executeInsert("INSERT INTO t (x) VALUES (9)"),
      () => kept.executemany("INSERT INTO t (x) VALUES (?)", [[9]]),
      () => kept.executescript("INSERT INTO t (x) VALUES (9)"),
      () => kept.cursor(),
      () => kept.transaction(() => {}),
      () => kept.createFunction("f", 0, () => 1),
      () => kept.serialize(),
      () => cursor.execute("SELECT 1"),
      () => cursor.fetchone(),
    ];
    for (const call of calls) {
      const error = await rejection(call);
      expect(error, String(call)).toBeInstanceOf(ProgrammingError);
      expect(error, String(call)).toMatchObject({ message: "the transaction is over" });
    }
    expect(committed()).toEqual([]);
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("refuses commit, rollback and close inside, and goes on", async () => {
    await db.transaction(async (tx) => {
      await insert(tx, 1);
      for (const call of [() => tx.commit(), () => tx.rollback(), () => tx.close()]) {
        const error = await rejection(call);
        expect(error).toBeInstanceOf(ProgrammingError);
        expect((error as Error).message).toContain("return to commit, throw to roll back");
      }
      await insert(tx, 2);
    });
    expect(committed()).toEqual([1, 2]);
  });

  it("refuses SQL that would end it, in any spelling, and goes on", async () => {
    await db.transaction(async (tx) => {
      await insert(tx, 1);
      for (const sql of [
        "COMMIT",
        "end",
        " ; /* now */ Commit Transaction",
        "ROLLBACK",
        "rollback transaction;",
      ]) {
        const error = await rejection(tx.execute(sql));
        expect(error, sql).toBeInstanceOf(ProgrammingError);
        expect((error as Error).message, sql).toContain("return to commit, throw to roll back");
      }
      const error = await rejection(tx.executescript("INSERT INTO t (x) VALUES (2); COMMIT; BEGIN"));
      expect(error).toBeInstanceOf(ProgrammingError);
      expect(tx.inTransaction).toBe(true);
    });
    // The script's first statement is part of the transaction.
    expect(committed()).toEqual([1, 2]);
  });

  it("leaves a savepoint of one's own to SQL", async () => {
    await db.transaction(async (tx) => {
      await insert(tx, 1);
      await tx.execute("SAVEPOINT mine");
      await insert(tx, 2);
      await tx.execute("ROLLBACK TRANSACTION TO SAVEPOINT mine");
      await tx.execute("RELEASE mine");
    });
    expect(committed()).toEqual([1]);
  });

  it("lets go of the cursors it left half read, so that the log can be reset", async () => {
    await db.executescript("PRAGMA journal_mode = WAL");
    await db.executemany(
      "INSERT INTO t (x) VALUES (?)",
      Array.from({ length: 500 }, (_, x) => [x]),
    );
    let unawaited: Promise<unknown> | undefined;
    await db.transaction(async (tx) => {
      const cursor = await tx.execute("SELECT x FROM t");
      expect(await cursor.fetchone()).toEqual([0]);
      unawaited = tx.execute("SELECT x FROM t");
    });
    await unawaited;
    await insert(db, 1000);
    // The first column is 1 where a reader kept the checkpoint from finishing.
    expect(openEngine(path).prepare("PRAGMA wal_checkpoint(TRUNCATE)").raw().get()).toEqual([0, 0, 0]);
  });
});

describe("the mode of a transaction", () => {
  it("is deferred by default: nothing is locked before the first write", async () => {
    const other = openEngine(path);
    await db.transaction(async (tx) => {
      other.exec("INSERT INTO t (x) VALUES (1)");
      await insert(tx, 2);
    });
    expect(committed()).toEqual([1, 2]);
  });

  it("immediate locks out other writers, exclusive readers as well", async () => {
    const other = openEngine(path);
    await db.transaction(
      () => {
        expect(() => other.exec("BEGIN IMMEDIATE")).toThrow("database is locked");
        expect(other.prepare("SELECT count(*) FROM t").pluck().get()).toBe(0);
      },
      { mode: "immediate" },
    );
    await db.transaction(
      () => {
        expect(() => other.prepare("SELECT count(*) FROM t").pluck().get()).toThrow("database is locked");
      },
      { mode: "exclusive" },
    );
    other.exec("BEGIN IMMEDIATE; COMMIT");
  });

  it("must be one of the three, and the callback a function", async () => {
    expect(await rejection(db.transaction(() => {}, { mode: "wild" as never }))).toBeInstanceOf(RangeError);
    expect(await rejection(db.transaction("BEGIN" as never))).toBeInstanceOf(TypeError);
    expect(await rejection(db.transaction(() => {}, null as never))).toBeInstanceOf(TypeError);
    expect(await rejection(db.transaction(() => {}, { signal: 1 as never }))).toBeInstanceOf(TypeError);
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });
});

describe("ownership", () => {
  it("lets other callers wait, and serves them in the order in which they came", async () => {
    const { opened, open: go } = gate();
    const order: string[] = [];
    const log =
      (what: string) =>
      <T>(value: T): T => {
        order.push(what);
        return value;
      };
    const first = db.transaction(async (tx) => {
      await insert(tx, 1);
      await opened;
      await insert(tx, 2);
      order.push("first");
    });
    const count = db.executeFetchall("SELECT count(*) FROM t").then(log("count"));
    const second = db.transaction(async (tx) => {
      order.push("second");
      return await tx.executeFetchall("SELECT count(*) FROM t");
    });
    const last = insert(db, 3).then(log("last"));
    await nextTurn();
    expect(order).toEqual([]);
    go();
    await first;
    expect(await count).toEqual([[2]]);
    expect(await second).toEqual([[2]]);
    await last;
    expect(order).toEqual(["first", "count", "second", "last"]);
    expect(committed()).toEqual([1, 2, 3]);
  });

  it("keeps what others do out of a transaction that rolls back", async () => {
    const { opened, open: go } = gate();
    const failing = rejection(
      db.transaction(async (tx) => {
        await insert(tx, 1);
        await opened;
        throw new Error("no");
      }),
    );
    const outside = insert(db, 2);
    go();
    await failing;
    await outside;
    expect(committed()).toEqual([2]);
  });

  it("runs many transactions at once one after the other", async () => {
    await insert(db, 0);
    await db.execute("UPDATE t SET y = 0");
    await Promise.all(
      Array.from({ length: 50 }, () =>
        db.transaction(async (tx) => {
          const [[y]] = (await tx.executeFetchall("SELECT y FROM t")) as [[number]];
          await tx.execute("UPDATE t SET y = ?", [y + 1]);
        }),
      ),
    );
    expect(await db.executeFetchall("SELECT y FROM t")).toEqual([[50]]);
  });

  it("holds up a close, and a cursor that is read from outside", async () => {
    await db.executemany(
      "INSERT INTO t (x) VALUES (?)",
      Array.from({ length: 300 }, (_, x) => [x]),
    );
    const cursor = await db.execute("SELECT x FROM t");
    const { opened, open: go } = gate();
    const owner = db.transaction(async (tx) => {
      await opened;
      await insert(tx, 1000);
    });
    let read = 0;
    const reading = (async () => {
      for await (const row of cursor) read += row.length;
    })();
    await nextTurn();
    expect(read).toBeLessThan(300);
    go();
    await owner;
    await reading;
    expect(read).toBeGreaterThanOrEqual(300);
    const { opened: later, open: goLater } = gate();
    const second = db.transaction(async (tx) => {
      await later;
      await insert(tx, 1001);
    });
    const closing = db.close();
    goLater();
    await second;
    await closing;
    expect(committed()).toHaveLength(302);
  });
});

describe("a transaction inside", () => {
  it("is a savepoint: rolling it back keeps what the outer one did", async () => {
    const boom = new Error("inner");
    await db.transaction(async (tx) => {
      await insert(tx, 1);
      const error = await rejection(
        tx.transaction(async (sub) => {
          await insert(sub, 2);
          throw boom;
        }),
      );
      expect(error).toBe(boom);
      expect(await tx.transaction(async (sub) => (await insert(sub, 3), "kept"))).toBe("kept");
    });
    expect(committed()).toEqual([1, 3]);
  });

  it("is undone with the outer one", async () => {
    await rejection(
      db.transaction(async (tx) => {
        await tx.transaction((sub) => insert(sub, 1));
        throw new Error("outer");
      }),
    );
    expect(committed()).toEqual([]);
  });

  it("can be nested deeply, each level on its own", async () => {
    const level = async (tx: Connection, depth: number): Promise<void> => {
      await insert(tx, depth);
      if (depth === 6) return;
      await rejection(
        tx.transaction(async (sub) => {
          await level(sub, depth + 1);
          if (depth % 2 === 1) throw new Error("odd levels undo what is below them");
        }),
      ).catch(() => {});
    };
    await db.transaction((tx) => level(tx, 0));
    // Level 1 undoes all from 2 on.
    expect(committed()).toEqual([0, 1]);
  });

  it("waits for its sibling, and the outer handle's calls wait for it", async () => {
    await db.transaction(async (tx) => {
      const { opened, open: go } = gate();
      const order: string[] = [];
      const first = tx.transaction(async (sub) => {
        await opened;
        await insert(sub, 1);
        order.push("first");
      });
      const second = tx.transaction(async (sub) => {
        await insert(sub, 2);
        order.push("second");
      });
      const third = insert(tx, 3).then(() => order.push("third"));
      go();
      await Promise.all([first, second, third]);
      expect(order).toEqual(["first", "second", "third"]);
    });
    expect(committed()).toEqual([1, 2, 3]);
  });

  it("is given up with its siblings when the callback throws", async () => {
    const { opened, open: go } = gate();
    const boom = new Error("sibling");
    let waiting: Promise<unknown> | undefined;
    const error = await rejection(
      db.transaction(async (tx) => {
        waiting = rejection(
          tx.transaction(async (sub) => {
            await opened;
            await insert(sub, 1);
          }),
        );
        throw boom;
      }),
    );
    expect(error).toBe(boom);
    go();
    expect(await waiting).toMatchObject({ name: "ProgrammingError", message: "the transaction is over" });
    expect(committed()).toEqual([]);
    await insert(db, 5);
    expect(committed()).toEqual([5]);
  });
});

describe("a nested transaction that outlives the outer one's callback", () => {
  it("can begin nothing more once that has thrown", async () => {
    const { opened, open: go } = gate();
    const begun = gate();
    const boom = new Error("outer");
    let late: unknown[] = [];
    let nested: Promise<unknown> | undefined;
    const error = await rejection(
      db.transaction(async (tx) => {
        nested = rejection(
          tx.transaction(async (sub) => {
            await insert(sub, 1);
            begun.open();
            await opened;
            const calls = [
              () => insert(sub, 2),
              () => sub.transaction((inner) => insert(inner, 3)),
              () => sub.executemany("INSERT INTO t (x) VALUES (?)", [[4]]),
              () => sub.createFunction("f", 0, () => 1),
            ];
            late = await Promise.all(calls.map(rejection));
          }),
        );
        await begun.opened;
        throw boom;
      }),
    );
    expect(error).toBe(boom);
    go();
    for (const each of [await nested, ...late])
      expect(each).toMatchObject({ name: "ProgrammingError", message: "the transaction is over" });
    expect(late).toHaveLength(4);
    expect(committed()).toEqual([]);
  });

  it("holds up COMMIT, which a signal gives up, and nothing else", async () => {
    const cursor = await db.execute(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500) SELECT i FROM n",
    );
    const { opened, open: go } = gate();
    const begun = gate();
    const controller = new AbortController();
    const reason = new Error("enough");
    let nested: Promise<unknown> | undefined;
    const outer = rejection(
      db.transaction(
        async (tx) => {
          await insert(tx, 1);
          nested = rejection(
            tx.transaction(async (sub) => {
              await insert(sub, 2);
              begun.open();
              await opened;
            }),
          );
          await begun.opened;
        },
        { signal: controller.signal },
      ),
    );
    await begun.opened;
    await nextTurn();
    // On its way to the thread at that moment.
    const closed = cursor.close();
    controller.abort(reason);
    expect(await outer).toBe(reason);
    await closed;
    await insert(db, 3);
    go();
    expect(await nested).toMatchObject({ name: "ProgrammingError", message: "the transaction is over" });
    expect(committed()).toEqual([3]);
  });
});

describe("a nested transaction whose savepoint the callback has taken away by SQL", () => {
  async function without(sub: Connection): Promise<void> {
    await insert(sub, 1);
    await sub.execute("ROLLBACK TO mine");
  }

  it("cannot be rolled back, and says so with both errors as its cause", async () => {
    const boom = new Error("boom");
    await db.transaction(async (tx) => {
      await tx.execute("SAVEPOINT mine");
      const error = await rejection(
        tx.transaction(async (sub) => {
          await without(sub);
          throw boom;
        }),
      );
      expect(error).toBeInstanceOf(OperationalError);
      const { message, cause } = error as Error;
      expect(message).toBe("the transaction could not be rolled back");
      expect(cause).toBeInstanceOf(AggregateError);
      expect((cause as AggregateError).errors).toEqual([
        boom,
        expect.objectContaining({ message: expect.stringContaining("no such savepoint") }),
      ]);
      await insert(tx, 2);
    });
    expect(committed()).toEqual([2]);
  });

  it("rejects with its signal's reason all the same, and the outer one goes on", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    await db.transaction(async (tx) => {
      await tx.execute("SAVEPOINT mine");
      const nested = tx.transaction(
        async (sub) => {
          await without(sub);
          controller.abort(reason);
        },
        { signal: controller.signal },
      );
      expect(await rejection(nested)).toBe(reason);
      await insert(tx, 2);
    });
    expect(committed()).toEqual([2]);
  });
});

describe("the outer handle inside its own transaction", () => {
  const uses: [string, (outer: Connection) => Promise<unknown>][] = [
    ["execute", (outer) => outer.execute("SELECT 1")],
    ["executeFetchall", (outer) => outer.executeFetchall("SELECT 1")],
    ["executeInsert", (outer) => outer.executeInsert("INSERT INTO t (x) VALUES (9)")],
    ["executemany", (outer) => outer.executemany("INSERT INTO t (x) VALUES (?)", [[9]])],
    ["executescript", (outer) => outer.executescript("SELECT 1")],
    ["commit", (outer) => outer.commit()],
    ["rollback", (outer) => outer.rollback()],
    ["close", (outer) => outer.close()],
    ["stop", (outer) => outer.stop()],
    ["transaction", (outer) => outer.transaction(() => {})],
    ["createFunction", (outer) => outer.createFunction("f", 0, () => 1)],
    ["serialize", (outer) => outer.serialize()],
    ["with a timeout", (outer) => outer.execute("SELECT 1", [], { timeout: 1 })],
    [
      "deep inside other functions",
      async (outer) => {
        await nextTurn();
        const later = async (): Promise<unknown> => await outer.execute("SELECT 1");
        return await Promise.all([nextTurn().then(later), nextTurn()]);
      },
    ],
  ];

  it.each(uses)("is detected and refused: %s", async (_name, use) => {
    await db.transaction(async (tx) => {
      await insert(tx, 1);
      const error = await rejection(use(db));
      expect(error).toBeInstanceOf(ProgrammingError);
      expect((error as Error).message).toContain("inside its own transaction");
      await insert(tx, 2);
    });
    expect(committed()).toEqual([1, 2]);
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("is detected from inside a nested transaction, for every level above", async () => {
    await db.transaction(async (tx) => {
      await tx.transaction(async (sub) => {
        for (const outer of [db, tx]) {
          const error = await rejection(outer.execute("SELECT 1"));
          expect((error as Error).message).toContain("inside its own transaction");
        }
        await insert(sub, 1);
      });
      await insert(tx, 2);
    });
    expect(committed()).toEqual([1, 2]);
  });

  it("is detected from inside a transaction of another connection in between", async () => {
    const other = await open();
    await db.transaction(async (tx) => {
      await other.transaction(async () => {
        const error = await rejection(db.execute("SELECT 1"));
        expect((error as Error).message).toContain("inside its own transaction");
        await insert(tx, 1);
      });
    });
    expect(committed()).toEqual([1]);
  });

  it("can be closed after it was refused to close inside", async () => {
    await db.transaction(async () => {
      await rejection(db.close());
    });
    await db.close();
    expect(await rejection(db.execute("SELECT 1"))).toMatchObject({ message: "Connection closed" });
  });

  it("is free for what the callback left behind, once the transaction is over", async () => {
    const { opened, open: go } = gate();
    let later: Promise<unknown> | undefined;
    await db.transaction(async () => {
      later = opened.then(() => db.executeFetchall("SELECT 1"));
    });
    go();
    expect(await later).toEqual([[1]]);
  });

  it("waits for another transaction like anybody else, where the callback's own is over", async () => {
    const { opened, open: go } = gate();
    const asked = gate();
    let later: Promise<unknown> | undefined;
    await db.transaction(async () => {
      later = opened.then(() => {
        const rows = db.executeFetchall("SELECT x FROM t");
        asked.open();
        return rows;
      });
    });
    await db.transaction(async (tx) => {
      go();
      await asked.opened;
      await insert(tx, 1);
    });
    expect(await later).toEqual([[1]]);
  });
});

describe("a transaction that SQLite ends", () => {
  it("begins only where none is open: an implicit one is left alone", async () => {
    const implicit = await open(path);
    await insert(implicit, 1);
    const error = await rejection(implicit.transaction((tx) => insert(tx, 2)));
    expect(error).toBeInstanceOf(OperationalError);
    expect((error as Error).message).toContain("cannot start a transaction within a transaction");
    expect(implicit.inTransaction).toBe(true);
    await implicit.commit();
    expect(committed()).toEqual([1]);
    await implicit.transaction((tx) => insert(tx, 2));
    expect(committed()).toEqual([1, 2]);
  });

  it("is rolled back when deferred foreign keys make COMMIT fail", async () => {
    await db.executescript(
      "CREATE TABLE child (parent INTEGER REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED)",
    );
    const error = await rejection(
      db.transaction(async (tx) => {
        await insert(tx, 1);
        await tx.execute("INSERT INTO child VALUES (99)");
      }),
    );
    expect(error).toBeInstanceOf(IntegrityError);
    expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_FOREIGNKEY", rolledBack: true });
    expect(db.inTransaction).toBe(false);
    await db.transaction((tx) => insert(tx, 2));
    expect(committed()).toEqual([2]);
  });

  it("is rolled back when a reader keeps COMMIT from the file until the timeout", async () => {
    const impatient = await open(path, { timeout: 60, isolationLevel: null });
    await insert(impatient, 1);
    const reader = openEngine(path);
    reader.exec("BEGIN");
    reader.prepare("SELECT x FROM t").all();
    const error = await rejection(impatient.transaction((tx) => insert(tx, 2)));
    expect(error).toBeInstanceOf(OperationalError);
    expect(error).toMatchObject({ code: "SQLITE_BUSY", rolledBack: true });
    expect(impatient.inTransaction).toBe(false);
    reader.exec("COMMIT");
    expect(committed()).toEqual([1]);
    await impatient.transaction((tx) => insert(tx, 3));
    expect(committed()).toEqual([1, 3]);
  });

  const ending: [string, string, string, (tx: Connection) => Promise<unknown>][] = [
    [
      "ON CONFLICT ROLLBACK",
      "",
      "SQLITE_CONSTRAINT_PRIMARYKEY",
      (tx) => tx.execute("INSERT OR ROLLBACK INTO t (x) VALUES (1)"),
    ],
    [
      "RAISE(ROLLBACK)",
      "CREATE TRIGGER no BEFORE UPDATE ON t BEGIN SELECT RAISE(ROLLBACK, 'never'); END",
      "SQLITE_CONSTRAINT_TRIGGER",
      (tx) => tx.execute("UPDATE t SET y = 1"),
    ],
    [
      "a script",
      "",
      "SQLITE_CONSTRAINT_PRIMARYKEY",
      (tx) => tx.executescript("INSERT INTO t (x) VALUES (50); INSERT OR ROLLBACK INTO t (x) VALUES (1)"),
    ],
    [
      "executemany",
      "",
      "SQLITE_CONSTRAINT_PRIMARYKEY",
      (tx) => tx.executemany("INSERT OR ROLLBACK INTO t (x) VALUES (?)", [[60], [1], [61]]),
    ],
  ];

  it.each(ending)("runs nothing more of it, and commits nothing: %s", async (_name, schema, code, end) => {
    await db.executescript(schema);
    const outcome = await rejection(
      db.transaction(async (tx) => {
        await insert(tx, 1);
        const cursor = await tx.execute(
          "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500) SELECT i FROM n",
        );
        const failure = await rejection(end(tx));
        expect(failure).toBeInstanceOf(IntegrityError);
        expect(failure).toMatchObject({ code, rolledBack: true });
        expect(tx.inTransaction).toBe(false);
        const calls: (() => Promise<unknown>)[] = [
          () => insert(tx, 2),
          () => tx.execute("INSERT INTO t (x) VALUES (3)"),
          () => tx.executeFetchall("SELECT x FROM t"),
          () => tx.executeInsert("INSERT INTO t (x) VALUES (4)"),
          () => tx.executescript("INSERT INTO t (x) VALUES (5)"),
          () => tx.executemany("INSERT INTO t (x) VALUES (?)", [[6], [7]]),
          () => tx.execute("BEGIN"),
          () => tx.executescript("BEGIN; INSERT INTO t (x) VALUES (8)"),
          () => tx.transaction((sub) => insert(sub, 9)),
          () => tx.serialize(),
          () => cursor.fetchall(),
        ];
        for (const call of calls) {
          const error = await rejection(call);
          expect(error, String(call)).toBeInstanceOf(OperationalError);
          expect(error, String(call)).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK" });
          expect((error as Error).message, String(call)).toContain("rolled back");
        }
      }),
    );
    // The callback returned as if all were well; nothing of it was kept, so it must not look so.
    expect(outcome).toBeInstanceOf(OperationalError);
    expect(outcome).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK" });
    expect(db.inTransaction).toBe(false);
    expect(committed()).toEqual([]);
    await insert(db, 10);
    expect(committed()).toEqual([10]);
  });

  it("runs nothing more of it where the calls went out together", async () => {
    let results: PromiseSettledResult<unknown>[] = [];
    await rejection(
      db.transaction(async (tx) => {
        await insert(tx, 1);
        results = await Promise.allSettled([
          insert(tx, 2),
          tx.execute("INSERT OR ROLLBACK INTO t (x) VALUES (1)"),
          insert(tx, 3),
          tx.execute("INSERT INTO t (x) VALUES (4)"),
        ]);
      }),
    );
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "rejected"]);
    expect(committed()).toEqual([]);
  });

  it("by an interrupted write, or by one that was given up, runs nothing more of it", async () => {
    await db.executescript(
      "INSERT INTO t (x) WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT 2000) SELECT i FROM n",
    );
    const given = new OperationalError("given up");
    const signal = await abortedWithin(db, given);
    const outcome = await db
      .transaction(async (tx) => {
        await insert(tx, 10_000);
        const slow = `UPDATE t SET y = (SELECT count(*) FROM t a, t b WHERE a.x < 200 AND b.x > t.x)
          WHERE x < 30 AND (x > 0 OR give_up())`;
        expect(await rejection(tx.execute(slow, [], { signal }))).toBe(given);
        expect(given.rolledBack).toBe(true);
        await insert(tx, 10_001);
      })
      .catch((error: unknown) => error);
    const kept = openEngine(path).prepare("SELECT count(*) FROM t WHERE x >= 10000").pluck().get();
    expect(outcome).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK" });
    expect(kept).toBe(0);
  });

  it("inside a savepoint takes the outer one with it", async () => {
    const error = await rejection(
      db.transaction(async (tx) => {
        await insert(tx, 1);
        await rejection(
          tx.transaction(async (sub) => {
            await insert(sub, 2);
            await sub.execute("INSERT OR ROLLBACK INTO t (x) VALUES (1)");
          }),
        );
        await insert(tx, 3);
      }),
    );
    expect(error).toMatchObject({ name: "OperationalError", code: "SQLITE_ABORT_ROLLBACK" });
    expect(committed()).toEqual([]);
  });
});

describe("a signal", () => {
  const reason = new Error("enough");

  it("that is aborted already keeps the callback from running", async () => {
    let ran = false;
    const error = await rejection(
      db.transaction(
        () => {
          ran = true;
        },
        { signal: AbortSignal.abort(reason) },
      ),
    );
    expect(error).toBe(reason);
    expect(ran).toBe(false);
  });

  it("gives up waiting for another transaction, and those behind go on", async () => {
    const controller = new AbortController();
    const { opened, open: go } = gate();
    const owner = db.transaction(async (tx) => {
      await insert(tx, 1);
      await opened;
    });
    const waiting = rejection(db.transaction((tx) => insert(tx, 2), { signal: controller.signal }));
    const behind = insert(db, 3);
    await nextTurn();
    controller.abort(reason);
    expect(await waiting).toBe(reason);
    go();
    await owner;
    await behind;
    expect(committed()).toEqual([1, 3]);
  });

  it("changes nothing for one that interrupt() has given up in the same tick", async () => {
    const controller = new AbortController();
    const { opened, open: go } = gate();
    const owner = db.transaction(() => opened);
    const waiting = rejection(db.transaction((tx) => insert(tx, 1), { signal: controller.signal }));
    void db.interrupt();
    const behind = insert(db, 2);
    controller.abort(reason);
    expect(await waiting).toMatchObject({ name: "OperationalError", code: "SQLITE_INTERRUPT" });
    go();
    await owner;
    await behind;
    expect(committed()).toEqual([2]);
  });

  it("gives up waiting for another connection's lock, and begins nothing", async () => {
    const controller = new AbortController();
    const other = openEngine(path);
    other.exec("BEGIN IMMEDIATE");
    const waiting = rejection(
      db.transaction((tx) => insert(tx, 1), { mode: "immediate", signal: controller.signal }),
    );
    await nextTurn();
    controller.abort(reason);
    expect(await waiting).toBe(reason);
    other.exec("COMMIT");
    expect(await db.executeFetchall("SELECT count(*) FROM t")).toEqual([[0]]);
    expect(db.inTransaction).toBe(false);
    await db.transaction((tx) => insert(tx, 2), { mode: "immediate" });
    expect(committed()).toEqual([2]);
  });

  it("rolls back what has begun, at once, though the callback does not return", async () => {
    const controller = new AbortController();
    const { opened, open: go } = gate();
    const reached = gate();
    let late: Promise<unknown> | undefined;
    const aborted = rejection(
      db.transaction(
        async (tx) => {
          await insert(tx, 1);
          reached.open();
          await opened;
          late = rejection(insert(tx, 2));
          await late;
        },
        { signal: controller.signal },
      ),
    );
    await reached.opened;
    controller.abort(reason);
    expect(await aborted).toBe(reason);
    await insert(db, 3);
    expect(committed()).toEqual([3]);
    go();
    await nextTurn();
    expect(await late).toMatchObject({ name: "ProgrammingError", message: "the transaction is over" });
    expect(committed()).toEqual([3]);
  });

  it("rejects the call that the callback waits for, and ends a nested transaction", async () => {
    const controller = new AbortController();
    const reached = gate();
    let inner: unknown;
    const aborted = rejection(
      db.transaction(
        (tx) =>
          tx.transaction(async (sub) => {
            await insert(sub, 1);
            await sub.createFunction("reach", 0, () => {
              reached.open();
              return 1;
            });
            inner = await rejection(
              sub.execute(
                "WITH RECURSIVE n (i) AS (SELECT reach() UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT max(i) FROM n",
              ),
            );
          }),
        { signal: controller.signal },
      ),
    );
    await reached.opened;
    controller.abort(reason);
    expect(await aborted).toBe(reason);
    await insert(db, 2);
    expect(inner).toBe(reason);
    expect(committed()).toEqual([2]);
  });

  it("that comes after the end changes nothing", async () => {
    const controller = new AbortController();
    await db.transaction((tx) => insert(tx, 1), { signal: controller.signal });
    controller.abort(reason);
    await insert(db, 2);
    expect(committed()).toEqual([1, 2]);
  });

  it("cuts a COMMIT's wait for a reader short, and rolls back", async () => {
    const controller = new AbortController();
    // Its COMMIT waits for longer than the test may take.
    const patient = await open(path, { isolationLevel: null, timeout: 3_600_000, setup: tellsOfLocks });
    await insert(patient, 1);
    const reader = openEngine(path);
    reader.exec("BEGIN");
    reader.prepare("SELECT x FROM t").all();
    const { signal } = controller;
    const aborted = rejection(patient.transaction((tx) => insert(tx, 2), { signal }));
    await lockMet(path);
    controller.abort(reason);
    expect(await aborted).toBe(reason);
    reader.exec("COMMIT");
    await insert(patient, 3);
    expect(committed()).toEqual([1, 3]);
  });
});
