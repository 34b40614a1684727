import { END, ipcFault, IpcCode, PULL, type StreamMessage } from "./envelope.js";

/** The part of the DOM's MessagePort that is used here. Electron adds the `close` event. */
interface DomPort {
  addEventListener(type: string, listener: (event: object) => void): void;
  postMessage(message: unknown): void;
  start(): void;
  close(): void;
}

/** The messages of a stream's port, on request. */
export function messagesOf(port: DomPort): { pull(): Promise<StreamMessage>; end(): void } {
  const closed: StreamMessage = {
    ok: false,
    error: ipcFault(IpcCode.STREAM, "the stream was closed by the main process"),
  };
  const arrived: StreamMessage[] = [];
  let waiting: ((message: StreamMessage) => void) | null = null;
  let over = false;
  port.addEventListener("message", (event) => {
    const message = (event as { readonly data: StreamMessage }).data;
    if (!message.ok || message.done) over = true;
    if (waiting === null) arrived.push(message);
    else waiting(message);
    waiting = null;
  });
  port.addEventListener("close", () => {
    over = true;
    waiting?.(closed);
    waiting = null;
  });
  port.start();
  return {
    pull: () => {
      const message = arrived.shift();
      if (message !== undefined) return Promise.resolve(message);
      if (over) return Promise.resolve(closed);
      port.postMessage(PULL);
      return new Promise((resolve) => {
        waiting = resolve;
      });
    },
    end: () => {
      over = true;
      port.postMessage(END);
      port.close();
      waiting?.(closed);
      waiting = null;
    },
  };
}
