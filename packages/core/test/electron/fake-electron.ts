import { EventEmitter } from "node:events";
import type { MessagePort } from "node:worker_threads";
import type { IpcRendererLike } from "@sqlite-aio/core/electron/preload";
import type { SenderEvent, PortLike } from "@sqlite-aio/core/electron";
import { onTestFinished } from "vitest";

/** The event of before-quit and similar events. */
export class FakeEvent {
  defaultPrevented = false;

  preventDefault(): void {
    this.defaultPrevented = true;
  }
}

/** Electron's app: the same events in the same order, as its documentation and `Browser::Quit` have them. */
export class FakeApp extends EventEmitter {
  readonly windows = new Set<FakeWindow>();
  readonly log: string[] = [];
  gone = false;
  #quitting = false;

  quit(): void {
    this.log.push("quit()");
    if (this.#quitting || this.gone) return;
    this.#quitting = this.#ask("before-quit");
    if (!this.#quitting) return;
    for (const window of this.windows) {
      if (!window.close()) {
        this.#quitting = false;
        return;
      }
      this.windows.delete(window);
    }
    this.#quitting = this.#ask("will-quit");
    if (!this.#quitting) return;
    this.gone = true;
    this.emit("quit");
  }

  open(window: FakeWindow): void {
    this.windows.add(window);
    this.emit("browser-window-created", new FakeEvent(), window);
  }

  #ask(name: string): boolean {
    const event = new FakeEvent();
    this.emit(name, event);
    this.log.push(event.defaultPrevented ? `${name} prevented` : name);
    return !event.defaultPrevented;
  }
}

export class FakeWindow extends EventEmitter {
  /** Whether the window refuses to close, as a page with unsaved changes does. */
  stays = false;

  close(): boolean {
    if (!this.stays) this.emit("closed");
    return !this.stays;
  }
}

export class FakeWebContents extends EventEmitter {}

/** Electron's MessagePortMain over a real port: nothing is delivered before `start()`. */
class FakePortMain extends EventEmitter implements PortLike {
  readonly #port: MessagePort;

  constructor(port: MessagePort) {
    super();
    this.#port = port;
    port.on("close", () => this.emit("close"));
    onTestFinished(() => port.close());
  }

  postMessage(message: unknown): void {
    this.#port.postMessage(message);
  }

  start(): void {
    this.#port.on("message", (data: unknown) => this.emit("message", { data, ports: [] }));
  }

  close(): void {
    this.#port.close();
  }
}

type Handler = (event: SenderEvent, ...args: unknown[]) => unknown;

export class FakeIpcMain extends EventEmitter {
  readonly handlers = new Map<string, Handler>();

  handle(channel: string, handler: Handler): void {
    if (this.handlers.has(channel))
      throw new Error(`Attempted to register a second handler for '${channel}'`);
    this.handlers.set(channel, handler);
  }

  removeHandler(channel: string): void {
    this.handlers.delete(channel);
  }
}

export interface Page {
  readonly ipcMain: FakeIpcMain;
  readonly ipcRenderer: IpcRendererLike;
  readonly webContents: FakeWebContents;
  /** The ports that it sent. Closed here, they are cut off, as by a reload of the page. */
  readonly ports: MessagePort[];
  /** The frame that the main process sees. */
  readonly frame: { url: string; parent: unknown };
  /** The answers to calls, as they arrived. */
  readonly answers: unknown[];
}

/** A page. All its messages go through structured clone, as between processes. */
export function openPage(ipcMain: FakeIpcMain, url = "file:///app/index.html"): Page {
  const webContents = new FakeWebContents();
  const frame = { url, parent: null as unknown };
  const answers: unknown[] = [];
  const ports: MessagePort[] = [];
  const event = (more: object = {}): SenderEvent => ({ sender: webContents, senderFrame: frame, ...more });
  const ipcRenderer: IpcRendererLike = {
    invoke: async (channel, ...args) => {
      const sent = structuredClone(args);
      await Promise.resolve();
      try {
        const handler = ipcMain.handlers.get(channel);
        if (handler === undefined) throw new Error(`No handler registered for '${channel}'`);
        const answer: unknown = structuredClone(await handler(event(), ...sent));
        answers.push(answer);
        return answer;
      } catch (error) {
        // As in Electron, only the message is left of an error.
        // oxlint-disable-next-line eslint/preserve-caught-error
        throw new Error(`Error invoking remote method '${channel}': ${String(error)}`);
      }
    },
    send: (channel, ...args) => {
      const sent = structuredClone(args);
      queueMicrotask(() => ipcMain.emit(channel, event(), ...sent));
    },
    postMessage: (channel, message, transfer = []) => {
      const sent = structuredClone(message);
      ports.push(...(transfer as MessagePort[]));
      const mains = (transfer as MessagePort[]).map((port) => new FakePortMain(port));
      queueMicrotask(() => ipcMain.emit(channel, event({ ports: mains }), sent));
    },
  };
  return { ipcMain, ipcRenderer, webContents, ports, frame, answers };
}

/** What the other world sees of `api`: functions and copies; errors lose all but their message, symbols are dropped. */
export function acrossContextBridge<T>(api: T): T {
  return copy(api) as T;
}

function copy(value: unknown): unknown {
  if (typeof value === "function") {
    return (...args: unknown[]): unknown => {
      try {
        return copy((value as (...args: unknown[]) => unknown)(...args.map(copy)));
      } catch (error) {
        throw bare(error);
      }
    };
  }
  if (value instanceof Promise) {
    return value.then(copy, (error: unknown) => {
      throw bare(error);
    });
  }
  if (Array.isArray(value)) return value.map(copy);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return structuredClone(value);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, copy(item)]));
}

function bare(error: unknown): Error {
  return new Error(error instanceof Error ? error.message : String(error));
}
