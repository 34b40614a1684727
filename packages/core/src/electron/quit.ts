import { integer } from "../options/connect-options.js";
import { textOf } from "./remote-fault.js";

/** A pool, a connection, or another object with close(). */
export interface Closable {
  /** Resolves when it is closed. Closes by force after `timeout` milliseconds. */
  close(options?: { timeout?: number | undefined }): Promise<unknown>;
}

/** The part of an Electron event that is used here. */
export interface PreventableEvent {
  /** Prevents the event's default action. */
  preventDefault(): void;
  /** Another listener has called it already. */
  readonly defaultPrevented?: boolean;
}

type OnEvent = (event: PreventableEvent) => void;
type OnWindow = (event: unknown, window: WindowLike) => void;

/** The part of Electron's `app` that is used here. */
export interface AppLike {
  /** The app was asked to quit, and its windows are still there. */
  on(event: "before-quit", listener: OnEvent): unknown;
  /** All windows are closed, and the app is about to quit. */
  on(event: "will-quit", listener: OnEvent): unknown;
  /** A window was opened. */
  on(event: "browser-window-created", listener: OnWindow): unknown;
  /** Takes a listener of `on` back. */
  removeListener(event: "before-quit", listener: OnEvent): unknown;
  /** Takes a listener of `on` back. */
  removeListener(event: "will-quit", listener: OnEvent): unknown;
  /** Takes a listener of `on` back. */
  removeListener(event: "browser-window-created", listener: OnWindow): unknown;
  /** Asks the app to quit. */
  quit(): void;
}

/** The part of Electron's `BrowserWindow` that is used here. */
export interface WindowLike {
  /** Windows logs off or shuts down. */
  on(event: "session-end", listener: () => void): unknown;
  /** The window is gone. */
  once(event: "closed", listener: () => void): unknown;
  /** Takes a listener of `on` back. */
  removeListener(event: "session-end", listener: () => void): unknown;
  /** Takes a listener of `once` back. */
  removeListener(event: "closed", listener: () => void): unknown;
}

/** The part of Electron's `powerMonitor` that is used here. */
export interface PowerMonitorLike {
  /** macOS or Linux shuts down. */
  // Electron's types know nothing of the event that its documentation names.
  on(event: "shutdown", listener: () => void): unknown;
  /** Takes a listener of `on` back. */
  removeListener(event: "shutdown", listener: () => void): unknown;
}

/** Options of {@link closeOnQuit}. */
export interface CloseOnQuitOptions {
  /** Milliseconds that calls under way may take; the app quits half a second later at the latest. Default 5000. */
  timeout?: number | undefined;
  /**
   * The event to close at. Default `"before-quit"`, which comes before the windows close: a window that then refuses to
   * close leaves an app without its pool. At `"will-quit"` all windows are closed, and could use the pool until then.
   */
  event?: "before-quit" | "will-quit" | undefined;
  /** Windows that are open already; those opened later are noticed. For Windows' `session-end`. */
  windows?: Iterable<WindowLike> | undefined;
  /** Electron's `powerMonitor`: delays a shutdown of macOS or Linux until the pool is closed. */
  powerMonitor?: PowerMonitorLike | undefined;
}

/** Milliseconds for the checkpoint and the end of the threads, after the calls. */
const GRACE_MS = 500;

/**
 * Closes `pool` when the app quits: delays the quit once, closes, and quits again, at the deadline in any case. If the
 * pool could not be closed in time, there is a process warning. When Windows ends the session, closes as far as there
 * is time, without a delay. The returned function removes all listeners.
 *
 * @example
 * const pool = await createPool(join(app.getPath("userData"), "app.db"));
 * closeOnQuit(app, pool, { timeout: 3000 });
 */
export function closeOnQuit(app: AppLike, pool: Closable, options: CloseOnQuitOptions = {}): () => void {
  const timeout = integer(options.timeout, "timeout", 5000, 0);
  const { event: quitEvent = "before-quit", windows = [], powerMonitor } = options;
  if (quitEvent !== "before-quit" && quitEvent !== "will-quit") {
    throw new RangeError('option "event" must be "before-quit" or "will-quit"');
  }
  if (typeof (pool as Closable | undefined)?.close !== "function") {
    throw new TypeError("closeOnQuit: the second argument must be a pool or a connection");
  }

  let closing: Promise<void> | null = null;
  let over = false;
  const quit = (): void => {
    closing ??= closeInTime(pool, timeout).then(() => {
      over = true;
      app.quit();
    });
  };

  const onQuit = (event: PreventableEvent): void => {
    // Another listener has prevented the quit, so the app still needs its pool.
    if (over || (closing === null && event.defaultPrevented === true)) return;
    event.preventDefault();
    quit();
  };
  const onShutdown = (event?: PreventableEvent): void => {
    if (over) return;
    event?.preventDefault();
    quit();
  };
  const onSessionEnd = (): void => {
    // The process ends as soon as the listeners have returned. Committed data is in the file or its log.
    over = true;
    closing ??= closeInTime(pool, timeout);
  };
  /** Windows, with their `closed` listeners. */
  const watched = new Map<WindowLike, () => void>();
  const watch = (window: WindowLike): void => {
    if (watched.has(window)) return;
    const onClosed = (): void => void watched.delete(window);
    watched.set(window, onClosed);
    window.on("session-end", onSessionEnd);
    window.once("closed", onClosed);
  };
  const onWindow = (_: unknown, window: WindowLike): void => watch(window);

  app.on(quitEvent as "before-quit", onQuit);
  app.on("browser-window-created", onWindow);
  powerMonitor?.on("shutdown", onShutdown);
  for (const window of windows) watch(window);

  return () => {
    app.removeListener(quitEvent as "before-quit", onQuit);
    app.removeListener("browser-window-created", onWindow);
    powerMonitor?.removeListener("shutdown", onShutdown);
    for (const [window, onClosed] of watched) {
      window.removeListener("session-end", onSessionEnd);
      window.removeListener("closed", onClosed);
    }
    watched.clear();
  };
}

/** Resolves when the pool is closed, when closing failed, or at the deadline. */
async function closeInTime(pool: Closable, timeout: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<string>((resolve) => {
    timer = setTimeout(
      () => resolve(`it took longer than ${timeout} ms (option "timeout")`),
      timeout + GRACE_MS,
    );
  });
  const closed = (async () => pool.close({ timeout }))().then(
    () => null,
    (error: unknown) => textOf(error),
  );
  const problem = await Promise.race([closed, deadline]);
  clearTimeout(timer);
  if (problem !== null) process.emitWarning(`the pool was not closed before the app quit: ${problem}`);
}
