import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "puppeteer-core";

const folder = join(import.meta.dirname, "../../../docs/images");

/** Makes a picture for docs/electron.md if SCREENSHOTS is set. */
export async function screenshot(page: Page, name: string): Promise<void> {
  if (process.env["SCREENSHOTS"] === undefined) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `electron-${name}.png`) });
}
