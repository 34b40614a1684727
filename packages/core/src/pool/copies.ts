import { type BackupOptions, backupPath, checkBackup, databaseName } from "../connection/backup.js";
import { Connection } from "../connection/connection.js";
import { dumpLines } from "../connection/dump-lines.js";
import type { Caller } from "../connection/handle.js";
import { OperationalError } from "../errors/errors.js";
import { isInstance } from "../errors/is-instance.js";
import { ErrorReason } from "../errors/rejection.js";
import { callSiteOf, keepCallSite, weakCallSite } from "../errors/call-site.js";
import { type CallOptions, checkOptions } from "../options/connect-options.js";
import { Deadline } from "../options/deadline.js";
import type { Dispatcher } from "./dispatcher.js";
import type { Lease, Leases } from "./leases.js";
import type { MemberGroup } from "./member-group.js";
import type { ResolvedPoolOptions } from "./options.js";
import { pinSnapshot } from "./transaction.js";

/**
 * Copies of the whole database. Each copy shows one state, and is read by a connection that nobody else uses meanwhile.
 */
export class Copies {
  readonly #dispatcher: Dispatcher;
  readonly #leases: Leases;
  readonly #readers: MemberGroup;
  readonly #callTimeout: number;
  /** Readers can keep a snapshot while others write. */
  readonly #pins: boolean;

  constructor(options: ResolvedPoolOptions, dispatcher: Dispatcher, leases: Leases, readers: MemberGroup) {
    this.#dispatcher = dispatcher;
    this.#leases = leases;
    this.#readers = readers;
    this.#callTimeout = options.callTimeout;
    // Without a log, a snapshot would block writers of other processes. In memory, there is no second connection.
    this.#pins = options.wal;
  }

  async backup(
    target: Connection | string | URL | Buffer,
    options: BackupOptions,
    caller: Caller,
  ): Promise<void> {
    // Resolved now: the process may have another working directory when the backup's turn comes.
    const to = isInstance(target, Connection) ? target : backupPath(target);
    const { signal, timeout: _, ...steps } = checkBackup(options);
    this.#dispatcher.check();
    const deadline = Deadline.of({ signal, timeout: options.timeout }, this.#callTimeout)!;
    const lease = await this.#dispatcher.lease(this.#readers, "backup", callSiteOf(caller), deadline);
    const connection = this.#leases.lend(lease);
    try {
      const copying = deadline.signalled(async (limit) => {
        // Without a snapshot, a backup restarts whenever somebody writes, and might never end.
        if (this.#pins) await pinSnapshot(lease.handle("lease"));
        await connection.backup(to, { ...steps, signal: limit });
      });
      await lease.unlessRevoked(copying);
    } finally {
      void lease.end();
    }
  }

  async serialize(options: CallOptions & { name?: string | undefined }, caller: Caller): Promise<Uint8Array> {
    const { name, ...limits } = checkOptions(options, ["name", "signal", "timeout"]);
    const database = databaseName(name);
    this.#dispatcher.check();
    const deadline = Deadline.of(limits, this.#callTimeout);
    // Treated like a long statement: no other call joins its connection.
    const want = { need: "idle", cost: Number.POSITIVE_INFINITY } as const;
    const call = await this.#dispatcher.perform(this.#readers, want, deadline, (handle, waited) => {
      const made = handle.method("serialize", database);
      handle.submit(made, deadline, waited ? null : caller);
      return made;
    });
    return call.value as Uint8Array;
  }

  iterdump(filter: string | null, caller: Caller): AsyncGenerator<string, void, undefined> {
    const site = callSiteOf(caller);
    const place = weakCallSite(site);
    const deadline = new Deadline({});
    const lease = (): Promise<Lease> => {
      this.#dispatcher.check();
      return this.#dispatcher.lease(this.#readers, "iterdump", place, deadline);
    };
    const lines = new DumpLines(leasedLines(lease, filter, this.#pins), deadline);
    keepCallSite(lines, site);
    return lines;
  }
}

/** The lines of a dump, on a connection that is held from the first line to the last. */
async function* leasedLines(
  leasing: () => Promise<Lease>,
  filter: string | null,
  pins: boolean,
): AsyncGenerator<string, void, undefined> {
  const lease = await leasing();
  try {
    const handle = lease.handle("pool");
    if (pins) await pinSnapshot(handle);
    yield* dumpLines(handle, filter);
  } finally {
    await lease.leave();
  }
}

/** Rejects a wait for a connection when `return()` is called. */
const left = new ErrorReason(
  () => new OperationalError("interrupted: the iteration was left", { code: "SQLITE_INTERRUPT" }),
);

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** A half-read dump that is garbage-collected must not keep its connection for ever. */
const dropped = new FinalizationRegistry<AsyncGenerator<string, void, undefined>>(
  (lines) => void lines.return().catch(() => {}),
);

/**
 * The iterator that users get. A plain generator has two faults: `return()` waits for a pending `next()`, and nothing
 * ends it when it is garbage-collected.
 */
class DumpLines implements AsyncGenerator<string, void, undefined> {
  readonly #lines: AsyncGenerator<string, void, undefined>;
  readonly #deadline: Deadline;
  #left = false;

  constructor(lines: AsyncGenerator<string, void, undefined>, deadline: Deadline) {
    this.#lines = lines;
    this.#deadline = deadline;
    dropped.register(this, lines, this);
  }

  async next(): Promise<IteratorResult<string, void>> {
    try {
      const result = await this.#lines.next();
      return this.#left ? END : result;
    } catch (error) {
      if (this.#left) return END;
      throw error;
    }
  }

  async return(): Promise<IteratorResult<string, void>> {
    dropped.unregister(this);
    this.#left = true;
    this.#deadline.end(left);
    await this.#lines.return();
    return END;
  }

  async throw(error: unknown): Promise<IteratorResult<string, void>> {
    await this.return();
    throw error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
