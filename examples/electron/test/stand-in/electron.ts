import { EventEmitter } from "node:events";
import { closeSync, openSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import {
  FakeApp,
  FakeIpcMain,
  FakeWindow,
  openPage,
  type Page,
} from "../../../../packages/core/test/electron/fake-electron.ts";
import type { FromApp, ToApp } from "./messages.ts";

// The part of Electron's main process that the app in ../../src uses. Its pages are at the other end of Node's IPC.

function say(message: FromApp): void {
  process.send?.(message);
}

class App extends FakeApp {
  readonly commandLine = {
    getSwitchValue: (name: string): string => {
      const given = process.argv.find((argument) => argument.startsWith(`--${name}=`));
      return given?.slice(name.length + 3) ?? "";
    },
  };
  readonly #paths = new Map<string, string>();
  readonly #ready = Promise.withResolvers<void>();
  #lock: string | null = null;

  whenReady(): Promise<void> {
    return this.#ready.promise;
  }

  becomeReady(): void {
    if (!this.gone) this.#ready.resolve();
  }

  getPath(name: string): string {
    const path = this.#paths.get(name);
    if (path === undefined) throw new Error(`Failed to get '${name}' path`);
    return path;
  }

  setPath(name: string, path: string): void {
    this.#paths.set(name, path);
  }

  requestSingleInstanceLock(): boolean {
    const lock = join(this.getPath("userData"), "lock");
    try {
      closeSync(openSync(lock, "wx"));
    } catch {
      return false;
    }
    this.#lock = lock;
    return true;
  }

  /** Electron would end the process. Here it must end by itself: nothing may keep it running. */
  end(): void {
    if (this.#lock !== null) rmSync(this.#lock);
    say({ type: "quit", log: this.log, left: readdirSync(this.getPath("userData")) });
    process.disconnect();
  }

  exit(code: number): void {
    process.exit(code);
  }
}

export const app = new App();
export const ipcMain = new FakeIpcMain();
export const powerMonitor = new EventEmitter();
export const dialog = {
  showErrorBox: (title: string, content: string): void => console.error(`${title}: ${content}`),
};

class WebContents extends EventEmitter {
  setWindowOpenHandler(): void {}
}

export class BrowserWindow extends FakeWindow {
  static getAllWindows(): BrowserWindow[] {
    return [...app.windows] as BrowserWindow[];
  }

  readonly webContents = new WebContents();
  readonly #preferences: Record<string, unknown>;
  #page: Page | null = null;
  readonly #ports = new Map<number, MessagePort>();

  constructor({ webPreferences }: { webPreferences: Record<string, unknown> }) {
    super();
    this.#preferences = webPreferences;
    app.emit("web-contents-created", {}, this.webContents);
    app.open(this);
  }

  async loadFile(file: string): Promise<void> {
    const url = pathToFileURL(file).href;
    const page = openPage(ipcMain, url);
    this.#page = page;
    const loaded = new Promise<void>((resolve) => {
      process.on("message", (message: ToApp) => {
        if (message.type === "loaded") resolve();
        else this.#take(page, message).catch((error: unknown) => console.error(error));
      });
    });
    say({
      type: "window",
      url,
      preload: String(this.#preferences["preload"]),
      webPreferences: this.#preferences,
    });
    await loaded;
  }

  override close(): boolean {
    if (!super.close()) return false;
    this.#page?.webContents.emit("destroyed");
    say({ type: "window-closed" });
    return true;
  }

  isMinimized(): boolean {
    return false;
  }

  restore(): void {}

  focus(): void {}

  async #take({ ipcRenderer }: Page, message: ToApp): Promise<void> {
    switch (message.type) {
      case "invoke": {
        const { id, channel, args } = message;
        try {
          say({ type: "answer", id, value: await ipcRenderer.invoke(channel, ...args) });
        } catch (error) {
          say({ type: "refusal", id, message: (error as Error).message });
        }
        return;
      }
      case "send":
        ipcRenderer.send(message.channel, ...message.args);
        return;
      case "post": {
        const { port: id, channel } = message;
        const { port1, port2 } = new MessageChannel();
        this.#ports.set(id, port1);
        port1.on("message", (data: unknown) => say({ type: "port-message", port: id, data }));
        port1.on("close", () => say({ type: "port-close", port: id }));
        ipcRenderer.postMessage(channel, message.message, [port2]);
        return;
      }
      case "port-message":
        this.#ports.get(message.port)?.postMessage(message.data);
        return;
      case "port-close":
        this.#ports.get(message.port)?.close();
        return;
      case "close":
        if (!this.close()) return;
        app.windows.delete(this);
        app.emit("window-all-closed");
        break;
      case "loaded":
    }
  }
}

app.on("quit", () => app.end());
// The tests have ended.
process.on("disconnect", () => {
  if (!app.gone) process.exit(1);
});
