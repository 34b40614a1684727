import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, onTestFinished, test } from "vitest";
import { codeOf, type Database, native, open } from "./engine.ts";
import { packet, readAll, rest } from "./reading.ts";
import { compileExtension } from "../../core/test/support/compiled-extensions.ts";
import { timeFactor } from "../../core/test/support/time-factor.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "sqlite-aio-native-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** Number of files below `path` that this process has open. Linux only. */
function openFiles(path: string): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(path);
    } catch {
      return false;
    }
  }).length;
}

/** Engines that the tests of core have installed. */
const requireOfCore = createRequire(new URL("../../core/package.json", import.meta.url));

const onLinux = process.platform === "linux";

function guarded(path?: string): ReturnType<typeof open> {
  const handle = open(path);
  handle.db.exec("create table t (a); insert into t values (1), (2), (3)");
  native.guard(handle.db, handle.token, true);
  return handle;
}

/** An error that differs from all others. */
class Own extends Error {}

describe("a function that throws inside of a statement", () => {
  const thrower = (): ReturnType<typeof open> & { thrown: Own } => {
    const thrown = new Own("boom");
    const handle = guarded();
    handle.db.function("boom", {}, (a: unknown) => {
      if (a === 2) throw thrown;
      return a;
    });
    return { ...handle, thrown };
  };
  /** Returns what is thrown, and checks that the engine still works. */
  const outcome = (handle: ReturnType<typeof open>, work: () => unknown): unknown => {
    let thrown: unknown;
    try {
      work();
    } catch (error) {
      thrown = error;
    }
    expect(handle.db.prepare("select 5").pluck().get()).toBe(5);
    expect(codeOf(() => handle.db.exec("select"))).toBe("SQLITE_ERROR");
    expect(readAll(handle.token, "select 6").rows).toEqual([[6]]);
    return thrown;
  };

  test("throws its own error from a read, behind the rows that came before", () => {
    using handle = thrower();
    const { id } = native.prepare(handle.token, "select boom(a) from t")!;
    expect(outcome(handle, () => rest(handle.token, id, { limit: 100 }))).toBe(handle.thrown);
    expect(outcome(handle, () => readAll(handle.token, "select boom(2)"))).toBe(handle.thrown);
  });

  test("throws its own error from a bulk write, which tells its set", () => {
    using handle = thrower();
    const { id } = native.prepare(handle.token, "insert into t values (boom(?))")!;
    const progress = new Float64Array(2);
    expect(
      outcome(handle, () => native.runMany(handle.token, id, packet([[1], [2], [3]]), 0, progress)),
    ).toBe(handle.thrown);
    expect([...progress]).toEqual([1, 1]);
  });

  test("throws its own error from a run of small statements", () => {
    using handle = thrower();
    const { id } = native.prepare(handle.token, "select boom(?)")!;
    const cells = new Float64Array(100);
    const work = (): unknown =>
      native.runPoints(
        handle.token,
        3,
        new Float64Array([id, 1, 0, 1, 1, 1, id, 1, 0, 1, 1, 2, id, 1, 0, 1, 1, 3]),
        0,
        new Uint8Array(),
        0,
        cells,
        new Uint8Array(100),
        new Uint8Array(100),
      );
    expect(outcome(handle, work)).toBe(handle.thrown);
    expect(cells[0]).toBe(1);
  });

  test("throws its own error from a run of small writes, which goes on behind it", () => {
    using handle = thrower();
    const { id } = native.prepare(handle.token, "insert into t values (boom(?))")!;
    const cells = new Float64Array(100);
    const input = new Float64Array([1, 2, 3].flatMap((value) => [id, 0, 0, 1, 1, value]));
    const work = (count: number, from: number) => (): void =>
      native.runPoints(
        handle.token,
        count,
        input,
        from,
        new Uint8Array(),
        0,
        cells,
        new Uint8Array(100),
        new Uint8Array(100),
      );
    expect(outcome(handle, work(3, 0))).toBe(handle.thrown);
    expect([...cells.subarray(0, 5)]).toEqual([1, 12, 0, 1, 0]);
    work(1, cells[1]!)();
    expect(cells[0]).toBe(1);
  });

  test("may throw what is no error", () => {
    using handle = guarded();
    handle.db.function("odd", {}, () => {
      throw "a text";
    });
    expect(outcome(handle, () => readAll(handle.token, "select odd()"))).toBe("a text");
  });
});

test("a function that closes, uses or prepares on its database inside of a statement is refused, as better-sqlite3 does", () => {
  using handle = guarded();
  const tries: Record<string, () => unknown> = {
    close: () => handle.db.close(),
    exec: () => handle.db.exec("insert into t values (9)"),
    prepare: () => native.prepare(handle.token, "select 1"),
    finalize: () => native.finalize(handle.token),
    rows: () => readAll(handle.token, "select 1"),
  };
  for (const [name, work] of Object.entries(tries)) handle.db.function(`try_${name}`, {}, work);
  const refusals = Object.keys(tries).map((name) => {
    try {
      readAll(handle.token, `select try_${name}() from t`);
      return "nothing";
    } catch (error) {
      return (error as Error).message;
    }
  });
  expect(refusals).toEqual([
    expect.stringContaining("busy"),
    expect.stringContaining("busy"),
    "Not while a statement of the handle is running",
    "Not while a statement of the handle is running",
    "Not while a statement of the handle is running",
  ]);
  expect(handle.db.open).toBe(true);
  expect(readAll(handle.token, "select count(*) from t").rows).toEqual([[3]]);
});

test("a statement of one handle may run inside of a function of another's", () => {
  using outer = guarded();
  using inner = guarded();
  inner.db.function("twice", {}, (a: number) => 2 * a);
  outer.db.function("inner", {}, () => readAll(inner.token, "select twice(21)").rows[0]![0]);
  expect(readAll(outer.token, "select inner(), a from t").rows).toEqual([
    [42, 1],
    [42, 2],
    [42, 3],
  ]);
});

test("the guard's function does nothing when somebody else calls it", () => {
  using handle = guarded();
  expect(handle.db.prepare("select sqlite_aio_guard()").pluck().get()).toBeNull();
  handle.db.exec("create view v as select sqlite_aio_guard()");
  expect(codeOf(() => readAll(handle.token, "select * from v"))).toBe("SQLITE_ERROR");
});

test("work that its guard does not let be done is an error, and can be done without the guard", () => {
  using handle = open();
  const idle = { prepare: () => ({ pluck: () => ({ get: () => null }) }) };
  native.guard(idle, handle.token, true);
  expect(() => native.prepare(handle.token, "select 1")).toThrow(
    expect.objectContaining({
      code: "SQLITE_MISUSE",
      message: "The guard of the handle did not call sqlite_aio_guard()",
    }),
  );
  native.guard(idle, handle.token, false);
  expect(readAll(handle.token, "select 1").rows).toEqual([[1]]);
});

test("an error of SQLite's in guarded work is the same as without the guard", () => {
  using handle = guarded();
  handle.db.exec("create table u (a unique)");
  for (const on of [true, false]) {
    native.guard(handle.db, handle.token, on);
    expect(() => readAll(handle.token, "insert into u values (1), (1)")).toThrow(
      expect.objectContaining({ code: "SQLITE_CONSTRAINT_UNIQUE", message: "UNIQUE constraint failed: u.a" }),
    );
    expect(() => native.prepare(handle.token, "select missing")).toThrow(
      expect.objectContaining({ code: "SQLITE_ERROR", message: "no such column: missing" }),
    );
  }
});

test("an authorizer that throws denies, and one that uses its handle is refused", () => {
  using handle = guarded();
  native.setAuthorizer(handle.token, () => {
    throw new Own("no");
  });
  expect(codeOf(() => native.prepare(handle.token, "select a from t"))).toBe("SQLITE_AUTH");
  let seen: unknown;
  native.setAuthorizer(handle.token, () => {
    seen ??= codeOf(() => native.prepare(handle.token, "select 1"));
    return 0;
  });
  expect(native.prepare(handle.token, "select a from t")).toMatchObject({ columns: 1 });
  expect(seen).toBe("ERR_SQLITE_AIO_NATIVE_BUSY");
  native.setAuthorizer(handle.token, null);
  expect(handle.db.prepare("select count(*) from t").pluck().get()).toBe(3);
});

test("an authorizer that comes later is asked when a statement is compiled anew", () => {
  using handle = guarded();
  const { id } = native.prepare(handle.token, "select a from t")!;
  native.setAuthorizer(handle.token, (action) => (action === 20 ? 1 : 0));
  expect(codeOf(() => rest(handle.token, id))).toBe("SQLITE_AUTH");
});

describe.runIf(onLinux)("closing a handle with open statements", () => {
  test("finalizes them, and leaves no file open", () => {
    const path = folder();
    const handle = open(join(path, "test.db"));
    handle.db.exec("pragma journal_mode = wal; create table t (a); insert into t values (1), (2)");
    const { id } = native.prepare(handle.token, "select a from t")!;
    native.rows(handle.token, id, 1, 1000, 0, false);
    native.prepare(handle.token, "insert into t values (1)");
    expect(openFiles(path)).toBeGreaterThan(0);
    handle.db.close();
    expect(openFiles(path)).toBe(0);
    expect(codeOf(() => native.rows(handle.token, id, 1, 1000, 0, false))).toBe(
      "ERR_SQLITE_AIO_NATIVE_CLOSED",
    );
  });

  test("of a thread that is terminated leaves no file open, however many times", async () => {
    const path = folder();
    for (let round = 0; round < 8; round++) {
      await halfRead(path, "");
      expect(openFiles(path)).toBe(0);
    }
  });

  test("leaves no file open where an extension has taken the trace, after a finalize or with the thread", async () => {
    const path = folder();
    const extension = traceExtension(path);
    const handle = open(join(path, "test.db"));
    handle.db.exec("create table t (a); insert into t values (1), (2)");
    native.prepare(handle.token, "select a from t");
    handle.db.loadExtension(extension);
    native.finalize(handle.token);
    handle.db.close();
    expect(openFiles(join(path, "test.db"))).toBe(0);
    await halfRead(path, extension);
    expect(openFiles(join(path, "test.db"))).toBe(0);
  });

  test("happens by itself when the database is collected", () => {
    const path = folder();
    const script = fileURLToPath(new URL("collected.ts", import.meta.url));
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ["--expose-gc", script, join(path, "test.db")],
      {
        encoding: "utf8",
      },
    );
    expect([stderr, status]).toEqual(["", 0]);
    expect(JSON.parse(stdout)).toEqual({ files: 0, code: "ERR_SQLITE_AIO_NATIVE_CLOSED" });
  });
});

test("a thread is terminated at once inside of a step when it is interrupted", async () => {
  const worker = new Worker(new URL("half-read.ts", import.meta.url), {
    workerData: { endless: true, path: ":memory:" },
  });
  const [token] = (await once(worker, "message")) as [number];
  const asked = performance.now();
  const ended = worker.terminate();
  // Interrupts until there is nothing left to interrupt: an interrupt before the step has no effect.
  while (native.interrupt(token)) await new Promise((resolve) => setTimeout(resolve, 1));
  await ended;
  expect(performance.now() - asked).toBeLessThan(5_000 * timeFactor());
});

test("beside a half-read statement the handle writes and commits, and what SQLite forbids throws", () => {
  using handle = guarded();
  const { id } = native.prepare(handle.token, "select a from t order by a")!;
  native.rows(handle.token, id, 1, 1000, 0, false);
  handle.db.exec("insert into t values (4)");
  handle.db.exec("begin; insert into t values (5); commit");
  expect(codeOf(() => handle.db.exec("drop table t"))).toBe("SQLITE_LOCKED");
  expect(codeOf(() => handle.db.exec("vacuum"))).toBe("SQLITE_ERROR");
  handle.db.exec("begin; insert into t values (6); rollback");
  expect(["SQLITE_ABORT_ROLLBACK", undefined]).toContain(codeOf(() => rest(handle.token, id)));
  native.reset(handle.token, id);
  handle.db.exec("drop table t");
});

test.each(["better-sqlite3-multiple-ciphers", "libsql"])("%s is read by its own functions", (name) => {
  const Other = requireOfCore(name) as typeof Database;
  const db = new Other(join(folder(), "test.db"));
  const token = native.attach(db);
  db.exec("create table t (a, b); insert into t values (1, 'é'), (2, null)");
  expect(readAll(token, "select * from t").rows).toEqual([
    [1, "é"],
    [2, null],
  ]);
  const { id } = native.prepare(token, "select a from t")!;
  native.rows(token, id, 1, 1000, 0, false);
  native.finalize(token);
  db.close();
});

/** Terminates a thread that has read one of two rows. */
async function halfRead(path: string, extension: string): Promise<void> {
  const worker = new Worker(new URL("half-read.ts", import.meta.url), {
    workerData: { path: join(path, "test.db"), extension, endless: false },
  });
  await once(worker, "message");
  await worker.terminate();
}

/** An extension that sets its own trace when it is loaded. */
function traceExtension(path: string): string {
  const source = join(path, "trace.c");
  const binary = join(path, "trace.so");
  writeFileSync(
    source,
    `#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1
static int traced(unsigned what, void *context, void *p, void *x) { (void)what; (void)context; (void)p; (void)x; return 0; }
int sqlite3_trace_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  (void)message;
  SQLITE_EXTENSION_INIT2(api)
  return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, traced, 0);
}
`,
  );
  compileExtension(source, binary);
  return binary;
}
