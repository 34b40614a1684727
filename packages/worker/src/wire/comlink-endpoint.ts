import type { Endpoint } from "comlink";

/** What both a Worker and a MessagePort are to us. */
export interface Port {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
}

/** Comlink's messages, as far as the compact form needs them. */
interface ApplyMessage {
  id: string;
  type: "APPLY";
  path: string[];
}
interface ReturnMessage {
  id: string | number;
  type: string;
  value: unknown;
}

type Listener = (event: { data: unknown }) => void;

/** The one call that crosses in the compact form. */
const HOT = "run";

export interface CallerEndpoint extends Endpoint {
  /**
   * Posts the frame that Comlink is told of next, by a call of `run` with it. What Comlink does for a call (5 us, most
   * of them for its random id) is done while the thread is at work already.
   */
  post(frame: unknown, transfer: readonly ArrayBuffer[]): void;
}

/**
 * Main side. Comlink's envelope of a call is an object with a random id of four parts, a path and wrapped arguments;
 * for `run` it crosses as `[number, frame]` and its answer as `[number, reply]` (`[number, error,
 * true]` if the thread threw), and Comlink sees its own form on both sides. Answers come in order, so the ids wait in a queue.
 */
export function callerEndpoint(port: Port): CallerEndpoint {
  const ids: string[] = [];
  let listener: Listener | undefined;
  let calls = 0;
  port.on("message", (data) => {
    if (!Array.isArray(data)) listener?.({ data });
    else if (data.length === 2) listener?.({ data: { id: ids.shift(), type: "RAW", value: data[1] } });
    else listener?.({ data: { id: ids.shift(), type: "HANDLER", name: "throw", value: data[1] } });
  });
  return {
    post(frame, transfer) {
      port.postMessage([++calls, frame], transfer);
    },
    postMessage(message: unknown, transfer?: unknown) {
      const call = message as ApplyMessage;
      if (call.type === "APPLY" && call.path.length === 1 && call.path[0] === HOT) ids.push(call.id);
      else port.postMessage(message, transfer as ArrayBuffer[] | undefined);
    },
    addEventListener(_type: string, added: unknown) {
      listener = added as Listener;
    },
    removeEventListener() {
      listener = undefined;
    },
  };
}

export interface ServerEndpoint extends Endpoint {
  /** Hands a message that was taken off the port by other means to Comlink. */
  deliver(message: unknown): void;
}

/** Thread side of {@link callerEndpoint}; `posted` runs after each answer to `run` has left. */
export function serverEndpoint(port: Port, posted: () => void): ServerEndpoint {
  let listener: Listener | undefined;
  const deliver = (data: unknown): void => {
    if (!Array.isArray(data)) listener?.({ data });
    else {
      listener?.({
        data: { id: data[0], type: "APPLY", path: [HOT], argumentList: [{ type: "RAW", value: data[1] }] },
      });
    }
  };
  port.on("message", deliver);
  return {
    deliver,
    postMessage(message: unknown, transfer?: unknown) {
      const answer = message as ReturnMessage;
      if (typeof answer.id === "number") {
        const compact: unknown[] = [answer.id, answer.value];
        if (answer.type !== "RAW") compact.push(true);
        port.postMessage(compact, transfer as ArrayBuffer[] | undefined);
        posted();
      } else port.postMessage(message, transfer as ArrayBuffer[] | undefined);
    },
    addEventListener(_type: string, added: unknown) {
      listener = added as Listener;
    },
    removeEventListener() {
      listener = undefined;
    },
  };
}
