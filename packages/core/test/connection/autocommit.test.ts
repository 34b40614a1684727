import { type Connection, connect, createPool, LEGACY_TRANSACTION_CONTROL } from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { python } from "../support/python.ts";

/** The statements that run while `work` does. */
async function traced(db: Connection, work: () => unknown): Promise<string[]> {
  const texts: string[] = [];
  await db.setTraceCallback((sql) => texts.push(sql));
  await work();
  await db.setTraceCallback(null);
  return texts;
}

describe("autocommit", () => {
  it("is LEGACY_TRANSACTION_CONTROL unless it is set, and gives what it was set to", async () => {
    expect((await open()).autocommit).toBe(LEGACY_TRANSACTION_CONTROL);
    for (const autocommit of [true, false, LEGACY_TRANSACTION_CONTROL] as const) {
      expect((await open(":memory:", { autocommit })).autocommit).toBe(autocommit);
      const db = await open();
      db.autocommit = autocommit;
      expect(db.autocommit).toBe(autocommit);
    }
    for (const mode of ["a", 12, {}, null]) {
      const options = { autocommit: mode as never };
      expect(await rejection(connect(":memory:", options))).toMatchObject({
        name: "TypeError",
        message: "autocommit must be true, false, or LEGACY_TRANSACTION_CONTROL",
      });
      const db = await open();
      expect(() => (db.autocommit = mode as never)).toThrow(TypeError);
    }
  });

  it("false: a transaction is always open, and commit() and rollback() begin the next", async () => {
    const path = await temporaryPath();
    const db = await open(path, { autocommit: false });
    const other = openEngine(path);
    expect(db.inTransaction).toBe(true);
    await db.execute("CREATE TABLE t (a)");
    await db.commit();
    await db.execute("INSERT INTO t VALUES (1)");
    expect(other.prepare("SELECT count(*) FROM t").pluck().get()).toBe(0);
    await db.commit();
    expect([db.inTransaction, other.prepare("SELECT count(*) FROM t").pluck().get()]).toEqual([true, 1]);
    await db.execute("DELETE FROM t");
    await db.rollback();
    expect(await db.get("SELECT count(*) FROM t")).toEqual([1]);
    expect(
      await traced(db, async () => {
        await db.execute("SELECT 1");
        await db.executescript("SELECT 2");
        await db.commit();
        await db.rollback();
      }),
    ).toEqual(["SELECT 1", "SELECT 2", "COMMIT", "BEGIN", "ROLLBACK", "BEGIN"]);
    await db.execute("INSERT INTO t VALUES (2)");
    await db.close();
    expect(other.prepare("SELECT count(*) FROM t").pluck().get()).toBe(1);
  });

  it("false: what ends the transaction by itself makes commit() fail, as in CPython", async () => {
    const db = await open(":memory:", { autocommit: false });
    await db.execute("COMMIT");
    expect(await rejection(db.commit())).toMatchObject({
      name: "OperationalError",
      message: "cannot commit - no transaction is active",
    });
    expect(await rejection(db.rollback())).toMatchObject({
      message: "cannot rollback - no transaction is active",
    });
    expect(await rejection(db.transaction(async () => {}))).toMatchObject({ name: "ProgrammingError" });
  });

  it("true: each statement commits by itself, and commit() and rollback() do nothing", async () => {
    const db = await open(":memory:", { autocommit: true });
    expect(
      await traced(db, async () => {
        await db.execute("CREATE TABLE t (a)");
        await db.execute("INSERT INTO t VALUES (1)");
        expect(db.inTransaction).toBe(false);
        await db.executemany("INSERT INTO t VALUES (?)", [[2]]);
        await db.commit();
        await db.rollback();
        await db.execute("BEGIN");
        await db.executescript("SELECT 1");
        await db.commit();
      }),
    ).toEqual([
      "CREATE TABLE t (a)",
      "INSERT INTO t VALUES (1)",
      "INSERT INTO t VALUES (2)",
      "BEGIN",
      "SELECT 1",
    ]);
    expect(db.inTransaction).toBe(true);
    await db.execute("ROLLBACK");
    await db.transaction(async (tx) => void (await tx.execute("DELETE FROM t")));
    expect(await db.get("SELECT count(*) FROM t")).toEqual([0]);
  });

  it("commits when it becomes true, and begins when it becomes false, unless a transaction is open", async () => {
    const db = await open(":memory:", { autocommit: false });
    expect(await traced(db, () => (db.autocommit = true))).toEqual(["COMMIT"]);
    expect(db.inTransaction).toBe(false);
    expect(await traced(db, () => (db.autocommit = false))).toEqual(["BEGIN"]);
    expect(db.inTransaction).toBe(true);
    db.autocommit = true;
    expect(
      await traced(db, async () => {
        await db.execute("BEGIN DEFERRED");
        db.autocommit = false;
      }),
    ).toEqual(["BEGIN DEFERRED"]);
    db.autocommit = LEGACY_TRANSACTION_CONTROL;
    await db.commit();
    await db.execute("CREATE TABLE t (a)");
    expect(await traced(db, () => db.execute("INSERT INTO t VALUES (1)"))).toEqual([
      "BEGIN",
      "INSERT INTO t VALUES (1)",
    ]);
  });

  it("does what this machine's CPython does, where that has it", async () => {
    const program = `
if sys.version_info < (3, 12): print("null"); sys.exit()
out = []
for mode in (True, False):
  db = sqlite3.connect(":memory:", autocommit=mode); steps = [db.in_transaction]
  for step in ("create table t (a)", "insert into t values (1)", None, "insert into t values (2)", "script"):
    if step is None: db.commit()
    elif step == "script": db.executescript("select 1")
    else: db.execute(step)
    steps.append(db.in_transaction)
  db.rollback(); steps += [db.in_transaction, db.execute("select count(*) from t").fetchone()[0]]
  out.append(steps)
print(json.dumps(out))`;
    const ours: unknown[] = [];
    for (const autocommit of [true, false]) {
      const db = await open(":memory:", { autocommit });
      const steps: unknown[] = [db.inTransaction];
      for (const step of [
        "create table t (a)",
        "insert into t values (1)",
        null,
        "insert into t values (2)",
        "script",
      ]) {
        if (step === null) await db.commit();
        else if (step === "script") await db.executescript("select 1");
        else await db.execute(step);
        steps.push(db.inTransaction);
      }
      await db.rollback();
      steps.push(db.inTransaction, (await db.get<[number]>("select count(*) from t"))?.[0]);
      ours.push(steps);
    }
    expect(ours).toEqual(
      python(program) ?? [
        [false, false, false, false, false, false, false, 2],
        [true, true, true, true, true, true, true, 1],
      ],
    );
  });

  it("belongs to connections: a pool refuses the option, and a lease can be set", async () => {
    expect(await rejection(createPool(":memory:", { autocommit: false }))).toBeInstanceOf(TypeError);
    const pool = await createPool(await temporaryPath());
    onTestFinished(() => pool.close());
    await pool.exec("CREATE TABLE t (a)");
    const lease = await pool.acquire();
    lease.autocommit = false;
    await lease.execute("INSERT INTO t VALUES (1)");
    await lease.commit();
    await lease.execute("INSERT INTO t VALUES (2)");
    await lease.close();
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 1 });
    await using next = await pool.acquire();
    expect([next.autocommit, next.inTransaction]).toEqual([LEGACY_TRANSACTION_CONTROL, false]);
  });
});
