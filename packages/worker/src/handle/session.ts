import { AttachedFiles } from "../engine/attached-files.js";
import { backUp, type BackupReport, requireDatabase } from "./backup.js";
import { Blobs } from "./blobs.js";
import { ChangeCounts } from "./changes/change-counts.js";
import { ChangeTracker } from "./changes/change-tracker.js";
import { Hooks } from "./changes/hooks.js";
import { SchemaWatch } from "./changes/schema-watch.js";
import { ConnectionState } from "./connection-state.js";
import { DatabaseHandle } from "./database-handle.js";
import { type EngineDatabase, prepareOwn } from "../engine/engine-api.js";
import { versionOf } from "../engine/load-engine.js";
import { Executor } from "./executor.js";
import type { Callbacks } from "../functions/callbacks.js";
import { Comparisons } from "../functions/comparisons.js";
import { Definitions } from "../functions/definitions.js";
import { explained } from "../engine/cannot-open.js";
import { emptyLog } from "../engine/empty-log.js";
import { attachNative, native, needsNative } from "../engine/native.js";
import { Limits } from "./limits.js";
import { LockWait } from "./lock-wait.js";
import { Methods } from "./methods.js";
import { NativeStatements } from "./native-statements.js";
import { OpenCursors } from "./cursors/open-cursors.js";
import {
  checkContents,
  configureHandle,
  openHandle,
  overwrite,
  setUp,
  withoutLog,
} from "../engine/opening.js";
import { ReplyWriter } from "./reply-writer.js";
import type { SessionParts } from "./session-parts.js";
import { StatementTrace } from "./statement-trace.js";
import type { Control } from "../wire/control-block.js";
import { UsageError } from "../wire/fault.js";
import type { Definition, Source } from "../wire/definitions.js";
import {
  type BackupOptions,
  isPrivate,
  isSharedMemory,
  type Opened,
  type OpenOptions,
} from "../wire/thread-api.js";
import { CLAIM_FILES, type Reply, State } from "../wire/protocol.js";

/** A connection in the thread. Creates its parts, and opens, replaces and closes their handle. */
export class Session implements SessionParts {
  readonly out = new ReplyWriter();
  readonly cursors = new OpenCursors();
  readonly limits = new Limits();
  readonly handle = new DatabaseHandle(this.cursors, this.limits, () => this.clearInterrupt());
  readonly schema = new SchemaWatch(this.handle);
  readonly counts = new ChangeCounts(this.handle);
  readonly state = new ConnectionState(this.handle, this.schema);
  readonly changes = new ChangeTracker(this.handle, this.schema);
  readonly hooks = new Hooks();
  readonly trace = new StatementTrace(this.handle, this.out);
  readonly blobs = new Blobs(
    () => this.handle.inTransaction,
    (database, table) => {
      this.changes.mark(database, table);
      this.state.wroteInto(database);
    },
  );
  readonly comparisons = new Comparisons();
  readonly attachedFiles: AttachedFiles;
  readonly lockWait: LockWait;
  readonly nativeStatements: NativeStatements;
  readonly methods = new Methods(this);
  readonly executor: Executor;
  readonly #control: Control;
  readonly #callbacks: Callbacks;
  readonly #definitions: Definitions;
  #options: OpenOptions | null = null;

  /** `onFunctionCall` runs whenever SQL is about to call a user function. */
  constructor(control: Control, callbacks: Callbacks, onFunctionCall: () => void) {
    this.#control = control;
    this.#callbacks = callbacks;
    this.attachedFiles = new AttachedFiles(
      (files) => callbacks.call(CLAIM_FILES, files) as string | null,
      (work) => this.handle.privately(work),
    );
    this.lockWait = new LockWait(this.handle, this.cursors, control);
    this.nativeStatements = new NativeStatements(control, () => this.lockWait.sequence);
    this.#definitions = new Definitions(
      this.handle,
      this.nativeStatements,
      callbacks,
      onFunctionCall,
      this.comparisons,
    );
    this.executor = new Executor(this, this.methods);
  }

  async open(options: OpenOptions): Promise<Opened> {
    // The image is used once. Later handles get the contents of the one before.
    this.#options = { ...options, image: null };
    this.lockWait.opening(options.timeout);
    try {
      const db = await openHandle(options);
      this.handle.opened(db);
      this.out.integers = options.integers;
      return await this.#configure(db, options);
    } catch (error) {
      this.close();
      throw explained(error, options.path);
    }
  }

  async #configure(db: EngineDatabase, options: OpenOptions): Promise<Opened> {
    await configureHandle(db, options);
    const token = attachNative(db);
    this.handle.attached(token);
    if (token !== 0) native!.guardCommits(token, this.#control.block);
    this.#control.token[0] = token;
    this.#definitions.attached(db, token, options.setup !== null);
    for (const definition of options.functions) await this.define(definition);
    await setUp(db, options);
    // On a later handle: they were defined, or removed, after the setup module had run.
    for (const definition of this.#definitions.lasting) await this.define(definition);
    // A pragma option or the setup module may have set it.
    if (options.pragmas.some(([name]) => /busy_timeout/i.test(name)) || options.setup !== null)
      this.lockWait.adoptUnless(options.timeout);
    this.nativeStatements.attached(db, token);
    if (options.setup !== null || this.#definitions.lasting.length > 0) this.nativeStatements.guard();
    if (options.queryOnly) db.exec("PRAGMA query_only = ON");
    this.schema.open(db);
    this.counts.open(db);
    this.state.opened(options.pooled);
    this.trace.turn(false);
    this.methods.reopened();
    this.schema.mayHaveChanged();
    this.changes.attached(token);
    this.hooks.attached(token);
    this.blobs.attached(token);
    this.limits.attached(token, options);
    this.attachedFiles.opened(db, options.setup !== null || options.extensions.length > 0);
    this.#definitions.installAuthorizer();
    return { sqliteVersion: versionOf(db), serializes: db.serializes !== false };
  }

  /**
   * Call it after a sqlite3_interrupt(). It stops every statement that is under way, half-read cursors included, and
   * SQLite keeps it for all further statements until none is under way; an open blob counts as one, too. So half-read
   * cursors end with an error, and blobs are opened again. A transaction that has written to an R-tree cannot go on,
   * nor end: it is rolled back, and the result is true.
   */
  clearInterrupt(): boolean {
    this.cursors.interrupt();
    this.blobs.reopen();
    const { inTransaction, token } = this.handle;
    return inTransaction && token !== 0 && native!.undoInterrupted(token);
  }

  /** Closes the handle. With `emptiesLog`, empties the write-ahead log before. */
  close(emptiesLog = false): void {
    if (!this.handle.isOpen) return;
    this.executor.reset();
    if (emptiesLog) this.handle.privately(() => emptyLog(this.handle.db, this.#options!.path));
    this.nativeStatements.detached();
    this.changes.detached();
    this.hooks.detached();
    this.blobs.detached();
    this.limits.detached();
    this.schema.close();
    this.counts.close();
    this.#control.token[0] = 0;
    this.handle.close();
  }

  /** Opens a new handle on the same database, with the lasting functions. */
  async reopen(): Promise<Opened> {
    const options = this.#options!;
    // An in-memory database is copied to the new handle.
    const { db } = this.handle;
    const image = isPrivate(options.path) && db.memory ? new Uint8Array(db.serialize()) : null;
    // A shared in-memory database exists only while a connection to it is open. Otherwise it is open to see whether
    // others commit meanwhile.
    const watches = this.changes.tracking && image === null;
    const keeper = watches || isSharedMemory(options.path) ? await openHandle(options) : null;
    try {
      const before = watches ? dataVersion(keeper!) : null;
      this.close();
      this.hooks.forget();
      this.limits.forget();
      const opened = await this.open({ ...options, image });
      if (watches && (before === null || dataVersion(keeper!) !== before)) this.changes.missed();
      return opened;
    } finally {
      keeper?.close();
    }
  }

  /**
   * Replaces the contents of an in-memory database. A shared one is overwritten. A private one gets a new handle with
   * all settings of the old one; then the result is true.
   */
  async replace(image: Uint8Array): Promise<boolean> {
    const options = this.#options!;
    const shared = isSharedMemory(options.path);
    if (shared) {
      this.cursors.readRest("a database cannot be replaced");
      await overwrite(options, image, this.handle.token);
    } else {
      this.close();
      await this.open({ ...options, image });
    }
    this.changes.replaced();
    this.schema.mayHaveChanged();
    return !shared;
  }

  /**
   * Turns a database into an in-memory one with these contents. True if that took a new handle: without the companion
   * only the main database can change, and temporary objects are lost.
   */
  async deserialize(image: Uint8Array, name: string): Promise<boolean> {
    const { handle } = this;
    if (handle.inTransaction) throw new UsageError("SQLITE_ERROR", "cannot deserialize inside a transaction");
    this.cursors.readRest("a database cannot be deserialized");
    handle.privately(() => requireDatabase(handle.db, name));
    // SQLite refuses it without an error message.
    if (name.toLowerCase() === "temp")
      throw new UsageError("SQLITE_ERROR", "the temporary database cannot be deserialized into");
    await checkContents(image, this.#options!);
    this.blobs.closeAll();
    this.state.taint();
    if (native === null || handle.token === 0) {
      if (name.toLowerCase() !== "main")
        throw needsNative("deserialize() into another than the main database");
      if (this.cursors.size > 0)
        throw new UsageError("SQLITE_BUSY", "a database cannot be deserialized while a cursor is half read");
      await this.replace(image);
      this.state.taint();
      return true;
    }
    native.deserialize(handle.token, name, withoutLog(image));
    this.changes.replaced();
    this.schema.mayHaveChanged();
    return false;
  }

  /** Adds or removes a definition; permanently if `lasting`, else until the lease ends. */
  async define(definition: Definition, lasting = true): Promise<void> {
    this.cursors.readRest(`a ${definition.kind} cannot be created`);
    await this.#definitions.define(definition, lasting, this.out.integers);
    if (!lasting) this.state.taint();
    this.schema.mayHaveChanged();
  }

  /** Sets the authorizer of statements compiled from now on; permanently if `lasting`. */
  async authorize(source: Source | null, lasting: boolean): Promise<void> {
    await this.#definitions.authorize(source, lasting);
    if (!lasting) this.state.taint();
  }

  /** The original error behind SQLite's error, such as what a callback threw. */
  behind(error: unknown): unknown {
    return this.#definitions.behind(error);
  }

  async backup(options: BackupOptions): Promise<void> {
    const { db } = this.handle;
    this.handle.privately(() => requireDatabase(db, options.name));
    const report: BackupReport = (status, remaining, total) => {
      if (options.progress !== 0) this.#callbacks.call(options.progress, [status, remaining, total]);
    };
    try {
      await backUp(db, options, this.#options!.timeout, report);
    } catch (error) {
      throw explained(error, options.path);
    }
  }

  takeReply(): { reply: Reply; transfer: ArrayBuffer[] } {
    const { out, counts, schema } = this;
    if (!this.handle.isOpen) return out.take(0, counts.knownTotal, schema.epoch);
    if (out.anyUnsureColumns) schema.look();
    try {
      counts.total();
    } catch {
      // Interrupted together with a half-read result. The next reply asks again.
    }
    const report = this.changes.take();
    if (report !== null) out.changed(report);
    const events = this.hooks.take();
    if (events !== null) out.hooked(events);
    const state =
      (this.handle.inTransaction ? State.IN_TRANSACTION : 0) | (this.state.tainted ? State.TAINTED : 0);
    return out.take(state, counts.knownTotal, schema.epoch);
  }
}

/** Changes with each commit of another connection. Null if that cannot be read: behind a lock, or without a key. */
function dataVersion(db: EngineDatabase): unknown {
  try {
    return prepareOwn(db, "PRAGMA data_version").pluck().get();
  } catch {
    return null;
  }
}
