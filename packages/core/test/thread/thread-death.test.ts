import { getEventListeners } from "node:events";
import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { connect, type Connection, OperationalError, WorkerCrashedError } from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { open, openEngine, rejection, temporaryFolder, temporaryPath } from "../support/database.ts";

const deadly = new URL("../fixtures/deadly.mjs", import.meta.url);
const unreadable = new URL("../fixtures/unreadable.mjs", import.meta.url);
const SLOW =
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200) SELECT sum(tick(i)) FROM n";

/** A connection, and the thread it runs in, which has served no other. */
async function withWorker(path = ":memory:"): Promise<{ db: Connection; worker: Worker }> {
  let worker!: Worker;
  const db = await open(path, { createWorker: (url, options) => (worker = new Worker(url, options)) });
  return { db, worker };
}

/** One name for how a call ended. */
async function ending(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "answered";
  } catch (error) {
    return error instanceof WorkerCrashedError ? error.outcome : (error as Error).name;
  }
}

/** Keeps this thread, and so its loop, until there is a file of that name. */
function blockUntil(file: string): void {
  const deadline = performance.now() + 5000;
  while (!existsSync(file)) if (performance.now() > deadline) throw new Error(`there is no ${file}`);
}

describe("a thread that dies", () => {
  it("in a module's function: what ran may have happened, what waited has not begun", async () => {
    const path = await temporaryPath();
    const db = await open(path, { isolationLevel: null });
    await db.executescript("CREATE TABLE t (x)");
    await db.createFunction("die", 0, deadly, { export: "die" });
    const calls = [
      db.execute("INSERT INTO t VALUES (1)"),
      db.executeFetchall("SELECT die()"),
      db.execute("INSERT INTO t VALUES (2)"),
      db.executemany("INSERT INTO t VALUES (?)", [[3]]),
      db.executescript("INSERT INTO t VALUES (4)"),
      db.transaction((tx) => tx.execute("INSERT INTO t VALUES (5)")),
      db.createFunction("f", 0, () => 1),
      db.backup(`${path}.copy`),
      db.commit(),
    ];
    const endings = await Promise.all(calls.map(ending));
    expect(endings[0]).toMatch(/answered|unknown/);
    expect(endings.slice(1)).toEqual(["unknown", ...Array.from({ length: 7 }, () => "not-started")]);
    expect(openEngine(path).prepare("SELECT x FROM t").pluck().all()).toEqual([1]);
    const error = await rejection(db.execute("INSERT INTO t VALUES (6)"));
    expect(error).toBeInstanceOf(WorkerCrashedError);
    expect(error).toBeInstanceOf(OperationalError);
    expect(error).toMatchObject({
      outcome: "not-started",
      code: "SQLITE_AIO_CRASHED",
      cause: expect.any(Error),
    });
    expect((error as Error).message).toContain("exited with code 3");
    expect(db.inTransaction).toBe(false);
    await db.close();
    expect(await rejection(db.execute("SELECT 1"))).toMatchObject({ message: "Connection closed" });
  });

  it("by worker.terminate(), while a statement runs and others wait", async () => {
    const { db, worker } = await withWorker();
    let ticks = 0;
    await db.createFunction("tick", 1, (x: number) => {
      if (++ticks === 10) void worker.terminate();
      return x;
    });
    const calls = [db.executeFetchall(SLOW), db.executeFetchall("SELECT 1"), db.execute("SELECT 2")];
    expect(await Promise.all(calls.map(ending))).toEqual(["unknown", "not-started", "not-started"]);
    expect(await ending(db.execute("SELECT 3"))).toBe("not-started");
  });

  it("by worker.terminate(), while it is idle", async () => {
    const { db, worker } = await withWorker();
    const cursor = await db.execute(SLOW.replace("sum(tick(i))", "i"));
    await worker.terminate();
    expect(await ending(db.execute("SELECT 1"))).toBe("not-started");
    const { signal } = new AbortController();
    expect(await ending(db.execute("SELECT 1", [], { signal }))).toBe("not-started");
    expect(getEventListeners(signal, "abort")).toEqual([]);
    expect(await ending(cursor.fetchall())).toBe("not-started");
    await cursor.close();
    await db.close();
  });

  it("inside a transaction ends that too, and those that wait for it", async () => {
    const path = await temporaryPath();
    const { db, worker } = await withWorker(path);
    await db.executescript("CREATE TABLE t (x)");
    const transaction = db.transaction(async (tx) => {
      await tx.execute("INSERT INTO t VALUES (1)");
      await worker.terminate();
      await tx.execute("INSERT INTO t VALUES (2)");
    });
    const waiting = db.execute("INSERT INTO t VALUES (3)");
    const second = db.transaction((tx) => tx.execute("INSERT INTO t VALUES (4)"));
    expect(await Promise.all([transaction, waiting, second].map(ending))).toEqual([
      "not-started",
      "not-started",
      "not-started",
    ]);
    expect(openEngine(path).prepare("SELECT x FROM t").pluck().all()).toEqual([]);
  });

  it("while a transaction is rolled back: that rejects with what the callback threw", async () => {
    const path = await temporaryPath();
    const { db, worker } = await withWorker(path);
    await db.executescript("CREATE TABLE t (x)");
    const boom = new Error("enough");
    await db.createFunction("stop", 0, () => {
      void worker.terminate();
      return 1;
    });
    const error = await rejection(
      db.transaction(async (tx) => {
        await tx.execute("INSERT INTO t VALUES (1)");
        // The thread does not get beyond it, and so not to the ROLLBACK.
        tx.execute("SELECT stop()").catch(() => {});
        throw boom;
      }),
    );
    expect(error).toBe(boom);
    expect(openEngine(path).prepare("SELECT x FROM t").pluck().all()).toEqual([]);
  });

  it("after it has answered: what was kept for a later turn of the loop counts", async () => {
    const folder = await temporaryFolder();
    const db = await open();
    await db.createFunction("leave", 2, deadly, { export: "leave" });
    const CALLS = 6;
    const over = `${folder}/over`;
    const answers: Promise<unknown>[] = [];
    const block = (file: string): void => {
      blockUntil(file);
      // The answer leaves a moment later, or the thread ends.
      const until = performance.now() + (file === over ? 30 : 3);
      while (performance.now() < until);
    };
    // Two calls are under way at any time, and both are answered before the loop goes on.
    const ask = (i: number): void => {
      const last = i === CALLS - 1;
      answers[i] = db
        .executeFetchall("SELECT leave(?, ?)", [`${folder}/${i}`, last ? over : null])
        .then((rows) => {
          if (last) return rows;
          if (i + 2 < CALLS) ask(i + 2);
          // As soon as the answer is posted.
          const next = i + 3 < CALLS ? `${folder}/${i + 2}` : over;
          queueMicrotask(() => process.nextTick(() => process.nextTick(block, next)));
          return rows;
        });
    };
    ask(0);
    await new Promise<void>((resolve) => {
      process.nextTick(() => process.nextTick(resolve));
    });
    ask(1);
    for (let i = 0; i < CALLS; i++) expect(await answers[i], String(i)).toEqual([[1]]);
    expect(await ending(db.execute("SELECT 1"))).toMatch(/not-started|unknown/);
  });

  it("of too little heap", async () => {
    const db = await open(":memory:", {
      resourceLimits: { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 },
    });
    await db.createFunction("devour", 0, deadly, { export: "devour" });
    const error = await rejection(db.executeFetchall("SELECT devour()"));
    expect(error).toMatchObject({ name: "WorkerCrashedError", outcome: "unknown" });
    expect((error as Error).cause).toMatchObject({ code: "ERR_WORKER_OUT_OF_MEMORY" });
  });

  it("of an exception that nobody caught there", async () => {
    const db = await open();
    await db.createFunction("throw_later", 0, deadly, { export: "throwLater" });
    // The answer may be faster than the exception.
    const error = await rejection(async () => {
      await db.executeFetchall("SELECT throw_later()");
      for (;;) await db.executeFetchall("SELECT 1");
    });
    expect(error).toMatchObject({ name: "WorkerCrashedError" });
    expect((error as Error).cause).toMatchObject({ name: "RangeError", message: "nobody catches this" });
  });

  it("while it opens", async () => {
    const dying = rejection(
      connect(":memory:", { setup: new URL("../fixtures/setup-dies.mjs", import.meta.url) }),
    );
    expect(await dying).toMatchObject({
      name: "WorkerCrashedError",
      message: expect.stringContaining("code 4"),
    });
    const terminated = rejection(
      connect(":memory:", {
        createWorker: (url, options) => {
          const worker = new Worker(url, options);
          void worker.terminate();
          return worker;
        },
      }),
    );
    expect(await terminated).toMatchObject({ name: "WorkerCrashedError" });
  });

  it("before it has begun to run any code", async () => {
    const error = await rejection(
      connect(":memory:", {
        createWorker: (_url, options) =>
          new Worker("throw new RangeError('no start')", { ...options, eval: true }),
      }),
    );
    expect(error).toMatchObject({ name: "WorkerCrashedError" });
    expect((error as Error).cause).toMatchObject({ name: "RangeError", message: "no start" });
  });

  it("leaves the connections beside it alone", async () => {
    const path = await temporaryPath();
    const { db, worker } = await withWorker(path);
    const other = await open(path);
    await db.executescript("CREATE TABLE t (x)");
    await Promise.all([worker.terminate(), other.execute("INSERT INTO t VALUES (1)")]);
    await other.commit();
    expect(await other.executeFetchall("SELECT x FROM t")).toEqual([[1]]);
  });
});

describe("a thread that cannot be talked to any more is ended, and so is its connection:", () => {
  /** A connection whose frames go through `damage` once that is asked for. */
  async function damaged(
    damage: (message: unknown) => unknown,
  ): Promise<{ db: Connection; begin: () => void }> {
    let damages = false;
    const db = await open(":memory:", {
      createWorker: (url, options) => {
        const worker = new Worker(url, options);
        const post = worker.postMessage.bind(worker);
        worker.postMessage = (message, transfer) =>
          post(damages ? damage(message) : message, transfer as ArrayBuffer[]);
        return worker;
      },
    });
    return {
      db,
      begin: () => {
        damages = true;
      },
    };
  }

  it("a frame that the thread cannot read", async () => {
    const { db, begin } = await damaged((message) => [(message as unknown[])[0], [99]]);
    begin();
    const error = await rejection(db.executeFetchall("SELECT 1"));
    expect(error).toBeInstanceOf(WorkerCrashedError);
    expect(error).toMatchObject({ outcome: "not-started", cause: { name: "UsageError" } });
    expect(await ending(db.execute("SELECT 1"))).toBe("not-started");
  });

  it("an answer that is no reply", async () => {
    const { db } = await withWorker();
    await db.createFunction("malformed", 0, unreadable, { export: "malformed" });
    const error = await rejection(db.executeFetchall("SELECT malformed()"));
    expect(error).toBeInstanceOf(WorkerCrashedError);
    expect(error).toMatchObject({ outcome: "unknown", cause: { code: "PROTOCOL" } });
  });

  it("a message that cannot be deserialized, whether it is waited for or looked for", async () => {
    for (const name of [null, await temporaryPath("posted")]) {
      const { db } = await withWorker();
      await db.createFunction("unreadable", 1, unreadable, { export: "unreadable" });
      const call = rejection(db.executeFetchall("SELECT unreadable(?)", [name]));
      // In the turn in which answers are looked for, and before they are.
      if (name !== null) setImmediate(blockUntil, name);
      const error = await call;
      expect(error).toBeInstanceOf(WorkerCrashedError);
      expect(error).toMatchObject({ outcome: "unknown" });
      expect((error as Error).message).toContain("Unknown deserialize spec");
      expect(await ending(db.execute("SELECT 1"))).toBe("not-started");
    }
  });
});

describe("createWorker", () => {
  it("is given the entry file and the options that the thread needs", async () => {
    const seen: unknown[] = [];
    const db = await open(":memory:", {
      resourceLimits: { maxOldGenerationSizeMb: 200 },
      createWorker: (url, options) => {
        seen.push(url.href, options.resourceLimits, Object.keys(options).toSorted());
        return new Worker(url, { ...options, name: "mine" });
      },
    });
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
    expect(seen).toEqual([
      expect.stringMatching(/worker\/dist\/[a-z-]+\.js$/),
      { maxOldGenerationSizeMb: 200 },
      ["env", "execArgv", "name", "resourceLimits", "transferList", "workerData"],
    ]);
  });

  it("that throws, or gives something else, keeps the connection from opening", async () => {
    const boom = new Error("no worker today");
    expect(
      await rejection(
        connect(":memory:", {
          createWorker: () => {
            throw boom;
          },
        }),
      ),
    ).toBe(boom);
    const error = await rejection(connect(":memory:", { createWorker: () => ({}) as never }));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain("createWorker");
  });
});

it("a signal gives up opening, at once", async () => {
  const reason = new Error("enough");
  expect(await rejection(connect(":memory:", { signal: AbortSignal.abort(reason) }))).toBe(reason);
  const controller = new AbortController();
  let worker!: Worker;
  const opening = rejection(
    connect(":memory:", {
      signal: controller.signal,
      createWorker: (url, options) => (worker = new Worker(url, options)),
    }),
  );
  const exited = new Promise((resolve) => {
    worker.once("exit", resolve);
  });
  onTestFinished(() => exited.then(() => {}));
  controller.abort(reason);
  expect(await opening).toBe(reason);
  await exited;
  const used = new AbortController();
  const db = await open(":memory:", { signal: used.signal });
  used.abort(reason);
  expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
});
