import { capabilities } from "@sqlite-aio/core";
import { expect, it, vi } from "vitest";
// Without the native companion a statement goes on, and its caller is answered at once.
import "./given-up-write.test.ts";
import "./lone-write.test.ts";
import "./stuck.test.ts";

vi.hoisted(() => {
  process.env["SQLITE_AIO_NATIVE"] = "off";
});

it("is without the companion here", () => {
  expect(capabilities.interrupt).toBe(false);
});
