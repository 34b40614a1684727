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
  createControl,
  errorOf,
  openControl,
  type ReplicaSpec,
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

/** One word for all threads of the process: how many are polling their port. */
const pollers = new SharedArrayBuffer(4);

/** A connection's thread, and the ways to it. */
export interface Thread {
  readonly tenancy: Tenancy;
  readonly control: Control;
  /** For Comlink's messages. */
  readonly mailbox: ThreadPort;
  /** Functions of this side that it calls, on a port of their own. */
  readonly closures: Callbacks;
  /** It was parked until now, and may have died without anybody's having noticed. */
  readonly reused: boolean;
}

/** Threads of this copy of the library that wait for a connection. */
export const parked = new ParkedThreads();

/** Threads that have not ended. */
const hosts = new Set<Host>();
let started = 0;
let reused = 0;

/** What the threads of the process are doing, and how many there were. */
export interface ProcessThreads {
  /** Threads that serve a connection. */
  active: number;
  /** Threads that wait for one. */
  parked: number;
  /** Threads that were ever started. */
  started: number;
  /** How often a connection was given a thread that was there already. */
  reused: number;
}

/** What the threads of this process are doing; those that keep a replica are not counted. */
export function threadStats(): ProcessThreads {
  const active = [...hosts].filter(({ busy }) => busy).length;
  return { active, parked: parked.count, started, reused };
}

/** A thread for a connection, one that is parked if it will do. It does not keep the process alive. */
export function startThread(options: ThreadOptions, watcher: Watcher): Thread {
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
    // Of a main thread that ends process-exit.ts hears.
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
    const mailbox = new ThreadPort(tenancy, answers.port1, control);
    return { tenancy, control, mailbox, closures, reused: waiting !== undefined };
  } catch (error) {
    closures.close();
    answers.port1.close();
    throw error;
  }
}

/** Parks the thread of a connection that is closed. False if it is nobody else's, or none is kept. */
export function parkThread(tenancy: Tenancy): boolean {
  if (!tenancy.forOthers || parked.limits.max === 0) return false;
  parked.add(tenancy.leave());
  return true;
}

/** Sees to it that `count` threads are parked, and resolves when they are ready to serve. */
export async function startAhead(count: number): Promise<void> {
  const flags = threadFlags(process, isOurs(workerData));
  const kind = kindOf(PLAIN, flags)!;
  const ready: Promise<void>[] = [];
  while (parked.countOf(kind) < count) ready.push(parkOne(kind, flags).ready);
  await Promise.all(ready);
}

/**
 * Starts a thread for a connection that will soon be opened with these options, unless one is parked: it starts while the
 * caller waits for another one. It does not keep the process alive.
 */
export function startSoon(options: ThreadOptions): void {
  const flags = threadFlags(process, isOurs(workerData));
  const kind = kindOf(options, flags);
  if (kind === null || parked.limits.max === 0 || parked.countOf(kind) > 0) return;
  const { ready, port } = parkOne(kind, flags);
  port.unref();
  // Whoever takes it is told.
  ready.catch(() => {});
}

/** `ready` resolves when the thread has loaded what it will need; until then `port` keeps the process alive. */
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

/** What it takes to be served by a thread that others have had. */
type Own = Pick<ThreadOptions, "createWorker" | "resourceLimits"> & { open: { engine: string } };
const PLAIN: Own = { createWorker: undefined, resourceLimits: undefined, open: { engine: DEFAULT_ENGINE } };

/** What makes threads alike; null: nobody else may have one that is started so. */
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
  const workerOptions = {
    workerData: data,
    transferList: ports,
    name: "sqlite-aio",
    ...flags,
    ...(resourceLimits === undefined ? {} : { resourceLimits }),
  };
  const start = (): Worker => startWorker(options, workerOptions);
  return register(kind === null ? start() : outside(start), kind, died);
}

/** By itself, so that what a thread's end is listened for with holds nothing of its first connection. */
function register(worker: Worker, kind: string | null, died: (cause: unknown) => void): Host {
  const host = new Host(worker, kind, (gone, cause) => {
    hosts.delete(gone);
    parked.remove(gone);
    died(cause);
  });
  hosts.add(host);
  started++;
  return host;
}

/** Who hears of a thread that dies while it is parked. */
function nobody(): void {}

/** Whether this thread was itself started here. */
function isOurs(data: unknown): boolean {
  if (typeof data !== "object" || data === null) return false;
  return ("pollers" in data && "answers" in data) || "engineAhead" in data;
}

/** Starts a thread that keeps a replica, and does not keep the process alive. */
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
  // Not instanceof: bundlers and Electron may have a class of their own.
  const methods = ["postMessage", "on", "once", "ref", "unref", "terminate"] as const;
  if (methods.every((method) => typeof worker?.[method] === "function")) return worker;
  throw new TypeError("createWorker must return a Worker of node:worker_threads");
}
