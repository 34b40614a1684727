// Shared by the main process and the preload script: imports nothing, so that it can be bundled for a sandbox.

/** Prefix of each method's name; see `channel` of the options. */
export const DEFAULT_CHANNEL = "sqlite-aio";

/** Replaces the caller's AbortSignal, which cannot be sent. */
export const SIGNAL = "sqlite-aio:signal";

/** Channel of a method, on which `invoke` is answered by an {@link Envelope}. */
export function methodChannel(channel: string, method: string): string {
  return `${channel}:${method}`;
}

/** Channel on which the renderer sends the port for a stream. */
export function openChannelOf(channel: string): string {
  return `${channel}/open`;
}

/** Channel on which the renderer cancels a call. */
export function abortChannelOf(channel: string): string {
  return `${channel}/abort`;
}

/** Functions that a renderer may call by name. */
export type Methods = Readonly<Record<string, (...args: never[]) => unknown>>;

/** The parts of an error that are sent: never its parameters, its stack or its cause. */
export interface RemoteFault {
  /** Name of the error's class, such as `"IntegrityError"`. */
  readonly name: string;
  /** The error's message. */
  readonly message: string;
  /** Code such as `"SQLITE_CONSTRAINT_UNIQUE"`; missing for errors without a code. */
  readonly code?: string;
  /** Text of the statement, only with `includeSql`. */
  readonly sql?: string;
}

/** Answer to a call: its value, the number of the stream that it gives, or why it failed. */
export type Envelope =
  | {
      /** It succeeded. */
      readonly ok: true;
      /** The method's result. */
      readonly value: unknown;
    }
  | {
      /** It succeeded. */
      readonly ok: true;
      /** Name for opening the stream. */
      readonly stream: string;
    }
  | {
      /** It failed. */
      readonly ok: false;
      /** Why. */
      readonly error: RemoteFault;
    };

/** Answer to a request for more items of a stream. */
export type StreamMessage =
  | {
      /** The stream goes on, or has come to its end. */
      readonly ok: true;
      /** The items, in order. */
      readonly items: readonly unknown[];
      /** These were the last. */
      readonly done: boolean;
    }
  | {
      /** The stream failed. */
      readonly ok: false;
      /** Why. */
      readonly error: RemoteFault;
    };

/** Sent over a stream's port: more, please. */
export const PULL = "pull";

/** Sent over a stream's port: no more. */
export const END = "end";

/** Codes of errors of the communication between the processes. */
export const IpcCode = {
  /** The page may not call; see `origins`, `webContents` and `allow`. */
  SENDER: "SQLITE_AIO_IPC_SENDER",
  /** There is no such method, or no such stream. */
  UNKNOWN: "SQLITE_AIO_IPC_UNKNOWN",
  /** A value that cannot be sent. */
  CLONE: "SQLITE_AIO_IPC_CLONE",
  /** Too many streams, or a stream that the other side has closed. */
  STREAM: "SQLITE_AIO_IPC_STREAM",
  /** Electron itself refused the message. */
  FAILED: "SQLITE_AIO_IPC_FAILED",
} as const;

/** @internal */
export function ipcFault(code: string, message: string): RemoteFault {
  return { name: "IpcError", code, message };
}
