import { NotCloneableError, Cloner, isStream } from "./cloneable.js";
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
import { type SenderCheck, senderCheck, type SenderEvent, type SenderOptions } from "./sender.js";
import { StreamRelay } from "./stream-relay.js";
import { integer } from "../options/connect-options.js";

/** The part of Electron's `ipcMain` that is used here. */
export interface IpcMainLike {
  /** Answers what pages `invoke`. */
  handle(channel: string, listener: (event: SenderEvent, ...args: unknown[]) => unknown): void;
  /** Takes the answer of `handle` back. */
  removeHandler(channel: string): void;
  /** Hears what pages `send`. */
  on(channel: string, listener: (event: SenderEvent, ...args: unknown[]) => void): unknown;
  /** Takes a listener of `on` back. */
  removeListener(channel: string, listener: (event: SenderEvent, ...args: unknown[]) => void): unknown;
}

/** Options of {@link exposePool}. */
export interface ExposeOptions extends SenderOptions {
  /** Before the name of each method. Default `"sqlite-aio"`; the client is given the same. */
  channel?: string | undefined;
  /** Tell the page the SQL of the statement that failed. Default false. */
  includeSql?: boolean | undefined;
  /** Streams that one window may have open. Default 32. */
  maxStreams?: number | undefined;
}

/** A page that has not sent its port after this many ms is gone. */
const UNOPENED_MS = 10_000;

/** What is under way for one window. */
class SenderState {
  readonly calls = new Map<string, AbortController>();
  readonly unopened = new Map<string, { relay: StreamRelay; timer: NodeJS.Timeout }>();
  readonly relays = new Set<StreamRelay>();
  /** The window is gone, or the methods were taken back. */
  ended = false;

  end(): void {
    this.ended = true;
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
  readonly #senders = new Map<object, SenderState>();
  readonly #channels: string[] = [];
  #listening = false;
  #streams = 0;

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
    // Not later, when the window may have told that it is gone.
    const state = this.#stateOf(event);
    const over = follow(state, args, controller);
    try {
      const value = await method(...(args as never[]));
      if (isStream(value)) {
        const ended = (): void => {
          over();
          controller.abort();
        };
        return this.#offer(state, value, ended);
      }
      over();
      return { ok: true, value: new Cloner().copy(value) };
    } catch (error) {
      over();
      return { ok: false, error: this.#describe(error) };
    }
  }

  /** Keeps a stream until the page sends the port for it. */
  #offer(state: SenderState, source: AsyncIterable<unknown>, ended: () => void): Envelope {
    const iterator = source[Symbol.asyncIterator]();
    const relay = new StreamRelay(
      iterator,
      (error) => this.#describe(error),
      () => {
        state.relays.delete(relay);
        ended();
      },
    );
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
    this.#senders.get(event.sender)?.calls.get(String(id))?.abort();
  };

  #stateOf(event: SenderEvent): SenderState {
    this.#listen();
    const { sender } = event;
    let state = this.#senders.get(sender);
    if (state === undefined) {
      const made = new SenderState();
      this.#senders.set(sender, made);
      sender.once("destroyed", () => {
        this.#senders.delete(sender);
        made.end();
      });
      state = made;
    }
    return state;
  }

  /** Only once there can be something to open or to give up. */
  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.#ipcMain.on(openChannelOf(this.#channel), this.#onOpen);
    this.#ipcMain.on(abortChannelOf(this.#channel), this.#onAbort);
  }

  #describe(error: unknown): RemoteFault {
    if (!(error instanceof Error)) return { name: "Error", message: String(error) };
    const { code, sql } = error as { code?: unknown; sql?: unknown };
    return {
      name: error instanceof NotCloneableError ? "IpcError" : error.name,
      message: error.message,
      ...(typeof code === "string" ? { code } : {}),
      ...(this.#includeSql && typeof sql === "string" ? { sql } : {}),
    };
  }
}

/** Puts a signal where the page gave one, and gives what forgets it. */
function follow({ calls }: SenderState, args: unknown[], controller: AbortController): () => void {
  const id = signalId(args.at(-1));
  if (id === null) return () => {};
  calls.set(id, controller);
  args[args.length - 1] = controller.signal;
  return () => void calls.delete(id);
}

function signalId(value: unknown): string | null {
  const id = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[SIGNAL] : null;
  return typeof id === "string" ? id : null;
}
