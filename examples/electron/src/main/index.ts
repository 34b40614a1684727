import { createRequire } from "node:module";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { createPool } from "@sqlite-aio/core";
import { closeOnQuit, exposePool } from "@sqlite-aio/core/electron";
import { app, BrowserWindow, dialog, ipcMain, powerMonitor } from "electron";
import { methods } from "./methods.ts";
import { schema } from "./schema.ts";

// Not called `require`: electron-vite puts a variable of that name into ES modules.
const { resolve } = createRequire(import.meta.url);
/** The URL at which electron-vite serves the page during development. */
const devServer = process.env["ELECTRON_RENDERER_URL"];

async function start(): Promise<void> {
  const pool = await createPool(join(app.getPath("userData"), "flights.db"), {
    createWorker: (_, options) => new Worker(resolve("@sqlite-aio/worker/entry.cjs"), options),
  });
  closeOnQuit(app, pool, { timeout: 3000, powerMonitor });
  await pool.exec(schema);
  exposePool(ipcMain, pool, { methods, origins: [devServer ? new URL(devServer).origin : "file://"] });

  await openWindow();
  app.on("activate", () => {
    if (BrowserWindow.getAllWindows().length === 0) openWindow().catch(fail);
  });
}

async function openWindow(): Promise<void> {
  const window = new BrowserWindow({
    width: 1180,
    height: 760,
    webPreferences: {
      preload: join(import.meta.dirname, "../preload/index.cjs"),
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
    },
  });
  if (devServer) await window.loadURL(devServer);
  else await window.loadFile(join(import.meta.dirname, "../renderer/index.html"));
}

function fail(error: unknown): void {
  dialog.showErrorBox("Flights", error instanceof Error ? (error.stack ?? error.message) : String(error));
  app.exit(1);
}

// The page must not navigate: another file could call the same methods.
app.on("web-contents-created", (_, contents) => {
  contents.on("will-navigate", (event) => {
    if (event.url !== contents.getURL()) event.preventDefault();
  });
  contents.setWindowOpenHandler(() => ({ action: "deny" }));
});

app.on("second-instance", () => {
  const [window] = BrowserWindow.getAllWindows();
  if (window?.isMinimized()) window.restore();
  window?.focus();
});

app.on("window-all-closed", () => {
  if (process.platform !== "darwin") app.quit();
});

const profile = app.commandLine.getSwitchValue("user-data-dir");
if (profile !== "") app.setPath("userData", profile);

// Not awaited: Electron becomes ready only after this module has run.
if (app.requestSingleInstanceLock()) void app.whenReady().then(start).catch(fail);
else app.quit();
