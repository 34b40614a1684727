import { readFile } from "node:fs/promises";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { inject, onTestFinished } from "vitest";
import { type Ending, MainProcess } from "./main-process.ts";
import type { ToApp, ToPage } from "./stand-in/messages.ts";
import { beElectron } from "./stand-in/renderer.ts";

/** The running app and its page. */
export interface RunningApp {
  readonly page: Page;
  /** Closes the window, so that the app quits. */
  close(): Promise<Ending>;
}

export function launchChromium(): Promise<Browser> {
  // Chromium has no sandbox for root. Electron allows modules from files, so Chromium must too.
  const root = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return puppeteer.launch({
    executablePath: inject("binary"),
    args: [...root, "--allow-file-access-from-files"],
    defaultViewport: { width: 1180, height: 760 },
  });
}

/**
 * Runs the built main process in Node, and the built preload script and page in Chromium. A stand-in for Electron
 * connects them.
 */
export async function startInChromium(
  browser: Browser,
  profile: string,
): Promise<RunningApp & { readonly main: MainProcess }> {
  const main = new MainProcess(profile);
  const { url, preload } = await main.next("window");
  const page = await browser.newPage();
  // Chromium draws nothing and runs no animation frames in a page that is behind another one.
  await page.bringToFront();
  let over = false;
  onTestFinished(() => {
    over = true;
    return page.close();
  });
  await page.exposeFunction("toApp", (message: ToApp) => main.send(message));
  const script = await readFile(preload, "utf8");
  await page.evaluateOnNewDocument(
    `(${beElectron.toString()})((require, module = { exports: {} }, exports = module.exports) => {${script}\n});`,
  );
  main.on("message", (message) => {
    if (message.type === "window" || message.type === "window-closed" || message.type === "quit") return;
    page.evaluate(tell, message).catch((error: unknown) => {
      if (!over) throw error;
    });
  });
  await page.goto(url);
  main.send({ type: "loaded" });
  return {
    main,
    page,
    close: () => {
      main.send({ type: "close" });
      return main.ended;
    },
  };
}

function tell(message: ToPage): void {
  (globalThis as unknown as { fromApp(message: ToPage): void }).fromApp(message);
}
