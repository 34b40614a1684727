import { connect, type Connection, createPool, WorkerCrashedError } from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { endless } from "../support/endless.ts";
import { open, rejection, temporaryPath } from "../support/database.ts";

const module = new URL("../fixtures/throws.mjs", import.meta.url);
const NO_TEXT = "what was thrown cannot be turned into text";

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** Values that a caller's code may throw; none can be converted to text. */
const thrown: readonly (readonly [what: string, value: unknown])[] = [
  ["an object without a prototype", Object.create(null)],
  ["a revoked proxy", revoked()],
  [
    "an error whose message throws",
    Object.defineProperty(new Error(), "message", {
      get() {
        throw new Error("from message");
      },
    }),
  ],
  ["an object whose toString gives no text", { toString: () => ({}), valueOf: () => ({}) }],
  ["a function", () => {}],
  ["a symbol", Symbol("s")],
  ["undefined", undefined],
  ["an error with a message that is no text", Object.assign(new Error(), { message: Symbol("m"), name: 1n })],
];

function thrower(value: unknown): () => never {
  return () => {
    throw value;
  };
}

/** Not by `rejects`: a failing assertion would look into the value. */
async function endsWith(work: PromiseLike<unknown>, value: unknown): Promise<string> {
  return await work.then(
    () => "fulfilled",
    (reason: unknown) => (Object.is(reason, value) ? "rejected with it" : "rejected with something else"),
  );
}

async function stillWorks(db: Connection): Promise<void> {
  expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
}

describe.each(thrown)("%s that a callback throws", (_, value) => {
  it("is the cause of the statement's error in a function, and rejects its own call only", async () => {
    const db = await open();
    await db.createFunction("f", 0, thrower(value));
    const calls = [
      db.executeFetchall("SELECT 1"),
      db.executeFetchall("SELECT f()"),
      db.executeFetchall("SELECT 2"),
    ];
    const [before, failed, after] = await Promise.allSettled(calls);
    expect(before).toEqual({ status: "fulfilled", value: [[1]] });
    expect(after).toEqual({ status: "fulfilled", value: [[2]] });
    const { reason } = failed as PromiseRejectedResult;
    expect(reason).toMatchObject({
      name: "OperationalError",
      message: "user-defined function raised exception",
    });
    if (value !== undefined) expect(Object.is((reason as Error).cause, value)).toBe(true);
  });

  it("rejects a backup from its progress callback", async () => {
    const db = await open();
    const target = await temporaryPath();
    expect(await endsWith(db.backup(target, { progress: thrower(value) }), value)).toBe("rejected with it");
    await stillWorks(db);
  });

  it("is a warning from a trace callback", async () => {
    const db = await open();
    const warning = new Promise<Error>((resolve) => process.once("warning", resolve));
    await db.setTraceCallback(thrower(value));
    await stillWorks(db);
    expect((await warning).message).toMatch(/^the trace callback threw: /);
  });

  it("is what a transaction() and an executemany() reject with, and what they did is undone", async () => {
    const db = await open(":memory:", { isolationLevel: null });
    await db.execute("CREATE TABLE t (a)");
    const pool = await createPool(await temporaryPath());
    onTestFinished(() => pool.close());
    await pool.exec("CREATE TABLE t (a)");
    const insert = "INSERT INTO t VALUES (1)";
    const sets = function* (): Generator<number[]> {
      yield [1];
      thrower(value)();
    };
    const work: (() => Promise<unknown>)[] = [
      () => db.transaction((tx) => tx.execute(insert).then(thrower(value))),
      () => db.transaction((tx) => tx.executemany("INSERT INTO t VALUES (?)", sets())),
      () => pool.transaction((tx) => tx.run(insert).then(thrower(value)), { retries: 1 }),
      () => pool.read(thrower(value)),
    ];
    for (const run of work) expect(await endsWith(run(), value)).toBe("rejected with it");
    expect(await db.executeFetchall("SELECT count(*) FROM t")).toEqual([[0]]);
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 0 });
  });

  it.runIf(value !== undefined)(
    "is the reason of a signal that gives up a call, waiting or not",
    async () => {
      const db = await open();
      const pool = await createPool(await temporaryPath());
      onTestFinished(() => pool.close());
      for (const target of [db, pool]) {
        const aborting = new AbortController();
        const { signal } = aborting;
        const sql = "SELECT 1";
        const calls =
          target === db
            ? [db.executeFetchall(sql, [], { signal }), db.execute(sql, [], { signal })]
            : [pool.get(sql, [], { signal }), pool.run(sql, [], { signal })];
        const endings = Promise.all(calls.map((call) => endsWith(call, value)));
        aborting.abort(value);
        expect(await endings).toEqual(calls.map(() => "rejected with it"));
      }
      await stillWorks(db);
      expect(await pool.get("SELECT 1 AS a")).toEqual({ a: 1 });
    },
  );

  it.skipIf(process.env.SQLITE_AIO_NATIVE === "off")("denies from an authorizer", async () => {
    const db = await open();
    await db.setAuthorizer(thrower(value));
    expect(await rejection(db.executeFetchall("SELECT 1"))).toMatchObject({ message: "not authorized" });
    await db.setAuthorizer(null);
    await stillWorks(db);
  });

  it.skipIf(process.env.SQLITE_AIO_NATIVE === "off")(
    "stops the statement from a progress handler",
    async () => {
      const db = await open();
      await db.setProgressHandler(thrower(value), 1);
      expect(await rejection(db.executeFetchall(endless))).toMatchObject({ code: "SQLITE_INTERRUPT" });
      await db.setProgressHandler(null, 1);
      await stillWorks(db);
    },
  );
});

describe("in the thread", () => {
  it.each(["bare", "revoked", "unreadable"])("a module's function may throw anything: %s", async (name) => {
    const db = await open();
    await db.createFunction("f", 0, module, { export: name });
    const error = await rejection(db.executeFetchall("SELECT f()"));
    expect(error).toMatchObject({
      message: "user-defined function raised exception",
      cause: { message: NO_TEXT },
    });
    await stillWorks(db);
  });

  it("an error of a module's function may have a name, a stack and a code that are no text", async () => {
    const db = await open();
    await db.createFunction("f", 0, module, { export: "oddError" });
    const error = await rejection(db.executeFetchall("SELECT f()"));
    expect(error).toMatchObject({ cause: { message: "odd" } });
    await stillWorks(db);
  });

  it("a setup module that throws something without a text fails to open", async () => {
    expect(await rejection(connect(":memory:", { setup: module }))).toMatchObject({
      name: "ProgrammingError",
      message: NO_TEXT,
    });
  });

  it("a thread that dies of something without a text is a crash like others, and a pool replaces it", async () => {
    const db = await open();
    await db.createFunction("later", 0, module, { export: "later" });
    expect(await db.executeFetchall("SELECT later()")).toEqual([[1]]);
    for (;;) {
      const outcome = await db.executeFetchall("SELECT 1").catch((error: unknown) => error);
      if (Array.isArray(outcome)) continue;
      expect(outcome).toBeInstanceOf(WorkerCrashedError);
      break;
    }
    const pool = await createPool(":memory:");
    onTestFinished(() => pool.close());
    await pool.createFunction("later", 0, module, { export: "later" });
    await pool.get("SELECT later()");
    while (pool.stats().respawned === 0) await pool.get("SELECT 1").catch(() => {});
    expect(await pool.get("SELECT 2 AS x")).toEqual({ x: 2 });
  });
});
