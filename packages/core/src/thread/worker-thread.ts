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
import { type Remote, releaseProxy, transfer as transferred, wrap } from "comlink";
import { ErrorReason } from "../errors/rejection.js";
import type { Call } from "./call.js";
import { Cancellation, type Progress } from "./cancellation.js";
import type { Callbacks } from "./callbacks.js";
import { ConnectionClosedError, type CrashOutcome, fromFault, threadDied } from "../errors/errors.js";
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

/** A thread and what is under way to it. Everything pending is settled when the thread answers, errors or exits. */
export class WorkerThread {
  readonly closures: Callbacks;
  readonly #tenancy: Tenancy;
  readonly #mailbox: ThreadPort;
  readonly #control: Control;
  readonly #remote: Remote<ThreadApi>;
  readonly #run: Remote<ThreadApi>["run"];
  readonly #pipeline: Pipeline;
  readonly #cancellation: Cancellation;
  #lastNumber = 0;
  /** What keeps the process alive: calls, and calls besides the frames. */
  #pending = 0;
  #dead: ((outcome: CrashOutcome) => Error) | null = null;
  /** What closing waits for besides the calls. */
  readonly #work = new Set<Promise<unknown>>();
  readonly #outOfBand = new Set<(reason: Error) => void>();
  readonly #whenQuiet: (() => void)[] = [];
  /** The thread has nothing to do with the connection any more. */
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
    const endpoint = callerEndpoint(this.#mailbox);
    const remote = wrap<ThreadApi>(endpoint);
    // A property of a Comlink proxy is a new proxy each time.
    const { run } = remote;
    this.#remote = remote;
    this.#run = run;
    this.#pipeline = new Pipeline(
      {
        control: this.#control,
        closures: this.closures,
        run: (frame, transfer) => {
          endpoint.post(frame, transfer);
          return run(frame);
        },
        look: () => this.#mailbox.look(),
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

  /** The thread is at its end. What it answered before counts, and Comlink hands that over in microtasks. */
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
   * Nothing comes from the thread any more. Comlink keeps what an endpoint reaches, which is all there is here, until each of
   * its proxies is released.
   */
  #over(): void {
    this.#forgetStrike();
    this.closures.close();
    this.#mailbox.close();
    this.#remote[releaseProxy]();
    (this.#run as unknown as Remote<ThreadApi>)[releaseProxy]();
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
    // Rejects what is pending, and does not wait for the thread's end.
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
      // It died while it was parked, which is nobody's error: nothing has run that could have killed it.
      const again = channel.#reused && !channel.alive && !begun;
      await channel.close().catch(() => {});
      if (again) return await WorkerThread.open(options, signal);
      throw orMissingEntry(error);
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  async #engine(options: OpenOptions): Promise<EngineCopy> {
    // Before code of the caller's runs the thread has to answer: should it die of that, it is to be known.
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

  /** Callers' calls that were answered since the thread was started. */
  get executed(): number {
    return this.#pipeline.executed;
  }

  /** The same of calls that nobody has made; see {@link Call.housekeeping}. */
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

  /** The thread runs something that its caller gave up. */
  get abandoned(): boolean {
    return this.#pipeline.head?.abandoned === true;
  }

  /** The one way to the thread. The call is posted at the end of the tick, together with its neighbours. */
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

  /** The rest of a cursor's rows is not wanted. */
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
  discourage(call: Call): void {
    this.#cancellation.discourage(call);
  }

  /** See {@link Cancellation.setProgress}. */
  setProgress(progress: Progress | null): void {
    this.#cancellation.setProgress(progress);
  }

  get progress(): Progress | null {
    return this.#cancellation.progress;
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

  /** Defines what SQL may call, or takes it away; on fresh handles too if it is `lasting`. */
  async define(definition: Definition, lasting: boolean): Promise<void> {
    await this.#putToUse(definitionKey(definition), definition.source, lasting, (remote) =>
      remote.define(definition, lasting),
    );
  }

  /** Sets the authorizer, or takes it away; on fresh handles too if it is `lasting`. */
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

  /** Copies a database of the handle's into a file, in which no other copy of SQLite may be at work meanwhile. */
  async backup(options: Parameters<ThreadApi["backup"]>[0]): Promise<void> {
    await this.#files.during(options.path, () => this.outOfBand((remote) => remote.backup(options)));
  }

  /** A fresh handle in place of one whose state was changed. */
  async reopen(): Promise<void> {
    await this.outOfBand((remote) => remote.reopen());
    this.closures.reopened();
    this.onTrace = null;
    this.tainted = this.inTransaction = false;
  }

  /** Other contents for a database in memory. */
  async replace(image: Uint8Array): Promise<void> {
    const fresh = await this.outOfBand((remote) => remote.replace(image));
    if (fresh) this.closures.reopened();
  }

  /** Lets one of the handle's databases be one in memory, with these contents. */
  async deserialize(image: Uint8Array<ArrayBuffer>, name: string): Promise<void> {
    const fresh = await this.outOfBand((remote) =>
      remote.deserialize(transferred(image, [image.buffer]), name),
    );
    if (fresh) this.closures.reopened();
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
    if (this.#pending++ === 0) this.#tenancy.ref();
  }

  unhold(): void {
    if (--this.#pending === 0) this.#tenancy.unref();
  }

  /** Closes the handle and gives up the thread; what is pending rejects as closed. */
  async close(): Promise<void> {
    let asNew = false;
    try {
      await Promise.allSettled(this.#work);
      if (this.#dead === null) asNew = await this.outOfBand((remote) => remote.close());
    } finally {
      // What is under way all the same would meet the next connection.
      if (asNew && this.#dead === null && this.#pending === 0 && parkThread(this.#tenancy)) {
        this.#die(null);
        this.#over();
      } else await this.terminate();
    }
  }

  /** Ends the thread. A native call that is running ends first. */
  async terminate(): Promise<void> {
    stop(this.#control);
    this.#die(null);
    this.#tenancy.ref();
    // A thread ends when its native call has returned.
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
    // It may be alive and hold locks, if it is only the connection to it that broke.
    void this.#tenancy.terminate();
    this.onDeath?.(error);
  }

  #lost(outcome: CrashOutcome): ErrorReason {
    return new ErrorReason(() => this.#dead!(outcome));
  }
  /** A member of a group that was not committed has begun, too: it may be what the thread died of. */
  #neverBegins({ sequence }: Call): boolean {
    if (sequence === 0) return true;
    return cancel(this.#control, sequence) && !hasBegun(this.#control, sequence);
  }
}
