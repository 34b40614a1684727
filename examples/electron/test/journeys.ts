import { connect } from "@sqlite-aio/core";
import type { Page } from "puppeteer-core";
import { describe, expect, it } from "vitest";
import { departures, flights, searched } from "./expected.ts";
import type { RunningApp } from "./in-chromium.ts";
import { databaseOf, makeFullProfile, makeProfile } from "./profile.ts";
import { screenshot } from "./screenshot.ts";

const soon = { timeout: 30_000 };

/** The text of the table's rows, without the stars. */
export function rowsOf(page: Page): Promise<string[][]> {
  return page.$$eval("#results tr", (rows) =>
    rows.map((row) => [...row.cells].slice(0, -1).map((cell) => cell.innerText)),
  );
}

export function textOf(page: Page, selector: string): Promise<string> {
  return page.$eval(selector, (element) => (element as HTMLElement).innerText);
}

function listOf(page: Page, selector: string): Promise<string[]> {
  return page.$$eval(`${selector} li`, (items) => items.map((item) => item.innerText));
}

function progressOf(page: Page): Promise<number> {
  return page.$eval("#progress", (bar) => (bar as HTMLProgressElement).value);
}

/** Waits until a search is done and has found this many flights. */
export async function found(page: Page, count: number): Promise<void> {
  const read = () =>
    page.evaluate(() => {
      const [text, results] = ["found", "results"].map((id) => document.getElementById(id));
      return { text: text?.innerText, busy: results?.ariaBusy };
    });
  const text = expect.stringMatching(new RegExp(`^${count.toLocaleString("en-US")} in \\d+ ms$`)) as string;
  await expect.poll(read, soon).toEqual({ text, busy: "false" });
}

/** Records what an element shows, each time it changes. */
async function record(page: Page, selector: string): Promise<() => Promise<(string | number)[]>> {
  const handle = await page.$eval(selector, (element) => {
    const values: (string | number)[] = [];
    const note = (): void => {
      values.push(element instanceof HTMLProgressElement ? element.value : (element.textContent ?? ""));
    };
    new MutationObserver(note).observe(element, { attributes: true, childList: true, subtree: true });
    Object.assign(globalThis, { [`seen ${element.id}`]: values });
    return `seen ${element.id}`;
  });
  return () => page.evaluate((name) => (globalThis as never)[name], handle);
}

/** What a user does. Runs in Electron and in Chromium. */
export function journeys(start: (profile: string) => Promise<RunningApp>): void {
  describe("the search box", () => {
    it("finds the flights whose airports have all of the words, the latest first", async () => {
      const { page } = await start(await makeFullProfile());
      await page.type("#search", "seattle");
      const seattle = searched("seattle");
      await found(page, seattle.found);
      expect(await rowsOf(page)).toEqual(seattle.rows);

      await page.type("#search", " CA");
      const narrowed = searched("seattle", "ca");
      expect(narrowed.found).toBeLessThan(seattle.found);
      await found(page, narrowed.found);
      expect(await rowsOf(page)).toEqual(narrowed.rows);
    });

    it("takes what is special in SQL for text", async () => {
      const { page } = await start(await makeFullProfile());
      await page.type("#search", `%'"_`);
      await found(page, 0);
      expect(await rowsOf(page)).toEqual([]);
    });
  });

  describe("the import", () => {
    it("shows how far it is, and what it has brought while it runs", async () => {
      const { page } = await start(await makeProfile());
      expect(await textOf(page, "#total")).toBe("no flights yet");
      const shares = await record(page, "#progress");
      const totals = await record(page, "#total");
      await page.locator("#import").click();
      await expect.poll(() => progressOf(page), soon).toBeGreaterThan(0.5);
      await screenshot(page, "import");

      await expect.poll(() => textOf(page, "#progress-text"), soon).toBe("100%, 20,000 flights");
      await expect.poll(() => textOf(page, "#total"), soon).toBe("20,000 flights");
      const bar = (await shares()).map(Number).filter((value) => value > 0);
      expect(bar.length).toBeGreaterThan(30);
      expect(bar).toEqual(bar.toSorted((a, b) => a - b));
      expect(bar.at(-1)).toBe(1);
      const counts = (await totals()).map((text) => Number.parseInt(String(text).replace(",", ""), 10));
      expect(new Set(counts).size).toBeGreaterThan(5);
      expect(counts).toEqual(counts.toSorted((a, b) => a - b));
      await expect.poll(() => listOf(page, "#departures"), soon).toEqual(departures());
      // Searches again for the text in the box: it is empty, which matches all flights.
      await found(page, flights.length);
    });

    it("stops when the button is pressed again, and goes on with what is missing", async () => {
      const profile = await makeProfile();
      const { page } = await start(profile);
      await page.locator("#import").click();
      await expect.poll(() => progressOf(page), soon).toBeGreaterThan(0.1);
      await page.locator("#import").click();
      await expect.poll(() => textOf(page, "#import"), soon).toBe("Import");
      await using db = await connect(databaseOf(profile), { readonly: true });
      const [[part] = []] = await db.executeFetchall("SELECT count(*) FROM flight");
      expect(part).toBeGreaterThan(1500);
      expect(part).toBeLessThan(flights.length);

      await page.locator("#import").click();
      await expect.poll(() => textOf(page, "#total"), soon).toBe("20,000 flights");
      expect(await db.executeFetchall("SELECT count(*), count(DISTINCT id) FROM flight")).toEqual([
        [20_000, 20_000],
      ]);
    });
  });

  describe("the saved flights", () => {
    const first = (words: string): string => {
      const [departure, from, to, , delay] = searched(words).rows[0] ?? [];
      return `${from?.slice(-3)} – ${to?.slice(-3)}\n${departure}, ${delay} late\n★`;
    };

    it("are shown by themselves when one is added, in the page or by another process", async () => {
      const profile = await makeFullProfile();
      const { page } = await start(profile);
      expect(await listOf(page, "#saved")).toEqual([]);
      await page.type("#search", "spokane");
      await found(page, searched("spokane").found);
      await page.locator("#results tr:first-child button").click();
      await expect.poll(() => listOf(page, "#saved"), soon).toEqual([first("spokane")]);
      expect(await textOf(page, "#results tr:first-child button")).toBe("★");

      await using db = await connect(databaseOf(profile));
      await db.execute("INSERT INTO saved (flight) SELECT id FROM flight WHERE id = 1");
      await db.commit();
      const { date, origin, destination, delay } = flights[0] as (typeof flights)[number];
      const other = `${origin} – ${destination}\n${date.replaceAll("/", "-")}, ${delay} min late\n★`;
      await expect.poll(() => listOf(page, "#saved"), soon).toEqual([other, first("spokane")]);
      await screenshot(page, "search");

      await page.locator("#saved li:last-child button").click();
      await expect.poll(() => listOf(page, "#saved"), soon).toEqual([other]);
      expect(await textOf(page, "#results tr:first-child button")).toBe("☆");
    });
  });

  describe("closing the window", () => {
    it("ends the app, whose pool is closed, and what was saved is there the next time", async () => {
      const profile = await makeFullProfile();
      const app = await start(profile);
      await app.page.type("#search", "spokane");
      await found(app.page, searched("spokane").found);
      await app.page.locator("#results tr:first-child button").click();
      await expect.poll(() => listOf(app.page, "#saved"), soon).toHaveLength(1);
      expect(await app.close()).toMatchObject({ code: 0 });
      const again = await start(profile);
      await expect.poll(() => listOf(again.page, "#saved"), soon).toHaveLength(1);
    });
  });
}
