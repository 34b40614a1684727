import { capabilities, createPool, NotSupportedError } from "@sqlite-aio/core";
import { expect, it, vi } from "vitest";
import { open, rejection } from "./database.ts";
// What is promised of signals, timeouts and interrupt() holds without the companion as well.
import "./cancel.test.ts";
import "./locks.test.ts";

// Before anything is imported, and for the threads, which take the environment over.
vi.hoisted(() => {
  process.env["SQLITE_AIO_NATIVE"] = "off";
});

it("says what it cannot do", () => {
  expect(capabilities).toEqual({
    interrupt: false,
    authorizer: false,
    progressHandler: false,
    changes: false,
  });
});

it("refuses what needs the native companion, naming the package", async () => {
  const db = await open();
  await using pool = await createPool(":memory:");
  for (const call of [
    () => db.setProgressHandler(() => 0, 100),
    () => db.setProgressHandler(null, 100),
    () => db.setAuthorizer(() => 0),
    () => db.setAuthorizer(null),
    async () => pool.on("change", () => {}),
    async () => pool.once("change", () => {}),
    () => pool.watch("SELECT 1").next(),
  ]) {
    const error = await rejection(call);
    expect(error, String(call)).toBeInstanceOf(NotSupportedError);
    expect((error as Error).message, String(call)).toContain("@sqlite-aio/native");
  }
  expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
});
