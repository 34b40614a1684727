import type { ToApp, ToPage } from "./messages.ts";

type Preload = (require: (name: string) => unknown) => void;

/** The functions that the stand-in and puppeteer give to the page. */
interface Shared {
  toApp(message: ToApp): void;
  fromApp(message: ToPage): void;
}

/**
 * Stands in for Electron in a page, for its preload script. It is sent to the page as text, so it cannot use anything
 * outside itself. Messages to the main process go through `toApp` and arrive through `fromApp`.
 */
export function beElectron(preload: Preload): void {
  const shared = globalThis as unknown as Shared & Record<string, unknown>;
  const { toApp } = shared;
  const calls = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  const ports = new Map<number, MessagePort>();
  let last = 0;

  const ipcRenderer = {
    invoke: (channel: string, ...args: unknown[]) =>
      new Promise((resolve, reject) => {
        const id = ++last;
        calls.set(id, { resolve, reject });
        toApp({ type: "invoke", id, channel, args });
      }),
    send: (channel: string, ...args: unknown[]) => toApp({ type: "send", channel, args }),
    postMessage: (channel: string, message: unknown, [port]: MessagePort[]) => {
      const id = ++last;
      if (port === undefined) throw new TypeError("no port was given");
      ports.set(id, port);
      port.addEventListener("message", ({ data }) => toApp({ type: "port-message", port: id, data }));
      port.addEventListener("close", () => toApp({ type: "port-close", port: id }));
      port.start();
      toApp({ type: "post", channel, message, port: id });
    },
  };

  shared.fromApp = (message) => {
    switch (message.type) {
      case "answer":
        calls.get(message.id)?.resolve(message.value);
        break;
      case "refusal":
        calls.get(message.id)?.reject(new Error(message.message));
        break;
      case "port-message":
        ports.get(message.port)?.postMessage(message.data);
        break;
      case "port-close":
        ports.get(message.port)?.close();
    }
  };

  // Copies as contextBridge does: functions, and plain data.
  const across = (value: unknown): unknown => {
    if (typeof value === "function") {
      return (...args: unknown[]) => across((value as (...args: unknown[]) => unknown)(...args.map(across)));
    }
    if (value instanceof Promise) return value.then(across);
    if (Array.isArray(value)) return value.map(across);
    if (typeof value !== "object" || value === null) return structuredClone(value);
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, across(item)]));
  };
  const contextBridge = {
    exposeInMainWorld: (name: string, api: unknown) => {
      shared[name] = across(api);
    },
  };

  preload((name) => {
    if (name !== "electron") throw new Error(`module not found: ${name}`);
    return { contextBridge, ipcRenderer };
  });
}
