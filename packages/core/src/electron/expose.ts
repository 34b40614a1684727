import { Cloner, isStream } from "./cloneable.js";
import {
  abortChannelOf,
  DEFAULT_CHANNEL,
  type Envelope,
  ipcFault,
  IpcCode,
  methodChannel,
  type Methods,
  openChannelOf,
  type RemoteFault,
  SIGNAL,
} from "./envelope.js";
import { remoteFault } from "./remote-fault.js";
import {
  type SenderCheck,
  senderCheck,
  type SenderEvent,
  type SenderOptions,
  type WebContentsLike,
} from "./sender.js";
import { StreamRelay } from "./stream-relay.js";
import { integer } from "../options/connect-options.js";

/** The part of Electron's `ipcMain` that is used here. */
export interface IpcMainLike {
  /** Answers calls of `invoke`. */
  handle(channel: string, listener: (event: SenderEvent, ...args: unknown[]) => unknown): void;
  /** Removes a handler. */
  removeHandler(channel: string): void;
  /** Listens to messages of `send`. */
  on(channel: string, listener: (event: SenderEvent, ...args: unknown[]) => void): unknown;
  /** Removes a listener. */
  removeListener(channel: string, listener: (event: SenderEvent, ...args: unknown[]) => void): unknown;
}

/** Options of {@link exposePool}. */
export interface ExposeOptions extends SenderOptions {
  /** Prefix of each method's name. Default `"sqlite-aio"`. The client needs the same one. */
  channel?: string | undefined;
  /** Send the page the SQL of a failed statement. Default false. */
  includeSql?: boolean | undefined;
  /** Streams that one window may have open. Default 32. */
  maxStreams?: number | undefined;
}

/** Milliseconds after which a page that has not sent its port counts as gone. */
const UNOPENED_MS = 10_000;

/** Calls and streams of one window. */
class SenderState {
  readonly calls = new Map<string, AbortController>();
  readonly unopened = new Map<string, { relay: StreamRelay; timer: NodeJS.Timeout }>();
  /** Streams whose iterators have not ended. */
  readonly relays = new Set<StreamRelay>();
  readonly #sender: WebContentsLike;
  readonly #onDestroyed: () => void;
  #ended = false;

  constructor(sender: WebContentsLike, onDestroyed: () => void) {
    this.#sender = sender;
    this.#onDestroyed = onDestroyed;
    sender.once("destroyed", onDestroyed);
  }

  /** The window is gone, or the methods were removed. */
  get ended(): boolean {
    return this.#ended;
  }

  end(): void {
    this.#ended = true;
    this.#sender.removeListener("destroyed", this.#onDestroyed);
    for (const { timer } of this.unopened.values()) clearTimeout(timer);
    this.unopened.clear();
    for (const relay of this.relays) relay.end();
    for (const controller of this.calls.values()) controller.abort();
    this.calls.clear();
  }
}

/** Named methods that pages may call. */
export class Exposure {
  readonly #ipcMain: IpcMainLike;
  readonly #channel: string;
  readonly #includeSql: boolean;
  readonly #maxStreams: number;
  readonly #refusal: SenderCheck;
  readonly #senders = new Map<WebContentsLike, SenderState>();
  readonly #channels: string[] = [];
  #listening = false;
  #streams = 0;

  readonly #describe = (error: unknown): RemoteFault => remoteFault(error, this.#includeSql);

  constructor(ipcMain: IpcMainLike, methods: Methods, options: ExposeOptions) {
    this.#ipcMain = ipcMain;
    this.#channel = options.channel ?? DEFAULT_CHANNEL;
    if (typeof this.#channel !== "string") throw new TypeError('option "channel" must be a string');
    this.#includeSql = options.includeSql === true;
    this.#maxStreams = integer(options.maxStreams, "maxStreams", 32, 0);
    this.#refusal = senderCheck(options);
    try {
      for (const [name, method] of Object.entries(methods)) this.#handle(name, method);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    for (const channel of this.#channels) this.#ipcMain.removeHandler(channel);
    this.#channels.length = 0;
    if (this.#listening) {
      this.#ipcMain.removeListener(openChannelOf(this.#channel), this.#onOpen);
      this.#ipcMain.removeListener(abortChannelOf(this.#channel), this.#onAbort);
      this.#listening = false;
    }
    for (const state of this.#senders.values()) state.end();
    this.#senders.clear();
  }

  #handle(name: string, method: (...args: never[]) => unknown): void {
    const channel = methodChannel(this.#channel, name);
    this.#ipcMain.handle(channel, (event, ...args) => this.#call(event, method, args));
    this.#channels.push(channel);
  }

  async #call(event: SenderEvent, method: (...args: never[]) => unknown, args: unknown[]): Promise<Envelope> {
    const refusal = this.#refusal(event);
    if (refusal !== null) return { ok: false, error: ipcFault(IpcCode.SENDER, refusal) };
    const controller = new AbortController();
    // Registered before the call, because the window may be destroyed during it.
    const state = this.#stateOf(event);
    const over = follow(state, args, controller);
    try {
      const value = await method(...(args as never[]));
      if (isStream(value)) {
        const stopped = (): void => {
          over();
          controller.abort();
        };
        return this.#offer(state, value, stopped);
      }
      over();
      return { ok: true, value: new Cloner(this.#describe).copy(value) };
    } catch (error) {
      over();
      return { ok: false, error: this.#describe(error) };
    }
  }

  /** Keeps a stream until the page sends the port for it. */
  #offer(state: SenderState, source: AsyncIterable<unknown>, stopped: () => void): Envelope {
    const iterator = source[Symbol.asyncIterator]();
    const relay = new StreamRelay(iterator, this.#describe, {
      stopped,
      ended: () => state.relays.delete(relay),
    });
    const refusal = state.ended
      ? "the window is gone, or the methods were taken back"
      : state.relays.size >= this.#maxStreams
        ? `this window has ${this.#maxStreams} streams open (option "maxStreams")`
        : null;
    if (refusal !== null) {
      relay.end();
      return { ok: false, error: ipcFault(IpcCode.STREAM, refusal) };
    }
    state.relays.add(relay);
    const stream = String(++this.#streams);
    const timer = setTimeout(() => {
      state.unopened.delete(stream);
      relay.end();
    }, UNOPENED_MS);
    timer.unref();
    state.unopened.set(stream, { relay, timer });
    return { ok: true, stream };
  }

  readonly #onOpen = (event: SenderEvent, stream: unknown): void => {
    const port = event.ports?.[0];
    if (port === undefined) return;
    const found =
      this.#refusal(event) === null && typeof stream === "string"
        ? this.#senders.get(event.sender)?.unopened.get(stream)
        : undefined;
    if (found === undefined) {
      port.postMessage({ ok: false, error: ipcFault(IpcCode.UNKNOWN, "there is no such stream") });
      port.close();
      return;
    }
    clearTimeout(found.timer);
    this.#senders.get(event.sender)?.unopened.delete(stream as string);
    found.relay.serve(port);
  };

  readonly #onAbort = (event: SenderEvent, id: unknown): void => {
    if (typeof id !== "string" || this.#refusal(event) !== null) return;
    this.#senders.get(event.sender)?.calls.get(id)?.abort();
  };

  #stateOf(event: SenderEvent): SenderState {
    this.#listen();
    const { sender } = event;
    let state = this.#senders.get(sender);
    if (state === undefined) {
      const made = new SenderState(sender, () => {
        this.#senders.delete(sender);
        made.end();
      });
      this.#senders.set(sender, made);
      state = made;
    }
    return state;
  }

  /** Listens from the first call on; before it there is nothing to open or cancel. */
  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.#ipcMain.on(openChannelOf(this.#channel), this.#onOpen);
    this.#ipcMain.on(abortChannelOf(this.#channel), this.#onAbort);
  }
}

/** Replaces the page's placeholder by a signal. Returns a function that forgets it. */
function follow({ calls }: SenderState, args: unknown[], controller: AbortController): () => void {
  const id = signalId(args.at(-1));
  if (id === null) return () => {};
  calls.set(id, controller);
  args[args.length - 1] = controller.signal;
  // The page may have given another call the same id.
  return () => {
    if (calls.get(id) === controller) calls.delete(id);
  };
}

function signalId(value: unknown): string | null {
  const id = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[SIGNAL] : null;
  return typeof id === "string" ? id : null;
}
