import { readdir } from "node:fs/promises";
import { connect } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { searched } from "./expected.ts";
import { MainProcess } from "./main-process.ts";
import { databaseOf, makeFullProfile, makeProfile } from "./profile.ts";

async function opened(profile: string, main?: string): Promise<MainProcess> {
  const app = new MainProcess(profile, main);
  await app.next("window");
  app.send({ type: "loaded" });
  return app;
}

describe("the built main process", () => {
  it("opens its pool in userData, and answers by it", async () => {
    const profile = await makeFullProfile();
    const app = await opened(profile);
    expect(await readdir(profile)).toEqual(expect.arrayContaining(["flights.db", "flights.db-wal"]));
    app.send({ type: "invoke", id: 1, channel: "sqlite-aio:search", args: ["seattle"] });
    const { value } = await app.next("answer");
    expect(value).toMatchObject({ ok: true, value: { found: searched("seattle").found } });
  });

  it("has no method but those that were named", async () => {
    const app = await opened(await makeProfile());
    app.send({ type: "invoke", id: 1, channel: "sqlite-aio:exec", args: ["DROP TABLE flight"] });
    expect((await app.next("refusal")).message).toContain("No handler registered for 'sqlite-aio:exec'");
  });

  it("tells the page what was wrong with what it gave", async () => {
    const app = await opened(await makeProfile());
    app.send({ type: "invoke", id: 1, channel: "sqlite-aio:save", args: ["1; DROP TABLE flight"] });
    expect((await app.next("answer")).value).toEqual({
      ok: false,
      error: { name: "TypeError", message: "a flight is named by its number" },
    });
  });

  it("opens a sandboxed window", async () => {
    const app = new MainProcess(await makeProfile());
    const { url, webPreferences } = await app.next("window");
    expect(url).toMatch(/^file:\/\/.*\/out\/renderer\/index\.html$/);
    expect(webPreferences).toEqual({
      preload: expect.stringMatching(/out\/preload\/index\.cjs$/) as string,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
    });
  });

  it("closes the pool when its window is closed, and quits then, with nothing left that runs", async () => {
    const profile = await makeFullProfile();
    const app = await opened(profile);
    app.send({ type: "invoke", id: 1, channel: "sqlite-aio:save", args: [17] });
    await app.next("answer");
    app.send({ type: "close" });
    expect(await app.next("quit")).toEqual({
      type: "quit",
      log: ["quit()", "before-quit prevented", "quit()", "before-quit", "will-quit"],
      left: ["flights.db"],
    });
    expect(await app.ended).toEqual({ code: 0, stderr: "" });
    await using db = await connect(databaseOf(profile));
    expect(await db.executeFetchall("SELECT flight FROM saved")).toEqual([[17]]);
  });

  it("leaves the database to the instance that is there already", async () => {
    const profile = await makeFullProfile();
    const app = await opened(profile);
    const second = new MainProcess(profile);
    expect(await second.ended).toEqual({ code: 0, stderr: "" });
    expect(second.log.map(({ type }) => type)).toEqual(["quit"]);
    app.send({ type: "invoke", id: 1, channel: "sqlite-aio:search", args: [""] });
    expect((await app.next("answer")).value).toMatchObject({ ok: true, value: { found: 20_000 } });
  });
});
