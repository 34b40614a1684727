import { connect } from "@sqlite-aio/core";
import type { Browser } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { searched } from "./expected.ts";
import { launchChromium, startInChromium } from "./in-chromium.ts";
import { found, journeys, textOf } from "./journeys.ts";
import { databaseOf, makeFullProfile, makeProfile } from "./profile.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(() => browser.close());

const start = (profile: string) => startInChromium(browser, profile);

journeys(start);

describe("a search that a further letter has overtaken", () => {
  it("is given up by the page, and stopped in the main process", async () => {
    const profile = await makeFullProfile();
    const { page, main } = await start(profile);
    // Enough flights that a search takes longer than the pause before the next letter.
    await using db = await connect(databaseOf(profile));
    await db.execute(`
      INSERT INTO flight (departure, origin, destination, miles, delay)
      SELECT departure, origin, destination, miles, -1000 FROM flight, json_each('[1,2,3,4,5,6,7,8,9,10,11,12]')`);
    await db.commit();
    await expect.poll(() => textOf(page, "#total"), { timeout: 20_000 }).toBe("260,000 flights");

    await page.type("#search", "sea");
    const { found: once, rows } = searched("sea");
    await found(page, 13 * once);
    const answersTo = (text: string): unknown[] => {
      const calls = main.log.filter((message) => message.type === "invoke");
      const asked = new Set(calls.filter(({ args }) => args[0] === text).map(({ id }) => id));
      const answers = main.log.filter((message) => message.type === "answer");
      return answers.filter(({ id }) => asked.has(id)).map(({ value }) => value);
    };
    const givenUp = { ok: false, error: { name: "AbortError" } };
    expect(answersTo("s")).toMatchObject([givenUp]);
    expect(answersTo("se")).toMatchObject([givenUp]);
    expect(answersTo("sea").at(-1)).toMatchObject({ ok: true, value: { found: 13 * once } });
    expect(await page.$eval("#results tr td", (cell) => cell.innerText)).toBe(rows[0]?.[0]);
    expect(await page.$eval("#problem", (problem) => problem.hasAttribute("hidden"))).toBe(true);
  });
});

describe("the page", () => {
  it("runs no script, and reaches no server, that it did not bring along", async () => {
    const { page } = await start(await makeProfile());
    const refused = await page.evaluate(async () => {
      const directives: string[] = [];
      const both = new Promise<void>((resolve) => {
        document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
          if (directives.push(effectiveDirective) === 2) resolve();
        });
      });
      const script = document.createElement("script");
      script.textContent = "globalThis.ran = true";
      document.head.append(script);
      const answer = await fetch("https://example.com/").catch((error: unknown) => String(error));
      await both;
      return { directives, answer, ran: "ran" in globalThis };
    });
    expect(refused).toEqual({
      directives: ["script-src-elem", "connect-src"],
      answer: "TypeError: Failed to fetch",
      ran: false,
    });
  });

  it("has nothing of Electron or Node but the bridge of its preload script", async () => {
    const { page } = await start(await makeProfile());
    const has = await page.evaluate(() => ({
      bridge: Object.keys((globalThis as unknown as { flights: object }).flights).toSorted(),
      rest: ["require", "process", "module", "ipcRenderer", "electron"].filter((name) => name in globalThis),
    }));
    expect(has).toEqual({ bridge: ["abort", "call", "open"], rest: [] });
  });
});
