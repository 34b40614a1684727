import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { install } from "../install.ts";
import { findChromium } from "./chromium.ts";
import { findElectron } from "./electron-binary.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Path of Chromium, or of Electron if the whole app runs. */
    binary: string;
  }
}

/** Installs and builds the app, and finds the program that runs it. */
export async function setup(project: TestProject): Promise<void> {
  const binary = project.vite.config.mode === "electron" ? findElectron() : await findChromium();
  project.provide("binary", binary);
  await install();
  const cwd = join(import.meta.dirname, "..");
  await promisify(execFile)("node_modules/.bin/electron-vite", ["build"], { cwd });
}
