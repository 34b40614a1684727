import {
  bringsCode,
  callerEndpoint,
  cancel,
  CLAIM_FILES,
  type ChangeReport,
  type Control,
  errorOf,
  type EngineCopy,
  hasBegun,
  type Definition,
  definitionKey,
  type HookEvents,
  type Opened,
  type OpenOptions,
  type Outcome,
  type Source,
  stop,
  type ThreadApi,
} from "@sqlite-aio/worker/wire";
import { type Remote, transfer as transferred } from "comlink";
import { ErrorReason } from "../errors/rejection.js";
import type { Call } from "./call.js";
import { Cancellation, type Progress } from "./cancellation.js";
import type { Callbacks } from "./callbacks.js";
import { ConnectionClosedError, type CrashOutcome, fromFault, threadDied } from "../errors/errors.js";
import { Proxies } from "./proxies.js";
import { strikeAtExit } from "./process-exit.js";
import { Pipeline } from "./pipeline.js";
import type { ThreadPort } from "./thread-port.js";
import { OpenedFiles } from "./engine-copies.js";
import { orMissingEntry } from "./missing-entry.js";
import type { ThreadOptions } from "../options/connect-options.js";
import { onTurn } from "./event-loop.js";
import type { StatementCache } from "./statement-cache.js";
import type { Tenancy } from "./host.js";
import { parkThread, startThread } from "./start-thread.js";

/**
 * A connection's thread, and the calls under way to it. All pending calls are settled when the thread answers, fails or
 * exits.
 */
export class WorkerThread {
  readonly closures: Callbacks;
  readonly #tenancy: Tenancy;
  readonly #mailbox: ThreadPort;
  readonly #control: Control;
  readonly #proxies: Proxies;
  readonly #pipeline: Pipeline;
  readonly #cancellation: Cancellation;
  #lastNumber = 0;
  /** Number of calls that keep the process alive, including out-of-band calls. */
  #pending = 0;
  #dead: ((outcome: CrashOutcome) => Error) | null = null;
  /** Work that close() waits for besides the calls. */
  readonly #work = new Set<Promise<unknown>>();
  readonly #outOfBand = new Set<(reason: Error) => void>();
  readonly #whenQuiet: (() => void)[] = [];
  /** Resolves when the thread no longer serves this connection. */
  readonly exited: Promise<void>;
  readonly #gone = Promise.withResolvers<void>();
  readonly #reused: boolean;
  /** Number of the thread in the process. */
  readonly thread: number;

  onDeath: ((error: Error) => void) | null = null;

  private constructor(options: ThreadOptions) {
    this.exited = this.#gone.promise;
    const over = (): void => this.#over();
    const thread = startThread(options, {
      failed: (thrown) => this.#ended(() => errorOf(thrown)),
      exited: (code) => this.#ended(() => new Error(`exited with code ${code}`), over),
    });
    this.#tenancy = thread.tenancy;
    this.#reused = thread.reused;
    this.#control = thread.control;
    this.#mailbox = thread.mailbox;
    this.closures = thread.closures;
    this.closures.answers(CLAIM_FILES, (...files: string[]) => this.#files.attach(files));
    this.thread = this.#tenancy.threadId;
    this.#proxies = new Proxies(callerEndpoint(this.#mailbox));
    this.#pipeline = new Pipeline(
      {
        control: this.#control,
        closures: this.closures,
        run: (frame, transfer) => this.#proxies.run(frame, transfer),
        mailbox: this.#mailbox,
        spin: this.#tenancy.spin,
        hold: () => this.hold(),
        unhold: () => this.unhold(),
        broken: (error) => this.#die(() => error),
      },
      options.cachedStatements,
    );
    this.#cancellation = new Cancellation(this.#pipeline, this.#control);
    this.#forgetStrike = strikeAtExit(() => {
      stop(this.#control);
      return this.#cancellation.strike();
    });
    this.#mailbox.on("messageerror", (thrown) => this.#die(() => errorOf(thrown)));
  }

  /** The thread has ended. Its earlier answers still count; Comlink delivers them in microtasks. */
  #ended(cause: () => Error, then?: () => void): void {
    this.#mailbox.drain();
    onTurn(() => {
      this.#die(cause);
      then?.();
    });
  }

  readonly #files = new OpenedFiles();
  readonly #forgetStrike: () => void;

  /**
   * Nothing comes from the thread any more. Comlink keeps everything that an endpoint references, so the whole
   * connection, until each of its proxies is released.
   */
  #over(): void {
    this.#forgetStrike();
    this.closures.close();
    this.#mailbox.close();
    this.#proxies.release();
    this.#files.close();
    this.#gone.resolve();
  }

  /** Takes or starts a thread and opens its handle, unless `signal` is aborted before. */
  static async open(
    options: ThreadOptions,
    signal?: AbortSignal,
  ): Promise<{ channel: WorkerThread; opened: Opened }> {
    signal?.throwIfAborted();
    let begun = false;
    const channel = new WorkerThread(options);
    // Rejects pending calls without waiting for the thread's end.
    const onAbort = (): void => void channel.terminate();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      channel.#files.open(options.open.path, await channel.#engine(options.open));
      begun = bringsCode(options.open);
      const opened = await channel.outOfBand((remote) => remote.open(options.open));
      signal?.throwIfAborted();
      return { channel, opened };
    } catch (error) {
      signal?.throwIfAborted();
      // The thread died while it was parked, before it ran any code for this connection. Try another one.
      const again = channel.#reused && !channel.alive && !begun;
      await channel.close().catch(() => {});
      if (again) return await WorkerThread.open(options, signal);
      throw orMissingEntry(error);
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  async #engine(options: OpenOptions): Promise<EngineCopy> {
    // The thread must answer once before user code runs: if it dies later, the user code is known to have begun.
    const known = bringsCode(options) ? null : this.#tenancy.engine;
    const copy = known ?? (await this.outOfBand((remote) => remote.engine(options.engine)));
    this.#tenancy.loaded(copy);
    return copy;
  }

  /** Calls that are not settled. */
  get pending(): number {
    return this.#pending;
  }

  get alive(): boolean {
    return this.#dead === null;
  }

  get statements(): StatementCache {
    return this.#pipeline.statements;
  }

  /** As of the latest answer. */
  get inTransaction(): boolean {
    return this.#pipeline.inTransaction;
  }

  set inTransaction(open: boolean) {
    this.#pipeline.inTransaction = open;
  }

  /** The thread's connection was changed beyond its transaction, as of the latest answer. */
  get tainted(): boolean {
    return this.#pipeline.tainted;
  }

  set tainted(tainted: boolean) {
    this.#pipeline.tainted = tainted;
  }

  get totalChanges(): number {
    return this.#pipeline.totalChanges;
  }

  /** Number of callers' calls that were answered since the thread was started. */
  get executed(): number {
    return this.#pipeline.executed;
  }

  /** The same for the pool's own calls; see {@link Call.housekeeping}. */
  get housekeeping(): number {
    return this.#pipeline.housekeeping;
  }

  /** See {@link Pipeline.busyMs}. */
  get busyMs(): number {
    return this.#pipeline.busyMs;
  }

  set onTrace(listener: ((sql: string) => void) | null) {
    this.#pipeline.onTrace = listener;
  }

  set onChange(listener: ((report: ChangeReport) => void) | null) {
    this.#pipeline.onChange = listener;
  }

  set onHooks(listener: ((events: HookEvents) => void) | null) {
    this.#pipeline.onHooks = listener;
  }

  /** The thread runs something that its caller has given up. */
  get abandoned(): boolean {
    return this.#pipeline.head?.abandoned === true;
  }

  /** The only way to send a call to the thread. It is posted at the end of the tick, together with its neighbours. */
  send(call: Call): void {
    if (this.#dead === null) {
      if (call.grouped) this.#cancellation.watchGroups();
      this.#pipeline.send(call);
    } else call.reject(this.#lost("not-started"));
  }

  /** See {@link Pipeline.postNow}. */
  postNow(): void {
    this.#pipeline.postNow();
  }

  /** Tells the thread to drop a cursor's remaining rows. */
  release(cursor: number): void {
    this.#pipeline.release(cursor);
  }

  /** See {@link Cancellation.cancel}. */
  cancel(call: Call, reason: unknown): boolean {
    return this.#cancellation.cancel(call, reason);
  }

  /** See {@link Cancellation.cancelAll}. */
  cancelAll(reason: unknown): void {
    this.#cancellation.cancelAll(reason);
  }

  /** Resolves when all calls that wait or run now have their answers. */
  async answered(): Promise<void> {
    await Promise.allSettled(this.#pipeline.underWay.map(({ promise }) => promise));
  }

  /** See {@link Cancellation.recall}. */
  recall(reason: unknown): void {
    this.#cancellation.recall(reason);
  }

  /** See {@link Cancellation.cancelRunning}. */
  cancelRunning(reason: unknown): void {
    this.#cancellation.cancelRunning(reason);
  }

  /** See {@link Cancellation.expire}. */
  expire(limit: number, reason: () => unknown): number | null {
    return this.#cancellation.expire(limit, reason);
  }

  /** See {@link Cancellation.discourage}. */
  discourage(call: Call, interrupts?: boolean): void {
    this.#cancellation.discourage(call, interrupts);
  }

  /** See {@link Cancellation.setProgress}. */
  setProgress(progress: Progress | null): void {
    this.#cancellation.setProgress(progress);
  }

  get progress(): Progress | null {
    return this.#cancellation.progress;
  }

  /**
   * A Comlink call outside the frames, for methods that are asynchronous in the thread. Rejects when the thread dies.
   */
  async outOfBand<T>(ask: (remote: Remote<ThreadApi>) => Promise<Outcome<T>>): Promise<T> {
    if (this.#dead !== null) throw this.#dead("not-started");
    this.hold();
    let lost!: (reason: Error) => void;
    try {
      const outcome = await new Promise<Outcome<T>>((resolve, reject) => {
        lost = reject;
        this.#outOfBand.add(lost);
        this.#proxies.call(ask).then(resolve, reject);
      });
      if (outcome.ok) return outcome.value;
      throw fromFault(outcome.fault, undefined, this.closures.takeThrown(outcome.fault.callback));
    } finally {
      this.#outOfBand.delete(lost);
      if (this.#outOfBand.size === 0) for (const resolve of this.#whenQuiet.splice(0)) resolve();
      this.unhold();
    }
  }

  /** Adds or removes a definition; on later handles, too, if it is `lasting`. */
  async define(definition: Definition, lasting: boolean): Promise<void> {
    await this.#putToUse(definitionKey(definition), definition.source, lasting, (remote) =>
      remote.define(definition, lasting),
    );
  }

  /** Sets or removes the authorizer; on later handles, too, if it is `lasting`. */
  async setAuthorizer(source: Source | null, lasting: boolean): Promise<void> {
    await this.#putToUse("authorizer", source, lasting, (remote) => remote.setAuthorizer(source, lasting));
  }

  async #putToUse(
    use: string,
    source: Source | null,
    lasting: boolean,
    ask: (remote: Remote<ThreadApi>) => Promise<Outcome<null>>,
  ): Promise<void> {
    await this.outOfBand(ask);
    this.closures.inUse(use, source !== null && "closure" in source ? source.closure : undefined, lasting);
  }

  /** Copies one of the handle's databases into a file. No other copy of SQLite may use that file meanwhile. */
  async backup(options: Parameters<ThreadApi["backup"]>[0]): Promise<void> {
    await this.#files.during(options.path, () => this.outOfBand((remote) => remote.backup(options)));
  }

  /** Replaces a handle whose state was changed by a new one. */
  async reopen(): Promise<void> {
    await this.outOfBand((remote) => remote.reopen());
    this.closures.reopened();
    this.onTrace = null;
    this.tainted = this.inTransaction = false;
  }

  /** Replaces the contents of an in-memory database. */
  async replace(image: Uint8Array): Promise<void> {
    const fresh = await this.outOfBand((remote) => remote.replace(image));
    if (fresh) this.closures.reopened();
  }

  /** Turns one of the handle's databases into an in-memory one with these contents. */
  async deserialize(image: Uint8Array<ArrayBuffer>, name: string): Promise<void> {
    const fresh = await this.outOfBand((remote) =>
      remote.deserialize(transferred(image, [image.buffer]), name),
    );
    if (fresh) this.closures.reopened();
  }

  /** Out-of-band calls are under way. */
  get busyOutOfBand(): boolean {
    return this.#outOfBand.size > 0;
  }

  /** Resolves when no out-of-band call is under way. */
  async outOfBandOver(): Promise<void> {
    if (this.#outOfBand.size > 0) await new Promise<void>((resolve) => this.#whenQuiet.push(resolve));
  }

  /** A number for a cursor or an executemany. Never used twice, because a lease may end before its cursors. */
  nextNumber(): number {
    return ++this.#lastNumber;
  }

  /** How many numbers were given out. */
  get numbers(): number {
    return this.#lastNumber;
  }

  /** Makes {@link close} wait for work of more than one call. */
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
    if (this.#pending++ === 0) this.#tenancy.ref();
  }

  unhold(): void {
    if (--this.#pending === 0) this.#tenancy.unref();
  }

  /**
   * Closes the handle and gives the thread back or ends it. Pending calls reject as closed. With `emptiesLog`, the
   * write-ahead log is emptied before, in the same message. A thread that dies meanwhile has closed the handle as well:
   * what was not committed is undone either way.
   */
  async close(emptiesLog = false): Promise<void> {
    let asNew = false;
    try {
      await Promise.allSettled(this.#work);
      if (this.#dead === null) asNew = await this.outOfBand((remote) => remote.close(emptiesLog));
    } catch (error) {
      if (this.alive) throw error;
    } finally {
      // Calls that are still under way would reach the next connection.
      if (asNew && this.#dead === null && this.#pending === 0 && parkThread(this.#tenancy)) {
        this.#die(null);
        this.#over();
      } else await this.terminate();
    }
  }

  /** Ends the thread, after its present native call. */
  async terminate(): Promise<void> {
    stop(this.#control);
    this.#die(null);
    this.#tenancy.ref();
    // A thread ends only when its native call returns.
    const leaveOff = this.#cancellation.hammer();
    await this.#tenancy.terminate();
    await this.exited;
    leaveOff();
  }

  #die(cause: (() => Error) | null): void {
    if (this.#dead !== null) return;
    this.#cancellation.stop();
    const error = cause?.();
    this.#dead =
      error === undefined ? () => new ConnectionClosedError() : (outcome) => threadDied(error, outcome);
    this.#pipeline.stop((call) => this.#lost(this.#neverBegins(call) ? "not-started" : "unknown"));
    for (const lost of this.#outOfBand) lost(this.#dead("unknown"));
    if (error === undefined) return;
    // The thread may be alive and hold locks, if only the connection to it broke.
    void this.#tenancy.terminate();
    this.onDeath?.(error);
  }

  #lost(outcome: CrashOutcome): ErrorReason {
    return new ErrorReason(() => this.#dead!(outcome));
  }
  /**
   * Whether the call had certainly not begun. A member of an uncommitted group has begun: it may have killed the
   * thread.
   */
  #neverBegins({ sequence }: Call): boolean {
    if (sequence === 0) return true;
    return cancel(this.#control, sequence) && !hasBegun(this.#control, sequence);
  }
}
