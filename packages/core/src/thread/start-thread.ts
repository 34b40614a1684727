import { availableParallelism } from "node:os";
import { MessageChannel, Worker, workerData, type WorkerOptions } from "node:worker_threads";
import { entry } from "@sqlite-aio/worker";
import {
  type Control,
  createControl,
  openControl,
  type ReplicaSpec,
  type ThreadData,
} from "@sqlite-aio/worker/wire";
import { Callbacks } from "./callbacks.js";
import { threadFlags } from "./process-flags.js";
import { ThreadPort } from "./thread-port.js";
import type { ThreadOptions } from "../options/connect-options.js";

/** One word for all threads of the process: how many are polling their port. */
const pollers = new SharedArrayBuffer(4);

/** A thread, and the ways to it. */
export interface Thread {
  readonly worker: Worker;
  readonly control: Control;
  /** For Comlink's messages. */
  readonly mailbox: ThreadPort;
  /** Functions of this side that it calls, on a port of their own. */
  readonly closures: Callbacks;
}

/** Starts a thread, which does not keep the process alive. */
export function startThread(options: ThreadOptions): Thread {
  const block = createControl();
  const control = openControl(block);
  const answers = new MessageChannel();
  const callbacks = new MessageChannel();
  const closures = new Callbacks(callbacks.port1, control);
  const data: ThreadData = {
    control: block,
    answers: answers.port2,
    callbacks: callbacks.port2,
    pollers,
    maxPollers: Math.max(1, availableParallelism() - 1),
  };
  const workerOptions = {
    workerData: data,
    transferList: [answers.port2, callbacks.port2],
    name: "sqlite-aio",
    ...threadFlags(process, isOurs(workerData)),
    ...(options.resourceLimits === undefined ? {} : { resourceLimits: options.resourceLimits }),
  };
  try {
    const worker = startWorker(options, workerOptions);
    worker.unref();
    return { worker, control, mailbox: new ThreadPort(worker, answers.port1, control), closures };
  } catch (error) {
    closures.close();
    answers.port1.close();
    throw error;
  }
}

/** Whether this thread was itself started here. */
function isOurs(data: unknown): boolean {
  return typeof data === "object" && data !== null && "pollers" in data && "answers" in data;
}

/** Starts a thread that keeps a replica, and does not keep the process alive. */
export function startReplicaThread(options: ThreadOptions, replica: ReplicaSpec): Worker {
  const flags = threadFlags(process, isOurs(workerData));
  const worker = startWorker(options, { workerData: { replica }, name: "sqlite-aio-replica", ...flags });
  worker.unref();
  return worker;
}

function startWorker({ createWorker }: ThreadOptions, workerOptions: WorkerOptions): Worker {
  if (createWorker === undefined) return new Worker(entry, workerOptions);
  const worker = createWorker(entry, workerOptions);
  // Not instanceof: bundlers and Electron may have a class of their own.
  const methods = ["postMessage", "on", "once", "ref", "unref", "terminate"] as const;
  if (methods.every((method) => typeof worker?.[method] === "function")) return worker;
  throw new TypeError("createWorker must return a Worker of node:worker_threads");
}
