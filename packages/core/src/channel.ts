import { MessageChannel, Worker, type WorkerOptions } from "node:worker_threads";
import { availableParallelism } from "node:os";
import {
  Answer,
  appendCells,
  appendPacket,
  callerEndpoint,
  cancel,
  type Control,
  createControl,
  interruptInside,
  hasBegun,
  isInside,
  type ChangeReport,
  type Fault,
  type Frame,
  MAX_FRAME_OPS,
  MAX_UNDER_WAY,
  MORE_COMING,
  Op,
  type Opened,
  openControl,
  type Outcome,
  type Packet,
  type Reply,
  State,
  stop,
  type ThreadApi,
  type ThreadData,
  uncancel,
} from "@sqlite-aio/worker/wire";
import { entry, native } from "@sqlite-aio/worker";
import { type Remote, transfer, wrap } from "comlink";
import { type Call, ErrorReason, FaultReason, Stage } from "./call.js";
import { Closures } from "./closures.js";
import {
  ConnectionClosedError,
  type CrashOutcome,
  fromFault,
  OperationalError,
  WorkerCrashedError,
} from "./errors.js";
import { orMissingEntry } from "./missing-entry.js";
import type { ThreadOptions } from "./options.js";
import { Spinner } from "./spinner.js";
import { StatementCache } from "./statement-cache.js";

/** A statement that an interrupt has not stopped after this many ms goes on without its caller. */
const STUBBORN_MS = 100;
/** One that may write: its caller would not learn whether it has. */
const STUBBORN_WRITE_MS = 2000;

/** Calls of `run` under way: one being worked on, one that is there when it is done. */
const MAX_CALLS = 2;

/** One word for all threads of the process: how many are polling their port. */
const pollers = new SharedArrayBuffer(4);

/** A thread and what is under way to it. Everything pending is settled when the thread answers, errors or exits. */
export class Channel {
  readonly statements: StatementCache;
  readonly closures: Closures;
  readonly #worker: Worker;
  readonly #control: Control;
  readonly #remote: Remote<ThreadApi>;
  readonly #run: (frame: Frame) => Promise<Reply>;
  /** Calls that are not in a frame yet. */
  #queue: Call[] = [];
  /** Calls in frames, in the order of their answers. */
  readonly #sent: Call[] = [];
  #sequence = 0;
  #lastNumber = 0;
  #calls = 0;
  readonly #spinner = new Spinner();
  /** When the thread was last known to begin something. */
  #since = 0;
  #streaming = false;
  #progress: NodeJS.Timeout | undefined;
  #scheduled = false;
  #releases: number[] = [];
  /** What keeps the process alive: calls, and calls besides the frames. */
  #pending = 0;
  #dead: ((outcome: CrashOutcome) => Error) | null = null;
  /** What closing waits for besides the calls. */
  readonly #work = new Set<Promise<unknown>>();
  readonly #outOfBand = new Set<(reason: Error) => void>();
  readonly #whenQuiet: (() => void)[] = [];
  readonly exited: Promise<void>;

  inTransaction = false;
  /** The thread's connection was changed beyond its transaction; see the wire's State. */
  tainted = false;
  totalChanges = 0;
  /** As of the answer that was read last: several calls' answers come in one reply. */
  #lastInsertRowid: number | bigint = 0;
  executed = 0;
  onTrace: ((sql: string) => void) | null = null;
  onChange: ((report: ChangeReport) => void) | null = null;
  onDeath: ((error: Error) => void) | null = null;

  private constructor(options: ThreadOptions) {
    this.statements = new StatementCache(options.cachedStatements);
    const block = createControl();
    this.#control = openControl(block);
    const { port1, port2 } = new MessageChannel();
    this.closures = new Closures(port1, this.#control);
    const data: ThreadData = {
      control: block,
      callbacks: port2,
      pollers,
      maxPollers: Math.max(1, availableParallelism() - 1),
    };
    const workerOptions = {
      workerData: data,
      transferList: [port2],
      name: "sqlite-aio",
      ...(options.resourceLimits === undefined ? {} : { resourceLimits: options.resourceLimits }),
    };
    try {
      this.#worker = startWorker(options, workerOptions);
    } catch (error) {
      this.closures.close();
      throw error;
    }
    this.#remote = wrap<ThreadApi>(callerEndpoint(this.#worker));
    this.#run = this.#remote.run;
    this.exited = new Promise((resolve) => {
      this.#worker.once("exit", (code) => {
        this.#die(() => new Error(`exited with code ${code}`));
        this.closures.close();
        resolve();
      });
    });
    this.#worker.on("error", (error) => this.#die(() => error));
    this.#worker.on("messageerror", (error) => this.#die(() => error));
    this.#worker.unref();
  }

  /** Starts a thread and opens its handle, unless `signal` is aborted before. */
  static async open(
    options: ThreadOptions,
    signal?: AbortSignal,
  ): Promise<{ channel: Channel; opened: Opened }> {
    signal?.throwIfAborted();
    const channel = new Channel(options);
    // Rejects what is pending, and does not wait for the thread's end.
    const onAbort = (): void => void channel.terminate();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const opened = await channel.outOfBand((remote) => remote.open(options.open));
      signal?.throwIfAborted();
      return { channel, opened };
    } catch (error) {
      signal?.throwIfAborted();
      await channel.terminate();
      throw orMissingEntry(error);
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Calls that are not settled. */
  get pending(): number {
    return this.#pending;
  }

  get alive(): boolean {
    return this.#dead === null;
  }

  /** The thread runs something that its caller gave up. */
  get abandoned(): boolean {
    return this.#sent[0]?.abandoned === true;
  }

  /** The one way to the thread. The call is posted at the end of the tick, together with its neighbours. */
  send(call: Call): void {
    if (this.#dead !== null) {
      call.reject(this.#lost("not-started"));
      return;
    }
    if (call.statement !== null) this.statements.sent(call.statement);
    this.hold();
    this.#queue.push(call);
    this.#schedule();
  }

  /** Posts at once what is queued: a loop over rows that are there would keep the end of the tick from coming. */
  postNow(): void {
    if (this.#dead === null) this.#flush();
  }

  /** The rest of a cursor's rows is not wanted. */
  release(cursor: number): void {
    if (this.#dead !== null) return;
    this.#releases.push(cursor);
    this.#schedule();
  }

  /**
   * Gives up a call. True if it certainly never runs. With the native companion a running statement is stopped, and
   * the call's own answer tells whether it was in time; else it goes on without its caller, which is rejected at once.
   */
  cancel(call: Call, reason: unknown): boolean {
    if (call.settled) return false;
    if (call.stage === Stage.SENT) {
      const never = this.#mark(call);
      if (never || !this.#interruptible) {
        call.abandoned = !never;
        call.reject(reason);
      } else if (call.giveUp === null) {
        call.giveUp = { reason };
        this.#interrupt(call, performance.now());
      }
      return never;
    }
    const at = this.#queue.indexOf(call);
    if (at >= 0) {
      this.#queue.splice(at, 1);
      this.#forget(call);
    }
    call.reject(reason);
    return true;
  }

  /**
   * Gives up the calls sent before `limit` that the thread has not begun. Gives the time when the oldest of the others
   * was sent, null if there is none.
   */
  expire(limit: number, reason: () => unknown): number | null {
    let oldest: number | null = null;
    for (const call of [...this.#sent.slice(1), ...this.#queue]) {
      const sent = call.stage === Stage.SENT;
      if (call.settled || call.essential || (sent && hasBegun(this.#control, call.sequence))) continue;
      if (call.sentAt >= limit) oldest = Math.min(oldest ?? call.sentAt, call.sentAt);
      else if (!sent) this.cancel(call, reason());
      else if (this.#mark(call)) call.reject(reason());
      // It has begun at this very moment: its answer tells.
      else call.giveUp ??= { reason: reason() };
    }
    return oldest;
  }

  /** Asks the thread to leave a call alone, or to wait no longer for a lock with it; the call's own answer tells. */
  discourage(call: Call): void {
    if (call.stage === Stage.SENT) this.#mark(call);
    else this.cancel(call, skipped);
  }

  get #interruptible(): boolean {
    return native !== null && this.#control.token[0] !== 0;
  }

  /**
   * Interrupts the operation if the thread is inside it, again and again until it ends: one that meets the engine
   * just before the statement starts has no effect.
   */
  #interrupt(call: Call, since: number): void {
    if (call.finished || this.#dead !== null) return;
    interruptInside(this.#control, call.sequence, () => native?.interrupt(this.#control.token[0] ?? 0));
    const waited = performance.now() - since;
    if (waited > (onlyReads(call) ? STUBBORN_MS : STUBBORN_WRITE_MS) && !call.settled) {
      // Not inside SQLite: in a function, or in a call that knows no interrupt.
      call.abandoned = true;
      call.reject(call.giveUp?.reason);
    }
    setTimeout(() => this.#interrupt(call, since), Math.min(20, 1 + waited / 4));
  }

  #mark(call: Call): boolean {
    call.cancelled = true;
    return cancel(this.#control, call.sequence);
  }

  /** Gives up everything that is waiting or running, but for what must run. */
  cancelAll(reason: unknown): void {
    for (const call of [...this.#sent, ...this.#queue]) {
      if (!call.essential) this.cancel(call, reason);
      else if (call.begins) this.discourage(call);
    }
  }

  /** A Comlink call besides the frames, for what is asynchronous in the thread. Rejects when the thread dies. */
  async outOfBand<T>(ask: (remote: Remote<ThreadApi>) => Promise<Outcome<T>>): Promise<T> {
    if (this.#dead !== null) throw this.#dead("not-started");
    this.hold();
    let lost!: (reason: Error) => void;
    try {
      const outcome = await new Promise<Outcome<T>>((resolve, reject) => {
        lost = reject;
        this.#outOfBand.add(lost);
        ask(this.#remote).then(resolve, reject);
      });
      if (outcome.ok) return outcome.value;
      throw fromFault(outcome.fault, undefined, this.closures.takeThrown(outcome.fault.callback));
    } finally {
      this.#outOfBand.delete(lost);
      if (this.#outOfBand.size === 0) for (const resolve of this.#whenQuiet.splice(0)) resolve();
      this.unhold();
    }
  }

  /** Calls `handler` every `ms` while the thread runs something; truthy stops that. Null removes it. */
  setProgress(handler: (() => unknown) | null, ms: number): void {
    clearInterval(this.#progress);
    this.#progress = undefined;
    if (handler === null) return;
    this.#progress = setInterval(() => {
      const call = this.#sent[0];
      if (call === undefined || call.essential || !isInside(this.#control, call.sequence)) return;
      let stops = true;
      try {
        stops = Boolean(handler());
      } catch {
        // As in CPython, a handler that throws stops the statement.
      }
      if (stops) this.cancel(call, skipped);
    }, ms).unref();
  }

  /** Calls besides the frames are under way. */
  get busyOutOfBand(): boolean {
    return this.#outOfBand.size > 0;
  }

  /** Resolves when no call besides the frames is under way. */
  async outOfBandOver(): Promise<void> {
    if (this.#outOfBand.size > 0) await new Promise<void>((resolve) => this.#whenQuiet.push(resolve));
  }

  /** For a cursor or an executemany: never given twice, since a lease may be over before its cursors are. */
  nextNumber(): number {
    return ++this.#lastNumber;
  }

  /** How many numbers were given. */
  get numbers(): number {
    return this.#lastNumber;
  }

  /** Lets {@link close} wait for work of more than one call. */
  async drained<T>(work: Promise<T>): Promise<T> {
    this.#work.add(work);
    try {
      return await work;
    } finally {
      this.#work.delete(work);
    }
  }

  /** Keeps the process alive until {@link unhold}. */
  hold(): void {
    if (this.#pending++ === 0) this.#worker.ref();
  }

  unhold(): void {
    if (--this.#pending === 0) this.#worker.unref();
  }

  /** Closes the handle and ends the thread; what is pending rejects as closed. */
  async close(): Promise<void> {
    try {
      await Promise.allSettled(this.#work);
      if (this.#dead === null) await this.outOfBand((remote) => remote.close());
    } finally {
      await this.terminate();
    }
  }

  /** Ends the thread. A native call that is running ends first. */
  async terminate(): Promise<void> {
    stop(this.#control);
    this.#die(null);
    this.#worker.ref();
    // A thread ends when its native call has returned.
    const poke = (): void => void native?.interrupt(this.#control.token[0] ?? 0);
    const timer = this.#interruptible ? setInterval(poke, 5) : undefined;
    poke();
    await this.#worker.terminate();
    await this.exited;
    clearInterval(timer);
  }

  #die(cause: (() => Error) | null): void {
    if (this.#dead !== null) return;
    this.#spinner.gone();
    clearInterval(this.#progress);
    this.inTransaction = false;
    const error = cause?.();
    this.#dead =
      error === undefined
        ? () => new ConnectionClosedError()
        : (outcome) =>
            new WorkerCrashedError(
              outcome === "unknown"
                ? `the connection's thread died (${error.message}); the call may have done its work`
                : `the connection's thread died (${error.message}); the call had not begun`,
              outcome,
              { cause: error },
            );
    for (const call of this.#sent.splice(0)) {
      call.reject(this.#lost(cancel(this.#control, call.sequence) ? "not-started" : "unknown"));
      this.#forget(call);
    }
    const queue = this.#queue;
    this.#queue = [];
    for (const call of queue) {
      call.reject(this.#lost("not-started"));
      this.#forget(call);
    }
    for (const lost of this.#outOfBand) lost(this.#dead("unknown"));
    if (error === undefined) return;
    // It may be alive and hold locks, if it is only the connection to it that broke.
    void this.#worker.terminate();
    this.onDeath?.(error);
  }

  #lost(outcome: CrashOutcome): ErrorReason {
    return new ErrorReason(() => this.#dead!(outcome));
  }

  #forget(call: Call): void {
    if (call.statement !== null) this.statements.settled(call.statement);
    this.unhold();
    call.finished = true;
    call.finishedHook?.(call);
  }

  /** At the end of the tick: after the microtasks that are queued now, and after those that they queue. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => process.nextTick(() => this.#endOfTick()));
  }

  #endOfTick(): void {
    this.#scheduled = false;
    this.#flush();
  }

  #flush(): void {
    if (this.#dead !== null) return;
    const some = (this.#queue.length > 0 && this.#room > 0) || this.#releases.length > 0;
    if (this.#calls < MAX_CALLS && some) this.#post();
    // An answer is owed, or packets are coming: the thread needs a call to answer.
    const wanted = this.#sent.length === 0 ? 0 : this.#streaming ? MAX_CALLS : 1;
    while (this.#calls < wanted) this.#post();
  }

  /** How many operations a frame may take now: those under way must never share a mark in the control block. */
  get #room(): number {
    return Math.max(0, Math.min(MAX_FRAME_OPS, MAX_UNDER_WAY - this.#sent.length));
  }

  #post(): void {
    const frame: Frame = [];
    const list: ArrayBuffer[] = [];
    for (const id of this.statements.takeForgotten()) frame.push(Op.FORGET, id);
    for (const cursor of this.#releases) frame.push(Op.RELEASE, cursor);
    this.#releases = [];
    const room = this.#room;
    const calls = this.#queue.length > room ? this.#queue.splice(0, room) : this.#queue;
    if (calls === this.#queue) this.#queue = [];
    for (const call of calls) {
      const { statement } = call;
      if (statement !== null && !statement.defined) {
        statement.defined = true;
        frame.push(Op.DEFINE, statement.id, statement.sql, statement.parameters.names);
      }
      this.#sequence = this.#sequence === 0x7fffffff ? 1 : this.#sequence + 1;
      call.sequence = this.#sequence;
      call.stage = Stage.SENT;
      call.write(frame, list);
      this.#sent.push(call);
    }
    if (this.#calls++ === 0) {
      this.#since = performance.now();
      this.#spinner.posted(this.#since);
    }
    this.#run(list.length === 0 ? frame : transfer(frame, list)).then(
      (reply) => this.#answered(reply),
      (error: Error) => this.#die(() => error),
    );
  }

  #answered(reply: Reply): void {
    this.#calls--;
    const now = performance.now();
    this.#spinner.answered(now - this.#since, this.#calls);
    if (this.#sent.length > 0) this.#sent[0]!.took += now - this.#since;
    this.#since = now;
    this.inTransaction = ((reply[0] as number) & State.IN_TRANSACTION) !== 0;
    this.tainted = ((reply[0] as number) & State.TAINTED) !== 0;
    this.totalChanges = reply[1] as number;
    let at = 3;
    for (let shapes = reply[2] as number; shapes > 0; shapes--, at += 3) {
      const statement = this.statements.byId(reply[at] as number);
      if (statement === undefined) continue;
      statement.previous = statement.shape;
      statement.shape = { names: reply[at + 1] as string[], types: reply[at + 2] as (string | null)[] };
    }
    this.#streaming = false;
    while (at < reply.length) at = this.#answer(reply, at);
    this.#flush();
  }

  /** Hands one answer to the call that waits for it; gives the position of the next one. */
  #answer(reply: Reply, at: number): number {
    const call = this.#sent[0]!;
    const code = reply[at] as number;
    switch (code) {
      case Answer.TRACE:
        this.onTrace?.(reply[at + 1] as string);
        return at + 2;
      case Answer.CHANGES:
        this.onChange?.(reply[at + 1] as ChangeReport);
        return at + 2;
      case Answer.DONE:
      case Answer.COUNTS:
        call.changes = reply[at + 1] as number;
        this.#lastInsertRowid = reply[at + 2] as number | bigint;
        if (code === Answer.DONE) this.#finish(call);
        return at + 3;
      case Answer.ROWS: {
        const rows = reply[at + 2] as number;
        const columns = reply[at + 3] as number;
        if (!call.settled) {
          const names = namesOf(call, rows === 0 ? null : columns);
          appendCells(call.rows, reply, at + 4, rows, columns, call.objects ? names : null);
        }
        this.#more(call, reply[at + 1] as number);
        return at + 4 + rows * columns;
      }
      case Answer.PACKET: {
        if (!call.settled) {
          const packet = reply[at + 2] as Packet;
          const names = namesOf(call, packet.length - 1);
          appendPacket(call.rows, packet, call.objects ? names : null);
        }
        this.#more(call, reply[at + 1] as number);
        return at + 3;
      }
      case Answer.FAULT:
        this.#fail(call, reply[at + 1] as Fault);
        return at + 2;
      case Answer.VALUE:
        call.value = reply[at + 1];
        this.#finish(call);
        return at + 2;
      case Answer.REFUSED:
        call.refused = true;
        this.#finish(call);
        return at + 1;
      default:
        this.#sent.shift();
        call.reject(call.giveUp?.reason ?? skipped);
        this.#settled(call);
        return at + 1;
    }
  }

  #more(call: Call, more: number): void {
    if (more === MORE_COMING) {
      this.#streaming = true;
      return;
    }
    call.more = more !== 0;
    if (call.more && call.settled) this.release(call.cursor);
    this.#finish(call);
  }

  #finish(call: Call): void {
    this.#sent.shift();
    call.lastInsertRowid = this.#lastInsertRowid;
    if (call.statement !== null) call.statement.proven = true;
    call.resolve();
    this.#settled(call);
  }

  #fail(call: Call, fault: Fault): void {
    this.#sent.shift();
    if (call.giveUp !== null) call.reject(withRollback(call.giveUp.reason, fault));
    const thrown = this.closures.takeThrown(fault.callback);
    call.reject(call.cancelled ? skipped : new FaultReason(fault, thrown));
    this.#settled(call);
  }

  #settled(call: Call): void {
    this.executed++;
    if (call.cancelled) uncancel(this.#control, call.sequence);
    this.#forget(call);
  }
}

function onlyReads(call: Call): boolean {
  return call.code === Op.FETCH || /^\s*(?:select|values|explain)\b/i.test(call.statement?.sql ?? "");
}

/** Why a call was given up, and that it took its transaction along. */
function withRollback(reason: unknown, fault: Fault): unknown {
  if (fault.rolledBack !== true) return reason;
  const mark = (error: Error): Error => Object.assign(error, { rolledBack: true });
  if (reason instanceof OperationalError) return mark(reason);
  return reason instanceof ErrorReason ? new ErrorReason(() => mark(reason.make())) : reason;
}

/** The call's column names, which are known when its first rows are. */
function namesOf(call: Call, columns: number | null): readonly string[] | null {
  const { statement } = call;
  if (call.shape === null && statement !== null) {
    const { shape, previous } = statement;
    // The statement ran twice for one reply and its table was altered between: the newest names are the later run's.
    const outgrown =
      columns !== null && shape?.names.length !== columns && previous?.names.length === columns;
    call.shape = outgrown ? previous : shape;
  }
  return call.shape?.names ?? null;
}

const skipped = new ErrorReason(() => new OperationalError("interrupted", { code: "SQLITE_INTERRUPT" }));

function startWorker({ createWorker }: ThreadOptions, workerOptions: WorkerOptions): Worker {
  if (createWorker === undefined) return new Worker(entry, workerOptions);
  const worker = createWorker(entry, workerOptions);
  // Not instanceof: bundlers and Electron may have a class of their own.
  const methods = ["postMessage", "on", "once", "ref", "unref", "terminate"] as const;
  if (methods.every((method) => typeof worker?.[method] === "function")) return worker;
  throw new TypeError("createWorker must return a Worker of node:worker_threads");
}
