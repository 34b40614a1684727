import { textOf } from "./remote-fault.js";
import type { PortLike } from "./stream-relay.js";

/** The part of Electron's `WebContents` that is used here. */
export interface WebContentsLike {
  /** The page and its window are gone. */
  once(event: "destroyed", listener: () => void): unknown;
  /** Takes a listener of `once` back. */
  removeListener(event: "destroyed", listener: () => void): unknown;
}

/** The part of Electron's `IpcMainInvokeEvent` and `IpcMainEvent` that is used here. */
export interface SenderEvent {
  /** The WebContents of the page. */
  readonly sender: WebContentsLike;
  /** Null if the page is gone. */
  readonly senderFrame: {
    /** Its URL. */
    readonly url: string;
    /** The parent frame; null for a page's main frame. */
    readonly parent?: unknown;
  } | null;
  /** The ports that came with the message. */
  readonly ports?: readonly PortLike[];
}

/** Which pages may call. All given conditions must hold. */
export interface SenderOptions {
  /**
   * Origins of pages that may call, such as `"app://bundle"` or `"http://localhost:5173"`. Default `["file://"]`: only
   * pages that were loaded from files.
   */
  origins?: readonly string[] | undefined;
  /** Which WebContents may call. Read with each message, so a Set may grow. Default: any. */
  webContents?: Iterable<unknown> | undefined;
  /** A custom check. */
  allow?: ((event: SenderEvent) => boolean) | undefined;
}

/** Returns why an event is refused; null if it is not. */
export type SenderCheck = (event: SenderEvent) => string | null;

/** Checks the options and returns the check. Throws TypeError. */
export function senderCheck({ origins = ["file://"], webContents, allow }: SenderOptions): SenderCheck {
  if (!Array.isArray(origins)) throw new TypeError('option "origins" must be an array of strings');
  const allowed = new Set(origins.map(checkOrigin));
  if (webContents !== undefined && typeof webContents[Symbol.iterator] !== "function") {
    throw new TypeError('option "webContents" must be an array or a Set of WebContents');
  }
  if (allow !== undefined && typeof allow !== "function") {
    throw new TypeError('option "allow" must be a function');
  }
  return (event) => {
    const refusal = refusePage(event.senderFrame, allowed);
    if (refusal !== null) return refusal;
    if (webContents !== undefined && !includes(webContents, event.sender)) {
      return 'this window may not call (option "webContents")';
    }
    return allow === undefined || allows(allow, event) ? null : 'this page may not call (option "allow")';
  };
}

function refusePage(
  frame: SenderEvent["senderFrame"] | undefined,
  allowed: ReadonlySet<string>,
): string | null {
  const gone = "the page that called is gone";
  if (frame === null || frame === undefined) return gone;
  try {
    // An inner frame may show a foreign page.
    if (frame.parent !== null && frame.parent !== undefined) return "only the main frame of a page may call";
    const origin = originOf(frame.url);
    if (origin !== null && allowed.has(origin)) return null;
    return `pages from ${origin ?? "nowhere"} may not call (option "origins")`;
  } catch {
    // Electron's frames throw once their page is gone.
    return gone;
  }
}

/** If `allow` throws, the event is refused. This function never throws, because some callers cannot catch. */
function allows(allow: (event: SenderEvent) => boolean, event: SenderEvent): boolean {
  try {
    // A promise would count as true, even a promise of false.
    const answer: unknown = allow(event);
    return answer === true;
  } catch (error) {
    process.emitWarning(`option "allow" has thrown, and the page was refused: ${textOf(error)}`);
    return false;
  }
}

/** A URL's scheme and host. `URL.origin` is "null" for an app's own schemes. */
function originOf(url: string): string | null {
  if (!URL.canParse(url)) return null;
  const { protocol, host } = new URL(url);
  // In these schemes the rest of the URL is not a host, and does not tell which page made them.
  return ["data:", "blob:", "about:", "javascript:"].includes(protocol) ? null : `${protocol}//${host}`;
}

function checkOrigin(origin: unknown): string {
  const found = typeof origin === "string" ? originOf(origin) : null;
  if (found === null || (origin !== found && origin !== `${found}/`)) {
    throw new TypeError(
      `option "origins": ${JSON.stringify(origin)} is no origin such as "app://bundle" or "http://localhost:5173"`,
    );
  }
  return found;
}

function includes(list: Iterable<unknown>, wanted: unknown): boolean {
  for (const one of list) if (one === wanted) return true;
  return false;
}
