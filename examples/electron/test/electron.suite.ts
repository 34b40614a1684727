import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import puppeteer from "puppeteer-core";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import type { RunningApp } from "./in-chromium.ts";
import { journeys } from "./journeys.ts";
import { makeFullProfile } from "./profile.ts";

const folder = join(import.meta.dirname, "..");

/** Starts the built app in Electron itself. */
async function start(profile: string): Promise<RunningApp> {
  const root = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const args = [folder, "--remote-debugging-port=0", `--user-data-dir=${profile}`, ...root];
  const app = spawn(inject("binary"), args, { stdio: ["ignore", "ignore", "pipe"] });
  onTestFinished(() => void app.kill("SIGKILL"));
  let stderr = "";
  app.stderr.on("data", (text) => (stderr += String(text)));
  const ended = once(app, "close").then(([code]) => ({ code: code as number | null, stderr }));

  const address = Promise.withResolvers<string>();
  createInterface(app.stderr).on("line", (line) => {
    const [, found] = /DevTools listening on (ws:\S+)/.exec(line) ?? [];
    if (found !== undefined) address.resolve(found);
  });
  ended.then(
    ({ code }) => address.reject(new Error(`Electron ended with ${code}: ${stderr}`)),
    address.reject,
  );
  const browser = await puppeteer.connect({
    browserWSEndpoint: await address.promise,
    defaultViewport: null,
  });
  onTestFinished(() => browser.disconnect());
  const target = await browser.waitForTarget((one) => one.url().endsWith("/out/renderer/index.html"));
  const page = await target.page();
  if (page === null) throw new Error("the window has no page");
  await page.waitForSelector("#search");
  return {
    page,
    close: async () => {
      await page.close();
      return await ended;
    },
  };
}

journeys(start);

describe("closing the window of the whole app", () => {
  it("leaves a database without a log", async () => {
    const profile = await makeFullProfile();
    const app = await start(profile);
    expect(await app.close()).toMatchObject({ code: 0 });
    const left = (await readdir(profile)).filter((name) => name.startsWith("flights.db"));
    expect(left).toEqual(["flights.db"]);
  });
});
