import { expect, it } from "vitest";
import { leftBehind } from "../support/left-behind.ts";

it("a connection leaves nothing of a hundred uses of each kind: no entry here or in its thread, no timer, no listener", async () => {
  expect(await leftBehind("connection")).toEqual({
    left: {},
    holding: 0,
    few: "few",
    timers: [],
    listeners: 0,
  });
});
