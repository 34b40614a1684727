import { expect, it } from "vitest";
import { leftBehind } from "../support/left-behind.ts";

it("connections that come and go leave nothing: no entry, no thread, no timer, no listener", async () => {
  expect(await leftBehind("threads")).toEqual({ left: {}, active: 1, parked: 0, timers: [], listeners: 0 });
});
