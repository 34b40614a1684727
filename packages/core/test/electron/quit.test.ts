import { capabilities, createPool, ConnectionClosedError, type Pool, SqliteError } from "@sqlite-aio/core";
import { closeOnQuit } from "@sqlite-aio/core/electron";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { openEngine, rejection, temporaryPath } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { FakeApp, FakeEvent, FakeWindow } from "./fake-electron.ts";
import { gate } from "../support/gate.ts";
import { stopTheClock } from "../support/pool-support.ts";
import { timeFactor } from "../support/time-factor.ts";

async function openPool(path?: string): Promise<Pool> {
  const pool = await createPool(path ?? (await temporaryPath()), { readers: 1 });
  onTestFinished(() => pool.close({ timeout: 0 }));
  await pool.exec("CREATE TABLE IF NOT EXISTS note (text TEXT)");
  return pool;
}

/** Resolves when the app is gone. */
function gone(app: FakeApp): Promise<void> {
  return new Promise((resolve) => void app.once("quit", resolve));
}

/** A pool whose `close()` is answered when a test says so. */
function slowPool() {
  const { opened, open } = gate();
  const close = vi.fn<(options?: { timeout?: number | undefined }) => Promise<void>>(() => opened);
  return { close, open };
}

describe("closeOnQuit", () => {
  it("holds the quit up once, finishes what was called, closes the pool and quits", async () => {
    const path = await temporaryPath();
    const pool = await openPool(path);
    const app = new FakeApp();
    closeOnQuit(app, pool);
    const insert = pool.run("INSERT INTO note VALUES ('last words')");
    const quit = gone(app);
    app.quit();
    expect(app.gone).toBe(false);
    await quit;
    expect((await insert).changes).toBe(1);
    expect(await rejection(pool.all("SELECT 1"))).toBeInstanceOf(ConnectionClosedError);
    expect(app.log).toEqual(["quit()", "before-quit prevented", "quit()", "before-quit", "will-quit"]);
    expect(openEngine(path).prepare("SELECT text FROM note").pluck().all()).toEqual(["last words"]);
  });

  it("closes once, however often the user asks to quit", async () => {
    const pool = slowPool();
    const app = new FakeApp();
    closeOnQuit(app, pool, { timeout: 1234 });
    app.quit();
    app.quit();
    const quit = gone(app);
    app.quit();
    expect(app.gone).toBe(false);
    pool.open();
    await quit;
    expect(pool.close.mock.calls).toEqual([[{ timeout: 1234 }]]);
  });

  it("has no timer once the pool is closed, which would keep the app from its end", async () => {
    stopTheClock();
    const pool = slowPool();
    const app = new FakeApp();
    closeOnQuit(app, pool);
    const quit = gone(app);
    app.quit();
    expect(vi.getTimerCount()).toBe(1);
    pool.open();
    await quit;
    expect(vi.getTimerCount()).toBe(0);
  });

  it("quits also with a pool that was closed before", async () => {
    const pool = await openPool();
    const app = new FakeApp();
    closeOnQuit(app, pool);
    await pool.close();
    const quit = gone(app);
    app.quit();
    await quit;
    expect(app.gone).toBe(true);
  });

  it("leaves the pool alone where somebody else has kept the app from quitting", async () => {
    const pool = await openPool();
    const app = new FakeApp();
    let unsaved = true;
    app.on("before-quit", (event: FakeEvent) => {
      if (unsaved) event.preventDefault();
    });
    closeOnQuit(app, pool);
    app.quit();
    expect(await pool.get("SELECT 1 AS one")).toEqual({ one: 1 });
    unsaved = false;
    const quit = gone(app);
    app.quit();
    await quit;
    expect(await rejection(pool.get("SELECT 1"))).toBeInstanceOf(ConnectionClosedError);
  });

  it("at will-quit lets windows use the pool until they are closed, and one that stays keeps it", async () => {
    const pool = await openPool();
    const app = new FakeApp();
    const window = new FakeWindow();
    closeOnQuit(app, pool, { event: "will-quit" });
    app.open(window);
    window.stays = true;
    app.quit();
    expect(await pool.get("SELECT 1 AS one")).toEqual({ one: 1 });

    window.stays = false;
    let saved: Promise<unknown> | undefined;
    window.once("closed", () => {
      saved = pool.run("INSERT INTO note VALUES ('saved while closing')");
    });
    const quit = gone(app);
    app.quit();
    await quit;
    expect(await saved).toMatchObject({ changes: 1 });
    expect(app.log.slice(2)).toEqual([
      "quit()",
      "before-quit",
      "will-quit prevented",
      "quit()",
      "before-quit",
      "will-quit",
    ]);
  });

  it("closes several pools one after the other", async () => {
    const first = await openPool();
    const second = await openPool();
    const app = new FakeApp();
    closeOnQuit(app, first);
    closeOnQuit(app, second);
    const quit = gone(app);
    app.quit();
    await quit;
    for (const pool of [first, second])
      expect(await rejection(pool.get("SELECT 1"))).toBeInstanceOf(ConnectionClosedError);
  });

  it("does nothing any more once it is undone", async () => {
    const pool = await openPool();
    const app = new FakeApp();
    const powerMonitor = new FakeApp();
    const window = new FakeWindow();
    const undo = closeOnQuit(app, pool, { windows: [window], powerMonitor });
    const later = new FakeWindow();
    app.open(later);
    undo();
    undo();
    app.quit();
    expect(app.gone).toBe(true);
    for (const emitter of [app, powerMonitor, window, later]) {
      expect(emitter.eventNames().filter((name) => name !== "closed")).toEqual([]);
    }
    expect(await pool.get("SELECT 1 AS one")).toEqual({ one: 1 });
  });

  it("refuses what it cannot close, and options that mean nothing", () => {
    const app = new FakeApp();
    const pool = slowPool();
    expect(() => closeOnQuit(app, {} as never)).toThrow(TypeError);
    expect(() => closeOnQuit(app, pool, { timeout: -1 })).toThrow(RangeError);
    expect(() => closeOnQuit(app, pool, { timeout: "1" as never })).toThrow(TypeError);
    expect(() => closeOnQuit(app, pool, { event: "quit" as never })).toThrow(RangeError);
    expect(app.eventNames()).toEqual([]);
  });
});

describe("closeOnQuit, when closing goes wrong", () => {
  let warnings: string[];
  const onWarning = (warning: Error): void => void warnings.push(warning.message);

  beforeEach(() => {
    warnings = [];
    process.on("warning", onWarning);
  });
  afterEach(() => void process.off("warning", onWarning));

  it("quits half a second after the timeout, with a warning, where the pool never closes", async () => {
    stopTheClock();
    const pool = slowPool();
    const app = new FakeApp();
    closeOnQuit(app, pool, { timeout: 20 });
    const quit = gone(app);
    app.quit();
    await vi.advanceTimersByTimeAsync(519);
    expect(app.gone).toBe(false);
    vi.advanceTimersByTime(1);
    await quit;
    await eventually(() => expect(warnings.join()).toContain("longer than 20 ms"));
  });

  it("gives up a transaction that is still open at the deadline, and quits", async () => {
    const path = await temporaryPath();
    const pool = await openPool(path);
    const app = new FakeApp();
    closeOnQuit(app, pool, { timeout: 50 });
    const { opened, open } = gate();
    const inside = gate();
    const transaction = pool.transaction(async (tx) => {
      await tx.run("INSERT INTO note VALUES ('never committed')");
      inside.open();
      await opened;
    });
    const outcome = rejection(transaction);
    await inside.opened;
    const quit = gone(app);
    app.quit();
    await quit;
    open();
    expect(await outcome).toBeInstanceOf(SqliteError);
    expect(openEngine(path).prepare("SELECT count(*) FROM note").pluck().get()).toBe(0);
  });

  it("quits in time with a statement that runs on, which the native companion stops", async () => {
    // Without it the thread outlives the test, and would its folder.
    const pool = await openPool(":memory:");
    const app = new FakeApp();
    closeOnQuit(app, pool, { timeout: 50 });
    const long =
      "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 10000000) SELECT count(*) FROM c";
    const outcome = rejection(pool.get(long));
    await new Promise(setImmediate);
    const quit = gone(app);
    const since = performance.now();
    app.quit();
    await quit;
    expect(performance.now() - since).toBeLessThan(1500 * timeFactor());
    expect(await outcome).toBeInstanceOf(SqliteError);
    if (!capabilities.interrupt) return;
    await pool.close();
    expect(performance.now() - since).toBeLessThan(1500 * timeFactor());
  });

  it("quits with a warning where closing fails", async () => {
    const app = new FakeApp();
    closeOnQuit(app, {
      close: () => {
        throw new Error("disk on fire");
      },
    });
    const quit = gone(app);
    app.quit();
    await quit;
    await eventually(() => expect(warnings.join()).toContain("disk on fire"));
  });

  it("quits also where closing throws what has no text", async () => {
    const app = new FakeApp();
    closeOnQuit(app, {
      close: () => {
        throw Object.create(null);
      },
    });
    const quit = gone(app);
    app.quit();
    await quit;
    await eventually(() => expect(warnings.join()).toContain("[Object: null prototype] {}"));
  });
});

describe("closeOnQuit, when the system ends the session", () => {
  it("begins to close when Windows says so, and holds nothing up", async () => {
    const pool = await openPool();
    const app = new FakeApp();
    const before = new FakeWindow();
    const after = new FakeWindow();
    closeOnQuit(app, pool, { windows: [before] });
    app.open(after);
    for (const window of [before, after]) window.emit("session-end", new FakeEvent());
    expect(await rejection(pool.get("SELECT 1"))).toBeInstanceOf(ConnectionClosedError);
    app.quit();
    expect(app.gone).toBe(true);
    expect(app.log).toEqual(["quit()", "before-quit", "will-quit"]);
    await pool.close();
  });

  it("leaves what was committed in the file, though the process is ended at once", async () => {
    const path = await temporaryPath();
    const pool = await openPool(path);
    const app = new FakeApp();
    const window = new FakeWindow();
    closeOnQuit(app, pool);
    app.open(window);
    await pool.run("INSERT INTO note VALUES ('committed')");
    window.emit("session-end", new FakeEvent());
    // The state that another process reads before a checkpoint.
    expect(openEngine(path, 5000).prepare("SELECT text FROM note").pluck().all()).toEqual(["committed"]);
    await pool.close();
  });

  it("with powerMonitor delays a shutdown of macOS or Linux until the pool is closed", async () => {
    const pool = await openPool();
    const app = new FakeApp();
    const powerMonitor = new FakeApp();
    closeOnQuit(app, pool, { powerMonitor });
    const insert = pool.run("INSERT INTO note VALUES ('a')");
    const quit = gone(app);
    const event = new FakeEvent();
    powerMonitor.emit("shutdown", event);
    expect(event.defaultPrevented).toBe(true);
    await quit;
    expect((await insert).changes).toBe(1);
    expect(await rejection(pool.get("SELECT 1"))).toBeInstanceOf(ConnectionClosedError);
    const again = new FakeEvent();
    powerMonitor.emit("shutdown", again);
    expect(again.defaultPrevented).toBe(false);
  });

  it("leaves no listeners behind when it is undone, with windows that are named twice", async () => {
    const app = new FakeApp();
    const window = new FakeWindow();
    for (let i = 0; i < 3; i++) {
      const undo = closeOnQuit(app, slowPool(), { windows: [window, window] });
      app.open(window);
      expect(window.listenerCount("session-end")).toBe(1);
      undo();
    }
    expect(window.eventNames()).toEqual([]);
    expect(app.eventNames()).toEqual([]);
  });

  it("forgets windows that are closed", async () => {
    const pool = slowPool();
    const app = new FakeApp();
    const undo = closeOnQuit(app, pool);
    const window = new FakeWindow();
    app.open(window);
    window.close();
    const removed = vi.spyOn(window, "removeListener");
    undo();
    expect(removed).not.toHaveBeenCalled();
  });
});
