import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { expose, transfer } from "comlink";
import { Callbacks } from "./functions/callbacks.js";
import { engineCopy } from "./engine/load-engine.js";
import { Poller } from "./loop/poller.js";
import { Scheduler } from "./loop/scheduler.js";
import { Session } from "./handle/session.js";
import { Replica } from "./replica/replica.js";
import { announce, openControl, Side } from "./wire/control-block.js";
import { type Port, serverEndpoint } from "./wire/comlink-endpoint.js";
import { toFault } from "./wire/fault.js";
import type { ReplicaData, ReplicaRequest } from "./wire/replica-api.js";
import type { Outcome, ThreadApi, ThreadData } from "./wire/thread-api.js";

if (parentPort === null)
  throw new Error("@sqlite-aio/worker/entry is started by @sqlite-aio/core in a thread");
const task = workerData as ThreadData | ReplicaData;
if ("replica" in task) keepReplica(parentPort, task);
else serveConnection(parentPort, task);

function keepReplica(port: MessagePort, { replica: spec }: ReplicaData): void {
  const replica = new Replica(spec);
  port.on("message", (request: ReplicaRequest) => {
    void replica.answer(request).then((answer) => port.postMessage(answer));
  });
}

function serveConnection(port: MessagePort, data: ThreadData): void {
  const answers = data.answers as MessagePort;
  const control = openControl(data.control);
  const session = new Session(control, new Callbacks(data.callbacks as MessagePort, control), () =>
    scheduler.functionCalled(),
  );
  const scheduler = new Scheduler(session, control);

  const api: ThreadApi = {
    engine: (specifier) => outcome(() => engineCopy(specifier)),
    open: (options) => outcome(() => session.open(options)),
    run: (frame) => {
      const { reply, transfer: list } = scheduler.run(frame);
      return list.length === 0 ? reply : transfer(reply, list);
    },
    backup: (options) => outcome(() => session.backup(options).then(() => null)),
    define: (definition, lasting) => outcome(() => session.define(definition, lasting).then(() => null)),
    setAuthorizer: (source, lasting) => outcome(() => session.authorize(source, lasting).then(() => null)),
    reopen: () => outcome(() => session.reopen()),
    replace: (image) => outcome(() => session.replace(image)),
    deserialize: (image, name) => outcome(() => session.deserialize(image, name)),
    close: () => outcome(() => (session.close(), null)),
  };

  /** After an answer has left: what remains, then a look for the next call. */
  const goOn = (): void => {
    scheduler.proceed();
    if (scheduler.idle) poller.poll();
  };
  const poller = new Poller(
    port,
    control,
    (message) => endpoint.deliver(message),
    new Int32Array(data.pollers),
    data.maxPollers,
  );
  // Before the endpoint's own listener, which runs the operations.
  port.on("message", () => poller.turned());
  const bothWays: Port = {
    postMessage(message, list) {
      answers.postMessage(message, list);
      announce(control, Side.THREAD);
    },
    on: (event, listener) => port.on(event, listener),
  };
  const endpoint = serverEndpoint(bothWays, () => queueMicrotask(goOn));
  expose(api, endpoint);
}

async function outcome<T>(work: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, fault: toFault(error) };
  }
}
