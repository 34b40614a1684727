import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { expose, transfer } from "comlink";
import { Callbacks } from "./functions/callbacks.js";
import { engineCopy } from "./engine/load-engine.js";
import { heapHasGrown } from "./engine/heap.js";
import { endWith } from "./engine/native.js";
import { AnswerPort } from "./loop/answer-port.js";
import { Poller } from "./loop/poller.js";
import { Scheduler } from "./loop/scheduler.js";
import { Session } from "./handle/session.js";
import { Replica } from "./replica/replica.js";
import { AdaptiveSpin } from "./wire/adaptive-spin.js";
import { openControl } from "./wire/control-block.js";
import { serverEndpoint } from "./wire/comlink-endpoint.js";
import { holdsForProcess } from "./sql/taint.js";
import { toFault } from "./wire/fault.js";
import { type Loading, whileLoading } from "./wire/loading.js";
import type { ReplicaData, ReplicaRequest } from "./wire/replica-api.js";
import { isModule } from "./wire/definitions.js";
import {
  bringsCode,
  type EngineCopy,
  type Outcome,
  type StartData,
  type ThreadApi,
  type ThreadData,
  type WaitingData,
} from "./wire/thread-api.js";

if (parentPort === null)
  throw new Error("@sqlite-aio/worker/entry is started by @sqlite-aio/core in a thread");
const task = workerData as (StartData & (ThreadData | WaitingData)) | ReplicaData;
if ("replica" in task) keepReplica(parentPort, task);
else serveConnections(parentPort, task, task.loading);

function keepReplica(port: MessagePort, { replica: spec }: ReplicaData): void {
  const replica = new Replica(spec);
  port.on("message", (request: ReplicaRequest) => {
    void replica.answer(request).then((answer) => port.postMessage(answer));
  });
}

/** Serves one connection after the other. None keeps anything of the one before. */
function serveConnections(port: MessagePort, first: ThreadData | WaitingData, loading: Loading): void {
  let deliver: ((message: unknown) => void) | null = null;
  // Whether it pays to look for messages: a connection goes on where the one before was.
  const spin = new AdaptiveSpin();
  const engine = (specifier: string): Promise<EngineCopy> =>
    whileLoading(loading, () => engineCopy(specifier));
  const serve = (data: ThreadData): void => {
    deliver = serveConnection(port, data, spin, engine, () => (deliver = null));
  };
  port.on("message", (message: unknown) => {
    if (beginsConnection(message)) serve(message);
    else deliver?.(message);
  });
  if ("engineAhead" in first) {
    // A failure is reported when a connection asks for the engine again.
    const ready = (): void => (first.ready as MessagePort).postMessage(null);
    engine(first.engineAhead).then(ready, ready);
  } else serve(first);
}

function beginsConnection(message: unknown): message is ThreadData {
  return !Array.isArray(message) && typeof message === "object" && message !== null && "control" in message;
}

/** True as long as no connection has loaded or set something in this thread or process that outlasts it. */
let asNew = true;

/** Returns the receiver of the connection's messages. `over` is called when the connection is closed. */
function serveConnection(
  port: MessagePort,
  data: ThreadData,
  spin: AdaptiveSpin,
  engine: (specifier: string) => Promise<EngineCopy>,
  over: () => void,
): (message: unknown) => void {
  const control = openControl(data.control);
  const session = new Session(control, new Callbacks(data.callbacks as MessagePort, control), () =>
    scheduler.functionCalled(),
  );
  endWith(data.environment);
  const scheduler = new Scheduler(session, control);
  let closed = false;

  const api: ThreadApi = {
    engine: (specifier) => outcome(() => engine(specifier)),
    open: (options) => {
      if (bringsCode(options) || options.pragmas.some(([name]) => holdsForProcess(name))) asNew = false;
      return outcome(() => session.open(options));
    },
    run: (frame) => {
      const { reply, transfer: list } = scheduler.run(frame);
      return list.length === 0 ? reply : transfer(reply, list);
    },
    backup: (options) => outcome(() => session.backup(options).then(() => null)),
    define: (definition, lasting) => {
      if (isModule(definition.source)) asNew = false;
      return outcome(() => session.define(definition, lasting).then(() => null));
    },
    setAuthorizer: (source, lasting) => {
      if (isModule(source)) asNew = false;
      return outcome(() => session.authorize(source, lasting).then(() => null));
    },
    reopen: () => outcome(() => session.reopen()),
    replace: (image) => outcome(() => session.replace(image)),
    deserialize: (image, name) => outcome(() => session.deserialize(image, name)),
    close: (emptiesLog) =>
      outcome(() => {
        session.close(emptiesLog);
        closed = true;
        over();
        if (session.state.outlasted) asNew = false;
        return asNew && !heapHasGrown();
      }),
  };

  /** Runs after an answer has left: finishes the remaining operations, then polls for the next message. */
  const goOn = (): void => {
    scheduler.proceed();
    if (scheduler.idle && !closed) poller.poll();
  };
  const poller = new Poller(
    port,
    control,
    (message) => endpoint.deliver(message),
    new Int32Array(data.pollers),
    data.maxPollers,
    spin,
  );
  const answers = new AnswerPort(data.answers as MessagePort, control, data.slot);
  const endpoint = serverEndpoint(answers, () => queueMicrotask(goOn));
  expose(api, endpoint);
  return (message) => {
    poller.turned();
    endpoint.deliver(message);
  };
}

async function outcome<T>(work: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, fault: toFault(error) };
  }
}
