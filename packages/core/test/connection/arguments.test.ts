import {
  capabilities,
  type Connection,
  createPool,
  type Pool,
  SqliteError,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import { expect, it, onTestFinished } from "vitest";
import { open, temporaryPath } from "../support/database.ts";

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
