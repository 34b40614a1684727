import { once } from "node:events";
import { existsSync, globSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findChromium } from "../../../examples/electron/test/chromium.ts";
import { output } from "../pages.ts";

/** A page of each kind, and every document. */
const PAGES = [
  "index",
  "overview",
  "CHANGELOG",
  ...globSync("docs/*.html", { cwd: output }).map((file) => file.replace(/\.html$/, "")),
  "api/@sqlite-aio/core/index",
  "api/@sqlite-aio/core/classes/Pool",
  "api/@sqlite-aio/core/interfaces/ConnectOptions",
].toSorted();

/** A folder for screenshots. */
const SCREENSHOTS = process.env["SCREENSHOTS"];

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
};

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = decodeURI(new URL(request.url ?? "/", "http://localhost").pathname);
  const file = [path, `${path}.html`, join(path, "index.html")]
    .map((name) => join(output, name))
    .find((name) => extname(name) !== "" && existsSync(name));
  if (file === undefined) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
  response.end(await readFile(file));
}

const server = createServer((request, response) => void serve(request, response));

let browser: Browser;
let address: string;

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const root = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
  browser = await puppeteer.launch({ executablePath: await findChromium(), args: [...root, ...quiet] });
});

afterAll(async () => {
  await browser.close();
  server.close();
});

/** The faults in a page's layout, in words. */
function faultsOf(): string[] {
  const faults: string[] = [];
  const { clientWidth, scrollWidth } = document.documentElement;
  if (scrollWidth > clientWidth) faults.push(`the page is ${scrollWidth} px wide`);
  for (const box of document.querySelectorAll<HTMLElement>(".vp-doc pre, .vp-doc table")) {
    const { right } = box.getBoundingClientRect();
    if (right > clientWidth) faults.push(`${box.tagName} ends at ${Math.round(right)} px`);
    const scrolls = ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
    const parent = box.parentElement as HTMLElement;
    const within = ["auto", "scroll"].includes(getComputedStyle(parent).overflowX);
    if (box.scrollWidth > box.clientWidth && !scrolls && !within) {
      faults.push(`${box.tagName} is wider than its place, and does not scroll`);
    }
  }
  for (const name of document.querySelectorAll<HTMLElement>(".vp-doc td code")) {
    if (name.getClientRects().length > 1) faults.push(`wrapped: ${name.textContent}`);
  }
  return faults;
}

async function open(page: Page, path: string): Promise<void> {
  await page.goto(`${address}/${path.replace(/index$/, "")}`, { waitUntil: "load" });
  if (SCREENSHOTS === undefined) return;
  await mkdir(SCREENSHOTS, { recursive: true });
  const width = page.viewport()?.width;
  await page.screenshot({
    path: join(SCREENSHOTS, `${path.replaceAll("/", "-")}-${width}.png`),
  });
}

describe.each([1280, 390])("seen at %i px", (width) => {
  it("no page is wider than the window, wide tables and code scroll, and names in tables do not wrap", async () => {
    const page = await browser.newPage();
    await page.setViewport({ width, height: 844 });
    const faults: Record<string, string[]> = {};
    for (const path of PAGES) {
      await open(page, path);
      const found = await page.evaluate(faultsOf);
      if (found.length > 0) faults[path] = found;
    }
    await page.close();
    expect(PAGES.length).toBeGreaterThan(20);
    expect(faults).toEqual({});
  });
});
