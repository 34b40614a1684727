import {
  capabilities,
  connect,
  type Connection,
  createPool,
  type Pool,
  SqliteError,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import { expect, it, onTestFinished } from "vitest";
import { open, rejection, temporaryPath } from "../support/database.ts";

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** Values that no call accepts, or only for one argument. */
const odd: readonly unknown[] = [
  () => true,
  Symbol("s"),
  10n ** 30n,
  Number.NaN,
  true,
  Object.create(null),
  revoked(),
  new Map([[1, 2]]),
  new WeakMap(),
  [() => 1],
  { signal: {}, timeout: "1", export: Symbol("e"), progress: 1, mode: [], pages: () => 1 },
  new Proxy(() => {}, {}),
  "\0",
  "\ud800",
  new URL("data:text/plain,x"),
  null,
  undefined,
];

type Method = readonly [name: string, ...args: unknown[]];

const ofConnection: readonly Method[] = [
  ["execute", "SELECT ?", [1], {}],
  ["executemany", "INSERT INTO t VALUES (?)", [[1]], {}],
  ["executescript", "SELECT 1", {}],
  ["executeFetchall", "SELECT ?", [1], {}],
  ["executeInsert", "INSERT INTO t VALUES (?)", [1], {}],
  ["commit", {}],
  ["rollback", {}],
  ["transaction", () => 1, {}],
  ["createFunction", "f", 0, () => 1, {}],
  ["enableLoadExtension", false, {}],
  ["loadExtension", "nothing", "entry", {}],
  ["setTraceCallback", null],
  ["setProgressHandler", null, 1],
  ["setAuthorizer", null, {}],
  ["backup", "", {}],
  ["serialize", {}],
  ["get", "SELECT ?", [1], {}],
  ["run", "INSERT INTO t VALUES (?)", [1], {}],
  ["describe", "SELECT 1", {}],
  ["iterdump", {}],
  ["deserialize", new Uint8Array(8), {}],
  ["blobopen", "t", "x", 1, {}],
  ["createAggregate", "g", 1, null, {}],
  ["createWindowFunction", "w", 1, null, {}],
  ["createCollation", "c", null, {}],
  ["createTable", "v", null, {}],
  ["setlimit", 0, 1_000_000, {}],
  ["getlimit", 0, {}],
  ["setconfig", 1002, true, {}],
  ["getconfig", 1002, {}],
  ["setUpdateHook", null, {}],
  ["setCommitHook", null, {}],
  ["setRollbackHook", null, {}],
];
const ofCursor: readonly Method[] = [
  ["execute", "SELECT ?", [1], {}],
  ["executemany", "INSERT INTO t VALUES (?)", [[1]], {}],
  ["executescript", "SELECT 1", {}],
  ["fetchone", {}],
  ["fetchmany", 1, {}],
  ["fetchall", {}],
];
const ofPool: readonly Method[] = [
  ["run", "INSERT INTO t VALUES (?)", [1], {}],
  ["get", "SELECT ?", [1], {}],
  ["all", "SELECT ?", [1], {}],
  ["execute", "SELECT ?", [1], {}],
  ["exec", "SELECT 1", {}],
  ["transaction", () => 1, {}],
  ["read", () => 1, {}],
  ["createFunction", "f", 0, () => 1, {}],
  ["executemany", "INSERT INTO t VALUES (?)", [[1]], {}],
  ["backup", "", {}],
  ["serialize", {}],
  ["iterdump", {}],
  ["prepare", "SELECT 1"],
  ["pragma", "user_version", {}],
  ["watch", "SELECT 1", [], {}],
  ["createAggregate", "g", 1, null, {}],
  ["createCollation", "c", null, {}],
  ["release", null],
];

/**
 * Calls `method` with each odd value for each argument, and returns the calls whose error does not say what was wrong.
 */
async function unclear(
  target: object,
  methods: readonly Method[],
  check: () => Promise<void>,
  after = async (): Promise<void> => {},
): Promise<string[]> {
  const bad: string[] = [];
  for (const [name, ...args] of methods) {
    for (let at = 0; at < args.length; at++) {
      for (const [i, value] of odd.entries()) {
        const given = args.with(at, value);
        const neighbour = check();
        try {
          await (Reflect.get(target, name) as (...all: unknown[]) => unknown).apply(target, given);
        } catch (error) {
          if (!isClear(error)) bad.push(`${name}, argument ${at}, value ${i}: ${describe(error)}`);
        }
        await neighbour;
        await after();
      }
    }
  }
  return bad;
}

function isClear(error: unknown): boolean {
  if (error instanceof WorkerCrashedError) return false;
  if (error instanceof SqliteError) return true;
  const own = error instanceof TypeError || error instanceof RangeError;
  return own && !/Cannot (?!perform)|is not a function|not iterable|of undefined/.test(error.message);
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : typeof error;
}

it("a connection answers wrong arguments with a clear error, and nobody else's call is lost", async () => {
  const db: Connection = await open(await temporaryPath(), { isolationLevel: null });
  await db.executescript("CREATE TABLE t (x)");
  const check = async (): Promise<void> => expect(await db.executeFetchall("SELECT 7")).toEqual([[7]]);
  // A function among the values may have become one.
  const after = async (): Promise<void> => {
    if (capabilities.authorizer) await db.setAuthorizer(null);
  };
  expect(await unclear(db, ofConnection, check, after)).toEqual([]);
  const cursor = await db.cursor();
  expect(await unclear(cursor, ofCursor, check)).toEqual([]);
});

it("a pool answers wrong arguments with a clear error, and nobody else's call is lost", async () => {
  const pool: Pool = await createPool(await temporaryPath());
  onTestFinished(() => pool.close());
  await pool.exec("CREATE TABLE t (x)");
  const check = async (): Promise<void> => expect(await pool.get("SELECT 7 AS x")).toEqual({ x: 7 });
  expect(await unclear(pool, ofPool, check)).toEqual([]);
  expect(pool.stats().respawned).toBe(0);
});

/** What needs the companion, with an argument that is wrong with it, too. */
const WRONG: readonly Method[] = [
  ["createCollation", 5, () => 0],
  ["createCollation", "c", "no function"],
  ["createCollation", "c", () => 0, { name: "x" }],
  ["createFunction", "f", 0, "no function", { innocuous: true }],
  ["setAuthorizer", "no function"],
  ["setAuthorizer", () => 0, { name: "x" }],
  ["setAuthorizer", () => 0, { export: "x" }],
  ["setProgressHandler", "no function", 1],
  ["setProgressHandler", () => false, 0],
  ["setUpdateHook", "no function"],
  ["setCommitHook", null, { timeout: "1" }],
  ["setRollbackHook", null, { time: 1 }],
  ["setlimit", "length", 1],
  ["setlimit", 0, 2 ** 40],
  ["getlimit", 0, { timeout: -1 }],
  ["setconfig", 1, true],
  ["setconfig", 1002, "on"],
  ["getconfig", "trigger"],
  ["blobopen", "t", "x", "first"],
  ["blobopen", "t", "x", 1, { readonly: 1 }],
  ["blobopen", "t", "x", 1, { signal: 1 }],
];

it.each(WRONG)("%s() tells wrong arguments before a missing companion: %o, %o, %o", async (name, ...args) => {
  const db = await open();
  const call = Reflect.get(db, name as string) as (...all: unknown[]) => unknown;
  expect((await rejection(() => call.apply(db, args))) as object).toSatisfy(isWrongArgument);
});

it("options tell what is wrong before a missing companion", async () => {
  for (const [database, options] of [
    [{ memory: "a" }, { timeout: "1" }],
    [{ memory: "a" }, { maxQueue: 0 }],
    [":memory:", { limits: { length: "1" } }],
    [":memory:", { limits: {}, timout: 1 }],
    [":memory:", { doubleQuotedStrings: 1 }],
    [":memory:", { doubleQuotedStrings: true, setup: "./setup.js" }],
    [await temporaryPath(), { readonly: "immutable", isolationLevel: 5 }],
  ] as const)
    for (const opening of [connect, createPool])
      expect((await rejection(() => opening(database, options as object))) as object).toSatisfy(
        isWrongArgument,
      );
});

it("a pool tells a wrong listener before a missing companion, and keeps nothing for it", async () => {
  const pool: Pool = await createPool(":memory:");
  onTestFinished(() => pool.close());
  for (const listen of [pool.on, pool.once]) {
    expect(() => listen.call(pool, "change", "no function" as never)).toThrow(
      new TypeError('the listener of "change" must be a function'),
    );
    expect(() => listen.call(pool, "close" as never, () => {})).toThrow(TypeError);
  }
});

function isWrongArgument(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError;
}
