/**
 * For Electron's preload scripts and pages: the other end of `exposePool()`.
 *
 * @module @sqlite-aio/core/electron/preload
 */
import {
  abortChannelOf,
  DEFAULT_CHANNEL,
  type Envelope,
  ipcFault,
  IpcCode,
  methodChannel,
  type Methods,
  openChannelOf,
  type StreamMessage,
  SIGNAL,
} from "./envelope.js";
import { messagesOf } from "./port-messages.js";
import { RemoteError, RemoteStream } from "./remote-stream.js";

export type { Envelope, Methods, RemoteFault, StreamMessage } from "./envelope.js";
export { RemoteError, type RemoteStream } from "./remote-stream.js";

/** The part of Electron's `ipcRenderer` that is used here. */
export interface IpcRendererLike {
  /** Sends a call and returns its answer. */
  invoke(channel: string, ...args: unknown[]): Promise<unknown>;
  /** Sends a message without an answer. */
  send(channel: string, ...args: unknown[]): void;
  /** Sends a port along. */
  postMessage(channel: string, message: unknown, transfer?: unknown[]): void;
}

/** The source of a stream's items. */
export interface StreamSource {
  /** Asks for the next items. Never rejects. */
  pull(): Promise<StreamMessage>;
  /** Ends the stream. */
  end(): void;
}

/**
 * The interface for `contextBridge`: functions and plain data, because errors lose their code there and iterators are
 * dropped.
 */
export interface Bridge {
  /** Never rejects. */
  call(method: string, args: readonly unknown[]): Promise<Envelope>;
  /** Opens a stream by the name from a call's answer. */
  open(stream: string): StreamSource;
  /** Cancels a call. */
  abort(id: string): void;
}

/** Options of {@link createBridge} and {@link createClient}. */
export interface ClientOptions {
  /** The channel of `exposePool`. Default `"sqlite-aio"`. */
  channel?: string | undefined;
}

/** The type of a value after sending: a Buffer is a Uint8Array, and classes are gone. */
export type Sent<T> = T extends Uint8Array
  ? Uint8Array
  : T extends Date | RegExp | ArrayBuffer | ArrayBufferView | Error
    ? T
    : T extends readonly (infer Item)[]
      ? number extends T["length"]
        ? Sent<Item>[]
        : { [Index in keyof T]: Sent<T[Index]> }
      : T extends object
        ? { [Key in keyof T]: Sent<T[Key]> }
        : T;

/** The result of a method in the page: a promise; for a stream it can be iterated without awaiting it. */
export type Answer<Result> =
  Awaited<Result> extends AsyncIterable<infer Item>
    ? Promise<RemoteStream<Sent<Item>>> & AsyncIterable<Sent<Item>>
    : Promise<Sent<Awaited<Result>>>;

/** The methods of the main process in the page's form. */
export type Client<M> = {
  readonly [Name in keyof M]: M[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Answer<Result>
    : never;
};

/**
 * Makes the object that a preload script exposes to the page, which makes a client from it.
 *
 * @example
 * contextBridge.exposeInMainWorld("notes", createBridge(ipcRenderer));
 */
export function createBridge(
  ipcRenderer: IpcRendererLike,
  { channel = DEFAULT_CHANNEL }: ClientOptions = {},
): Bridge {
  return {
    call: async (method, args) => {
      try {
        return (await ipcRenderer.invoke(methodChannel(channel, method), ...args)) as Envelope;
      } catch (error) {
        // Electron's own error: no handler is registered, or a value cannot be sent.
        const message = messageOf(error);
        const code = message.includes("No handler registered") ? IpcCode.UNKNOWN : IpcCode.FAILED;
        return { ok: false, error: ipcFault(code, message) };
      }
    },
    open: (stream) => {
      const { port1, port2 } = new MessageChannel();
      ipcRenderer.postMessage(openChannelOf(channel), stream, [port2]);
      return messagesOf(port1);
    },
    abort: (id) => ipcRenderer.send(abortChannelOf(channel), id),
  };
}

/**
 * The methods given to `exposePool`, with their types: of the bridge in a page, of `ipcRenderer` in a preload script or
 * without context isolation. A call rejects with a {@link RemoteError} that has the error's `name`, `code` and `message`.
 * An AbortSignal as the last argument arrives as one.
 *
 * @typeParam M - The methods as the page calls them; see `WithoutPool` of `@sqlite-aio/core/electron`.
 *
 * @example
 * const notes = createClient<Api>(window.notes);
 * await notes.addNote("hello");
 * for await (const rows of notes.live()) show(rows);
 */
export function createClient<M extends Methods>(
  from: IpcRendererLike | Bridge,
  options: ClientOptions = {},
): Client<M> {
  const bridge = "call" in from ? from : createBridge(from, options);
  const methods = new Map<string, (...args: unknown[]) => unknown>();
  return new Proxy(Object.create(null) as Client<M>, {
    get: (_, name) => {
      // A client must not look like a promise, or an async function could not return it.
      if (typeof name !== "string" || name === "then") return undefined;
      let method = methods.get(name);
      if (method === undefined) {
        method = (...args) => call(bridge, name, args);
        methods.set(name, method);
      }
      return method;
    },
  });
}

/** Distinguishes the calls of successive pages in one window. */
const client = Math.random().toString(36).slice(2);
let calls = 0;

function call(bridge: Bridge, method: string, args: unknown[]): Promise<unknown> & AsyncIterable<unknown> {
  const last = args.at(-1);
  const signal = last instanceof AbortSignal ? last : null;
  const answer =
    signal === null ? ask(bridge, method, args, null) : cancellable(bridge, method, args, signal);
  return Object.assign(answer, {
    [Symbol.asyncIterator]: () => RemoteStream.later(answer, method),
  });
}

async function ask(
  bridge: Bridge,
  method: string,
  args: readonly unknown[],
  signal: AbortSignal | null,
): Promise<unknown> {
  const envelope = await bridge.call(method, args);
  if (!envelope.ok) throw new RemoteError(envelope.error);
  return "stream" in envelope ? new RemoteStream(bridge.open(envelope.stream), signal) : envelope.value;
}

async function cancellable(
  bridge: Bridge,
  method: string,
  args: readonly unknown[],
  signal: AbortSignal,
): Promise<unknown> {
  signal.throwIfAborted();
  const id = `${client}-${++calls}`;
  let onAbort!: () => void;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      bridge.abort(id);
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
  });
  const answer = ask(bridge, method, [...args.slice(0, -1), { [SIGNAL]: id }], signal);
  try {
    return await Promise.race([answer, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** The message of an error of any realm: a preload script may have another one than the page. */
function messageOf(error: unknown): string {
  const { message } = Object(error) as { readonly message?: unknown };
  return typeof message === "string" ? message : String(error);
}
