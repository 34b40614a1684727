import { setTimeout as sleep } from "node:timers/promises";
import { capabilities, createPool } from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { open, rejection } from "../support/database.ts";
import { endless } from "../support/endless.ts";

const INTERRUPTED = { name: "OperationalError", code: "SQLITE_INTERRUPT" };
const slow = endless.replace("FROM n)", "FROM n LIMIT 1000000)");

describe.runIf(capabilities.progressHandler)("a progress handler", () => {
  it("is called while a statement runs, and stops it with something truthy", async () => {
    const db = await open();
    let calls = 0;
    await db.setProgressHandler(() => ++calls === 5, 2);
    expect(await rejection(db.executeFetchall(endless))).toMatchObject({
      ...INTERRUPTED,
      message: "interrupted",
    });
    expect(calls).toBe(5);
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("stops the statement too when it throws, as in CPython", async () => {
    const db = await open();
    await db.setProgressHandler(() => {
      throw new Error("from the handler");
    }, 1);
    expect(await rejection(db.executeFetchall(endless))).toMatchObject(INTERRUPTED);
  });

  it("lets the statement run on with something falsy, is not called in between, and goes with null", async () => {
    const db = await open();
    let calls = 0;
    await db.setProgressHandler(() => {
      calls++;
      return calls > 3 ? 0 : undefined;
    }, 1);
    expect(await db.executeFetchall(slow)).toEqual([[1_000_000]]);
    expect(calls).toBeGreaterThan(3);
    calls = 0;
    // Time for thirty calls, if they came.
    await sleep(30);
    expect(calls).toBe(0);
    await db.setProgressHandler(null, 0);
    expect(await db.executeFetchall(slow)).toEqual([[1_000_000]]);
    expect(calls).toBe(0);
  });

  it("of which there are several is the last one", async () => {
    const db = await open();
    const called: string[] = [];
    await db.setProgressHandler(() => void called.push("first"), 1);
    await db.setProgressHandler(() => called.push("second") > 2, 1);
    expect(await rejection(db.executeFetchall(endless))).toMatchObject(INTERRUPTED);
    expect(called).toEqual(["second", "second", "second"]);
  });

  it("needs a function or null, and milliseconds", async () => {
    const db = await open();
    expect(await rejection(db.setProgressHandler("stop" as never, 1))).toBeInstanceOf(TypeError);
    expect(await rejection(db.setProgressHandler(() => 0, 0))).toBeInstanceOf(RangeError);
    expect(await rejection(db.setProgressHandler(() => 0, 1.5))).toBeInstanceOf(TypeError);
    await db.close();
    expect(await rejection(db.setProgressHandler(() => 0, 1))).toMatchObject({
      name: "ConnectionClosedError",
    });
  });

  it("of a lease ends with it, one of onConnect does not", async () => {
    const called: string[] = [];
    const pool = await createPool(":memory:", {
      onConnect: (db) => db.setProgressHandler(() => void called.push("onConnect"), 1),
    });
    onTestFinished(() => pool.close());
    {
      await using db = await pool.acquire();
      await db.setProgressHandler(() => called.push("lease") > 0, 1);
      expect(await rejection(db.executeFetchall(endless))).toMatchObject(INTERRUPTED);
    }
    expect(called.splice(0)).toEqual(["lease"]);
    expect(await pool.get(slow)).toEqual({ c: 1_000_000 });
    expect(new Set(called)).toEqual(new Set(["onConnect"]));
  });
});

describe.runIf(!capabilities.progressHandler)("without the native companion a progress handler", () => {
  it("is refused by an error that names the package", async () => {
    const error = await rejection((await open()).setProgressHandler(() => 0, 10));
    expect(error).toMatchObject({ name: "NotSupportedError" });
    expect((error as Error).message).toContain("@sqlite-aio/native");
  });
});
