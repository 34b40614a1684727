import { type Connection, type IsolationLevel, OperationalError } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { type Engine, open, openEngine, rejection, temporaryPath } from "../support/database.ts";

/** What another connection sees: the committed rows, and whether it may read and write. */
function seenBy(other: Engine): { rows: unknown; write: boolean; read: boolean } {
  const may = (sql: string): boolean => {
    try {
      other.exec(sql);
      return true;
    } catch (error) {
      expect((error as Error).message).toBe("database is locked");
      return false;
    } finally {
      if (other.inTransaction) other.exec("ROLLBACK");
    }
  };
  const read = may("SELECT * FROM t");
  return {
    rows: read ? other.prepare("SELECT a FROM t").pluck().all() : null,
    write: may("BEGIN IMMEDIATE"),
    read,
  };
}

/** A file with a table `t (a)`, not in WAL mode, so that locks show. */
async function pair(isolationLevel?: IsolationLevel): Promise<{ db: Connection; other: Engine }> {
  const path = await temporaryPath();
  const db = await open(path, isolationLevel === undefined ? {} : { isolationLevel });
  await db.executescript("CREATE TABLE t (a UNIQUE)");
  return { db, other: openEngine(path, 0) };
}

describe("isolationLevel", () => {
  it("is DEFERRED unless told otherwise, and in any case of letters", async () => {
    expect((await open()).isolationLevel).toBe("DEFERRED");
    const db = await open(":memory:", { isolationLevel: "immediate" as "IMMEDIATE" });
    expect(db.isolationLevel).toBe("IMMEDIATE");
    db.isolationLevel = null;
    expect(db.isolationLevel).toBe(null);
    db.isolationLevel = "" as never;
    expect(db.isolationLevel).toBe("DEFERRED");
    for (const wrong of ["SERIALIZABLE", "BEGIN; DROP TABLE t"]) {
      expect(() => {
        db.isolationLevel = wrong as never;
      }).toThrow(RangeError);
    }
    expect(() => {
      db.isolationLevel = 5 as never;
    }).toThrow(TypeError);
    expect(await rejection(open(":memory:", { isolationLevel: "WRONG" as never }))).toBeInstanceOf(
      RangeError,
    );
  });

  it.each([
    "INSERT INTO t VALUES (1)",
    "insert into t values (1)",
    "REPLACE INTO t VALUES (1)",
    "INSERT OR IGNORE INTO t VALUES (1)",
    "UPDATE t SET a = 2",
    "DELETE FROM t",
    "  \n\t INSERT INTO t VALUES (1)",
    "-- a comment\nINSERT INTO t VALUES (1)",
    "/* a */ -- b\n /* c */ UPDATE t SET a = 2",
    "; DELETE FROM t",
    "INSERT INTO t VALUES (1) RETURNING a",
  ])("DEFERRED opens a transaction before %j, which stays open", async (sql) => {
    const { db, other } = await pair();
    await db.execute(sql);
    expect(db.inTransaction).toBe(true);
    expect(seenBy(other).rows).toEqual([]);
    await db.commit();
    expect(db.inTransaction).toBe(false);
  });

  it.each([
    "SELECT * FROM t",
    "WITH n(i) AS (SELECT 1) SELECT i FROM n",
    "VALUES (1)",
    "CREATE TABLE u (a)",
    "CREATE TABLE u AS SELECT * FROM t",
    "ALTER TABLE t ADD COLUMN b",
    "DROP TABLE t",
    "CREATE INDEX i ON t (a)",
    "PRAGMA user_version = 5",
    "PRAGMA table_info(t)",
    "VACUUM",
    "ANALYZE",
    "REINDEX",
    "EXPLAIN INSERT INTO t VALUES (1)",
    "/* INSERT */ SELECT 1",
    "-- DELETE FROM t",
  ])("DEFERRED opens none before %j", async (sql) => {
    const { db } = await pair();
    await db.execute(sql);
    expect(db.inTransaction).toBe(false);
  });

  it("opens one transaction for statements in a row, whose changes are one", async () => {
    const { db, other } = await pair();
    await db.execute("INSERT INTO t VALUES (1)");
    await db.executemany("INSERT INTO t VALUES (?)", [[2], [3]]);
    await db.executeFetchall("INSERT INTO t VALUES (4) RETURNING a");
    await db.executeInsert("INSERT INTO t VALUES (5)");
    expect(seenBy(other).rows).toEqual([]);
    await db.rollback();
    expect([db.inTransaction, await db.executeFetchall("SELECT * FROM t")]).toEqual([false, []]);
    await db.execute("INSERT INTO t VALUES (6)");
    await db.commit();
    expect(seenBy(other).rows).toEqual([6]);
  });

  it("leaves DDL inside an open transaction in it, as CPython does since 3.6", async () => {
    const { db } = await pair();
    await db.execute("INSERT INTO t VALUES (1)");
    await db.execute("CREATE TABLE u (a)");
    expect(db.inTransaction).toBe(true);
    await db.rollback();
    expect(await db.executeFetchall("SELECT name FROM sqlite_schema WHERE name = 'u'")).toEqual([]);
  });

  it("leaves the transaction open when a statement of it fails", async () => {
    const { db } = await pair();
    await db.execute("INSERT INTO t VALUES (1)");
    await rejection(db.execute("INSERT INTO t VALUES (1)"));
    expect(db.inTransaction).toBe(true);
    await db.commit();
    await rejection(db.execute("INSERT INTO t VALUES (1)"));
    expect(db.inTransaction).toBe(true);
    await db.rollback();
    expect(await db.executeFetchall("SELECT * FROM t")).toEqual([[1]]);
  });

  it("is left alone by an explicit BEGIN, COMMIT and SAVEPOINT", async () => {
    const { db, other } = await pair();
    await db.execute("BEGIN IMMEDIATE");
    expect(db.inTransaction).toBe(true);
    await db.execute("INSERT INTO t VALUES (1)");
    await db.execute("COMMIT");
    expect([db.inTransaction, seenBy(other).rows]).toEqual([false, [1]]);
    await db.execute("SAVEPOINT s");
    expect(db.inTransaction).toBe(true);
    await db.execute("INSERT INTO t VALUES (2)");
    await db.execute("ROLLBACK TO s");
    await db.execute("RELEASE s");
    expect([db.inTransaction, seenBy(other).rows]).toEqual([false, [1]]);
  });

  it("DEFERRED locks nothing before the first statement does", async () => {
    const { db, other } = await pair("DEFERRED");
    await db.execute("DELETE FROM t WHERE a = 99");
    expect(seenBy(other)).toEqual({ rows: [], write: false, read: true });
    await db.commit();
    expect(seenBy(other)).toEqual({ rows: [], write: true, read: true });
  });

  it("IMMEDIATE takes the write lock, and EXCLUSIVE keeps readers out too", async () => {
    const immediate = await pair("IMMEDIATE");
    await immediate.db.execute("UPDATE t SET a = 1 WHERE 0");
    expect(seenBy(immediate.other)).toEqual({ rows: [], write: false, read: true });
    const exclusive = await pair("EXCLUSIVE");
    await exclusive.db.execute("UPDATE t SET a = 1 WHERE 0");
    expect(seenBy(exclusive.other)).toEqual({ rows: null, write: false, read: false });
    await exclusive.db.rollback();
    expect(seenBy(exclusive.other)).toEqual({ rows: [], write: true, read: true });
  });

  it("null commits each statement by itself", async () => {
    const { db, other } = await pair(null);
    await db.execute("INSERT INTO t VALUES (1)");
    expect([db.inTransaction, seenBy(other).rows]).toEqual([false, [1]]);
    // The first two sets are committed, the third is not, as in CPython.
    await rejection(db.executemany("INSERT INTO t VALUES (?)", [[2], [3], [1]]));
    expect([db.inTransaction, seenBy(other).rows]).toEqual([false, [1, 2, 3]]);
    await db.execute("BEGIN");
    await db.execute("INSERT INTO t VALUES (4)");
    expect([db.inTransaction, seenBy(other).rows]).toEqual([true, [1, 2, 3]]);
    await db.rollback();
    expect(seenBy(other).rows).toEqual([1, 2, 3]);
  });

  it("set between calls holds for the calls after it", async () => {
    const { db } = await pair(null);
    const first = db.execute("INSERT INTO t VALUES (1)");
    db.isolationLevel = "DEFERRED";
    const second = db.execute("INSERT INTO t VALUES (2)");
    await Promise.all([first, second]);
    await db.rollback();
    expect(await db.executeFetchall("SELECT a FROM t")).toEqual([[1]]);
  });

  it("set to null commits what was called before, as in CPython", async () => {
    const { db, other } = await pair();
    const before = db.execute("INSERT INTO t VALUES (1)");
    db.isolationLevel = null;
    const after = db.execute("INSERT INTO t VALUES (2)");
    await Promise.all([before, after]);
    expect([db.inTransaction, seenBy(other).rows]).toEqual([false, [1, 2]]);
  });

  it("set to null warns when the COMMIT fails, and inside transaction() leaves that transaction alone", async () => {
    const { db } = await pair();
    await db.transaction(async (tx) => {
      await tx.execute("INSERT INTO t VALUES (1)");
      tx.isolationLevel = null;
      await tx.execute("INSERT INTO t VALUES (2)");
      expect(tx.inTransaction).toBe(true);
    });
    db.isolationLevel = "DEFERRED";
    await db.executescript(
      "CREATE TABLE p (id PRIMARY KEY); CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    );
    await db.execute("INSERT INTO c VALUES (1)");
    const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
    db.isolationLevel = null;
    expect((await warned).message).toBe(
      "isolationLevel = null could not commit the open transaction: FOREIGN KEY constraint failed",
    );
    expect(db.inTransaction).toBe(true);
    await db.rollback();
  });

  it("waits for another connection's lock as long as the timeout says, also at BEGIN IMMEDIATE", async () => {
    const path = await temporaryPath();
    const other = openEngine(path);
    other.exec("CREATE TABLE t (a)");
    const db = await open(path, { isolationLevel: "IMMEDIATE", timeout: 60_000 });
    const hasty = await open(path, { isolationLevel: "IMMEDIATE", timeout: 0 });
    other.exec("BEGIN IMMEDIATE");
    const error = await rejection(hasty.execute("INSERT INTO t VALUES (1)"));
    expect(error).toBeInstanceOf(OperationalError);
    expect((error as OperationalError).code).toBe("SQLITE_BUSY");
    expect((error as Error).message).toBe("database is locked");
    expect(hasty.inTransaction).toBe(false);
    const waiting = db.execute("INSERT INTO t VALUES (2)");
    other.exec("COMMIT");
    await waiting;
    await db.commit();
    expect(other.prepare("SELECT a FROM t").pluck().all()).toEqual([2]);
  });
});

describe("commit and rollback", () => {
  it("without a transaction do nothing", async () => {
    const { db } = await pair();
    await db.commit();
    await db.rollback();
    await db.commit();
    expect(db.inTransaction).toBe(false);
  });

  it("keep their place among the calls of one tick", async () => {
    const { db, other } = await pair();
    await Promise.all([
      db.execute("INSERT INTO t VALUES (1)"),
      db.commit(),
      db.execute("INSERT INTO t VALUES (2)"),
      db.rollback(),
      db.execute("INSERT INTO t VALUES (3)"),
    ]);
    expect(seenBy(other).rows).toEqual([1]);
    expect(await db.executeFetchall("SELECT a FROM t ORDER BY a")).toEqual([[1], [3]]);
  });

  it("COMMIT that a deferred constraint refuses leaves the transaction open, as in CPython", async () => {
    const { db } = await pair();
    await db.executescript(
      "CREATE TABLE p (id PRIMARY KEY); CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    );
    await db.execute("INSERT INTO c VALUES (1)");
    expect(await rejection(db.commit())).toMatchObject({ code: "SQLITE_CONSTRAINT_FOREIGNKEY" });
    expect(db.inTransaction).toBe(true);
    await db.execute("INSERT INTO p VALUES (1)");
    await db.commit();
    expect(db.inTransaction).toBe(false);
  });
});

describe("executescript", () => {
  it("commits the open transaction first, and then runs in autocommit", async () => {
    const { db, other } = await pair();
    await db.execute("INSERT INTO t VALUES (1)");
    const cursor = await db.executescript(
      "INSERT INTO t VALUES (2); SELECT * FROM t; INSERT INTO t VALUES (3);",
    );
    expect([db.inTransaction, seenBy(other).rows]).toEqual([false, [1, 2, 3]]);
    expect([cursor.description, await cursor.fetchall()]).toEqual([null, []]);
  });

  it("commits first also when isolationLevel is null, and when the script has no statement", async () => {
    const { db } = await pair(null);
    await db.execute("BEGIN");
    await db.execute("INSERT INTO t VALUES (1)");
    await db.executescript("-- nothing");
    expect(db.inTransaction).toBe(false);
    expect(await db.executeFetchall("SELECT a FROM t")).toEqual([[1]]);
  });

  it("keeps what came before the statement that fails, and what it began", async () => {
    const { db } = await pair();
    const error = await rejection(
      db.executescript("INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"),
    );
    expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE" });
    expect(await db.executeFetchall("SELECT a FROM t")).toEqual([[1]]);
    await db.executescript("BEGIN; INSERT INTO t VALUES (5);");
    expect(db.inTransaction).toBe(true);
    await db.rollback();
    expect(await db.executeFetchall("SELECT a FROM t")).toEqual([[1]]);
  });

  it("runs triggers, semicolons in strings and comments whole", async () => {
    const { db } = await pair();
    await db.executescript(`
      CREATE TABLE log (a); -- a comment; with a semicolon
      CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a || ';'); INSERT INTO log VALUES ('b'); END;
      /* ; */ INSERT INTO t VALUES ('x;y')`);
    expect(await db.executeFetchall("SELECT a FROM log")).toEqual([["x;y;"], ["b"]]);
  });
});

describe("closing", () => {
  it("without commit rolls back", async () => {
    const { db, other } = await pair();
    await db.execute("INSERT INTO t VALUES (1)");
    await db.commit();
    await db.execute("INSERT INTO t VALUES (2)");
    await db.close();
    expect(seenBy(other)).toEqual({ rows: [1], write: true, read: true });
  });
});

describe("inTransaction and totalChanges", () => {
  it("are as of the latest answer", async () => {
    const { db } = await pair();
    expect([db.inTransaction, db.totalChanges]).toEqual([false, 0]);
    const pending = db.execute("INSERT INTO t VALUES (1), (2)");
    expect([db.inTransaction, db.totalChanges]).toEqual([false, 0]);
    await pending;
    expect([db.inTransaction, db.totalChanges]).toEqual([true, 2]);
    await db.execute("UPDATE t SET a = a + 10");
    expect(db.totalChanges).toBe(4);
    await db.rollback();
    // Rolled-back changes stay counted, as in SQLite.
    expect([db.inTransaction, db.totalChanges]).toEqual([false, 4]);
    await db.executemany("INSERT INTO t VALUES (?)", [[1], [2], [3]]);
    expect(db.totalChanges).toBe(7);
    await db.executescript("DELETE FROM t; INSERT INTO t VALUES (1)");
    expect([db.inTransaction, db.totalChanges]).toEqual([false, 11]);
    await db.executeFetchall("SELECT * FROM t");
    expect(db.totalChanges).toBe(11);
  });

  it("know of an ON CONFLICT ROLLBACK that ended the transaction", async () => {
    const { db } = await pair();
    await db.execute("INSERT INTO t VALUES (1)");
    const error = await rejection(db.execute("INSERT OR ROLLBACK INTO t VALUES (1)"));
    expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE", rolledBack: true });
    expect(db.inTransaction).toBe(false);
  });
});
