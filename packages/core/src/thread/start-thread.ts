import { availableParallelism } from "node:os";
import {
  isMainThread,
  MessageChannel,
  type MessagePort,
  Worker,
  workerData,
  type WorkerOptions,
} from "node:worker_threads";
import { commonjsEntry, entry, native } from "@sqlite-aio/worker";
import {
  type Control,
  AnswerSlot,
  createAnswerSlot,
  createControl,
  createLoading,
  errorOf,
  type Loading,
  openControl,
  type ReplicaSpec,
  type StartData,
  type ThreadData,
  type WaitingData,
} from "@sqlite-aio/worker/wire";
import { Callbacks } from "./callbacks.js";
import { Host, type Tenancy, type Watcher } from "./host.js";
import { outside, ParkedThreads } from "./parked-threads.js";
import { type ThreadFlags, threadFlags } from "./process-flags.js";
import { threadDied } from "../errors/errors.js";
import { orMissingEntry } from "./missing-entry.js";
import { ThreadPort } from "./thread-port.js";
import { DEFAULT_ENGINE, type ThreadOptions } from "../options/connect-options.js";

/** One word for all threads of the process: the number of polling threads. */
const pollers = new SharedArrayBuffer(4);
/** One core stays free for the main thread. Asked once: Node reads files for it. */
const maxPollers = Math.max(1, availableParallelism() - 1);

/** A connection's thread, and its message ports. */
export interface Thread {
  readonly tenancy: Tenancy;
  readonly control: Control;
  /** The port of Comlink's messages. */
  readonly mailbox: ThreadPort;
  /** The functions on this side that the thread calls, on a port of their own. */
  readonly closures: Callbacks;
  /** It was parked until now, and may have died unnoticed. */
  readonly reused: boolean;
}

/** The parked threads of this copy of the library. */
export const parked = new ParkedThreads();

/** Threads that have not ended. */
const hosts = new Set<Host>();
let started = 0;
let reused = 0;

/** Statistics of this process's threads. */
export interface ProcessThreads {
  /** Threads that serve a connection. */
  active: number;
  /** Threads that wait for a connection. */
  parked: number;
  /** Threads started so far. */
  started: number;
  /** How often a connection got an existing thread. */
  reused: number;
}

/** Statistics of this process's threads, without those that keep a replica. */
export function threadStats(): ProcessThreads {
  const active = [...hosts].filter(({ busy }) => busy).length;
  return { active, parked: parked.count, started, reused };
}

/** Takes a suitable parked thread for a connection, or starts one. It does not keep the process alive. */
export function startThread(options: ThreadOptions, watcher: Watcher): Thread {
  const block = createControl();
  const control = openControl(block);
  const slot = createAnswerSlot();
  const answers = new MessageChannel();
  const callbacks = new MessageChannel();
  const closures = new Callbacks(callbacks.port1, control);
  const data: ThreadData = {
    control: block,
    answers: answers.port2,
    slot,
    callbacks: callbacks.port2,
    pollers,
    maxPollers,
    // The end of the main thread is handled by process-exit.ts.
    environment: isMainThread ? 0 : (native?.environment() ?? 0),
  };
  const ports = [answers.port2, callbacks.port2];
  try {
    const flags = threadFlags(process, isOurs(workerData));
    const kind = kindOf(options, flags);
    const waiting = kind === null ? undefined : parked.take(kind);
    const host = waiting ?? startHost(options, kind, flags, data, ports);
    const tenancy = host.serve(watcher);
    if (waiting !== undefined) {
      reused++;
      waiting.begin(data, ports);
    }
    const mailbox = new ThreadPort(tenancy, answers.port1, control, new AnswerSlot(slot));
    return { tenancy, control, mailbox, closures, reused: waiting !== undefined };
  } catch (error) {
    closures.close();
    answers.port1.close();
    throw error;
  }
}

/** Parks the thread of a closed connection. False if no other connection may use it, or none are kept. */
export function parkThread(tenancy: Tenancy): boolean {
  if (!tenancy.forOthers || parked.limits.max === 0) return false;
  parked.add(tenancy.leave());
  return true;
}

/** Starts threads until `count` are parked. Resolves when they are ready to serve. */
export async function startAhead(count: number): Promise<void> {
  const flags = threadFlags(process, isOurs(workerData));
  const kind = kindOf(PLAIN, flags)!;
  const ready: Promise<void>[] = [];
  while (parked.countOf(kind) < count) ready.push(parkOne(kind, flags).ready);
  await Promise.all(ready);
}

/**
 * Starts a thread ahead for a connection with these options that will soon be opened, unless one is parked. It does not
 * keep the process alive.
 */
export function startSoon(options: ThreadOptions): void {
  const flags = threadFlags(process, isOurs(workerData));
  const kind = kindOf(options, flags);
  if (kind === null || parked.limits.max === 0 || parked.countOf(kind) > 0) return;
  const { ready, port } = parkOne(kind, flags);
  port.unref();
  // The connection that takes the thread gets the error.
  ready.catch(() => {});
}

/**
 * Starts and parks a thread. `ready` resolves when it has loaded its engine; until then `port` keeps the process alive.
 */
function parkOne(kind: string, flags: ThreadFlags): { ready: Promise<void>; port: MessagePort } {
  const { port1, port2 } = new MessageChannel();
  const data: WaitingData = { engineAhead: DEFAULT_ENGINE, ready: port2 };
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const host = startHost(PLAIN, kind, flags, data, [port2], (cause) => {
    port1.close();
    reject(orMissingEntry(threadDied(errorOf(cause ?? new Error("it was ended")), "not-started")));
  });
  port1.once("message", () => {
    port1.close();
    resolve();
  });
  parked.add(host);
  return { ready: promise, port: port1 };
}

/** The options that decide whether a connection can use another one's thread. */
type Own = Pick<ThreadOptions, "createWorker" | "resourceLimits"> & { open: { engine: string } };
const PLAIN: Own = { createWorker: undefined, resourceLimits: undefined, open: { engine: DEFAULT_ENGINE } };

/** The kind of a thread; null if no other connection may use it. */
function kindOf({ createWorker, resourceLimits, open }: Own, { execArgv, env }: ThreadFlags): string | null {
  if (createWorker !== undefined || resourceLimits !== undefined || open.engine !== DEFAULT_ENGINE)
    return null;
  return JSON.stringify([execArgv, env]);
}

function startHost(
  options: Own,
  kind: string | null,
  flags: ThreadFlags,
  data: ThreadData | WaitingData,
  ports: MessagePort[],
  died: (cause: unknown) => void = nobody,
): Host {
  const { resourceLimits } = options;
  const loading = createLoading();
  const workerOptions = {
    workerData: { ...data, loading } satisfies StartData,
    transferList: ports,
    name: "sqlite-aio",
    ...flags,
    ...(resourceLimits === undefined ? {} : { resourceLimits }),
  };
  const start = (): Worker => startWorker(options, workerOptions);
  return register(kind === null ? start() : outside(start), loading, kind, died);
}

/** A function of its own, so that the listener for the thread's end does not capture its first connection. */
function register(
  worker: Worker,
  loading: Loading,
  kind: string | null,
  died: (cause: unknown) => void,
): Host {
  const host = new Host(worker, loading, kind, (gone, cause) => {
    hosts.delete(gone);
    parked.remove(gone);
    died(cause);
  });
  hosts.add(host);
  started++;
  return host;
}

/** The listener for a parked thread that dies: there is nothing to do. */
function nobody(): void {}

/** Whether this library has started the present thread. */
function isOurs(data: unknown): boolean {
  if (typeof data !== "object" || data === null) return false;
  return ("pollers" in data && "answers" in data) || "engineAhead" in data;
}

/** Starts a thread that keeps a replica. It does not keep the process alive. */
export function startReplicaThread(options: ThreadOptions, replica: ReplicaSpec): Worker {
  const flags = threadFlags(process, isOurs(workerData));
  const worker = startWorker(options, { workerData: { replica }, name: "sqlite-aio-replica", ...flags });
  worker.unref();
  return worker;
}

function startWorker(
  { createWorker }: Pick<ThreadOptions, "createWorker">,
  workerOptions: WorkerOptions,
): Worker {
  if (createWorker === undefined) return new Worker(commonjsEntry, workerOptions);
  const worker = createWorker(entry, workerOptions);
  // No instanceof: bundlers and Electron may have a class of their own.
  const methods = ["postMessage", "on", "once", "ref", "unref", "terminate"] as const;
  if (methods.every((method) => typeof worker?.[method] === "function")) return worker;
  throw new TypeError("createWorker must return a Worker of node:worker_threads");
}
