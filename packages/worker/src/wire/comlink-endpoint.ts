import type { Endpoint } from "comlink";

/** The common part of Worker and MessagePort that is used here. */
export interface Port {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
}

/** The parts of Comlink's messages that the compact form needs. */
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

/** The only call that is sent in the compact form. */
const HOT = "run";

export interface CallerEndpoint {
  /**
   * Posts a frame. Comlink is told of it afterwards, by a call of `run`. Comlink's own work for a call (5 us, mostly
   * for its random id) is then done while the thread is already working.
   */
  post(frame: unknown, transfer: readonly ArrayBuffer[]): void;
  /** The endpoint of one Comlink proxy. */
  line(): Endpoint;
}

/** A call of a proxy: Comlink's id, and the proxy's listener. */
interface Calling {
  readonly id: string;
  readonly line: { listener: Listener | undefined };
}

/**
 * Main side. Comlink sends a call as an object with a random id of four parts, a path and wrapped arguments. For `run`,
 * `[number, frame]` is sent instead, and answered by `[number, reply]`, or by `[number, error, true]` if the thread
 * threw. Comlink sees its own form on both sides. Answers come in order, so the ids wait in a queue. Other calls cross
 * with a number of their own: programs replace Math.random in tests, so that Comlink's ids may all be the same.
 */
export function callerEndpoint(port: Port): CallerEndpoint {
  const frames: Calling[] = [];
  const others = new Map<unknown, Calling>();
  let calls = 0;
  let sent = 0;
  port.on("message", (data) => {
    if (!Array.isArray(data)) {
      const { id } = Object(data) as ReturnMessage;
      const calling = others.get(id);
      others.delete(id);
      calling?.line.listener?.({ data: { ...(data as object), id: calling.id } });
      return;
    }
    const calling = frames.shift();
    if (calling === undefined) return;
    const { id, line } = calling;
    if (data.length === 2) line.listener?.({ data: { id, type: "RAW", value: data[1] } });
    else line.listener?.({ data: { id, type: "HANDLER", name: "throw", value: data[1] } });
  });
  return {
    post(frame, transfer) {
      port.postMessage([++calls, frame], transfer);
    },
    line() {
      const line: Calling["line"] = { listener: undefined };
      return {
        postMessage(message: unknown, transfer?: unknown) {
          const call = message as ApplyMessage;
          const calling = { id: call.id, line };
          if (call.type === "APPLY" && call.path.length === 1 && call.path[0] === HOT) frames.push(calling);
          else {
            const id = `call ${++sent}`;
            port.postMessage({ ...call, id }, transfer as ArrayBuffer[] | undefined);
            others.set(id, calling);
          }
        },
        addEventListener(_type: string, added: unknown) {
          line.listener = added as Listener;
        },
        removeEventListener() {
          line.listener = undefined;
        },
      };
    },
  };
}

export interface ServerEndpoint extends Endpoint {
  /** Gives Comlink a message that was received by polling. */
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
