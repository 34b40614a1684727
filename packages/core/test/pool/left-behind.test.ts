import { describe, expect, it } from "vitest";
import { leftBehind } from "../support/left-behind.ts";

describe("a pool", () => {
  it("leaves nothing of a hundred uses of each kind: no entry here or in a thread, no timer, no listener", async () => {
    expect(await leftBehind("pool")).toEqual({ left: {}, few: "few", timers: [], listeners: 0 });
  });

  it("has no timer that keeps the process alive, and none when it is closed", async () => {
    expect(await leftBehind("armed")).toEqual({ holding: 0, afterWrite: 0, armed: true, timers: [] });
  });

  it("has no timer when it was closed by force", async () => {
    expect(await leftBehind("forced")).toEqual({ timers: [], threads: 0 });
  });
});

it("uses of databases by key leave no timer, also if they had to wait", async () => {
  expect(await leftBehind("pools")).toEqual({ waited: true, holding: 0, timers: [], listeners: 0 });
});
