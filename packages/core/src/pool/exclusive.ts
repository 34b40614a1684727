import type { Connection } from "../connection/connection.js";
import { ProgrammingError } from "../errors/errors.js";
import { isBusy } from "../errors/is-busy.js";
import { callSiteOf } from "../errors/call-site.js";
import { type CallOptions, checkOptions, integer, oneOf } from "../options/connect-options.js";
import { Deadline } from "../options/deadline.js";
import type { Dispatcher } from "./dispatcher.js";
import type { MemberGroup } from "./member-group.js";
import type { Leases } from "./leases.js";
import { PoolTransaction, pinSnapshot, ReadTransaction } from "./transaction.js";
import type { Caller, Handle } from "../connection/handle.js";
import { runTransaction, type TransactionOptions } from "../connection/transaction.js";
import type { TransactionTrace } from "../tracing/transaction-trace.js";

/** Options of `pool.transaction()`. */
export interface PoolTransactionOptions extends TransactionOptions {
  /** How often the whole callback is run again if another process holds the lock. Default 0. */
  retries?: number | undefined;
}

/** Options of `pool.acquire()`. */
export interface AcquireOptions {
  /** Default `"write"`. */
  mode?: "read" | "write" | undefined;
  /** Ends the wait for a connection. */
  signal?: AbortSignal | undefined;
}

/** Gives one caller exclusive use of a connection: for a transaction, a snapshot or a lease. */
export class Exclusive {
  readonly #dispatcher: Dispatcher;
  readonly #leases: Leases;
  readonly #writers: MemberGroup;
  readonly #readers: MemberGroup;

  constructor(dispatcher: Dispatcher, leases: Leases, writers: MemberGroup, readers: MemberGroup) {
    this.#dispatcher = dispatcher;
    this.#leases = leases;
    this.#writers = writers;
    this.#readers = readers;
  }

  async transaction<T>(
    fn: (tx: PoolTransaction) => T | Promise<T>,
    options: PoolTransactionOptions,
    trace: TransactionTrace | null,
    caller: Caller,
  ): Promise<T> {
    if (typeof fn !== "function") throw new TypeError("transaction: the first argument must be a function");
    const { signal } = checkOptions(options, ["mode", "retries", "signal"]);
    const mode = oneOf(options.mode, "mode", "immediate", ["deferred", "immediate", "exclusive"]);
    let retries = integer(options.retries, "retries", 0, 0);
    this.#dispatcher.check();
    const deadline = Deadline.of({ signal });
    const place = callSiteOf(caller);
    const face = (handle: Handle): PoolTransaction => new PoolTransaction(handle);
    for (;;) {
      const lease = await this.#dispatcher.lease(this.#writers, "transaction", place, deadline);
      try {
        return await lease.unlessRevoked(
          this.#leases.inside(() => runTransaction(lease.handle("pool"), face, fn, { signal, mode }, trace)),
        );
      } catch (error) {
        if (!isBusy(error) || retries-- <= 0) throw error;
      } finally {
        void lease.end();
      }
    }
  }

  async read<T>(
    fn: (tx: ReadTransaction) => T | Promise<T>,
    options: CallOptions,
    trace: TransactionTrace | null,
    caller: Caller,
  ): Promise<T> {
    if (typeof fn !== "function") throw new TypeError("read: the first argument must be a function");
    this.#dispatcher.check();
    const deadline = Deadline.of(options)!;
    const lease = await this.#dispatcher.lease(this.#readers, "read", callSiteOf(caller), deadline);
    const handle = lease.handle("pool");
    handle.endsWith(readOver);
    try {
      const work = this.#leases.inside(async () => {
        await pinSnapshot(handle);
        trace?.begun(handle.thread);
        return await fn(new ReadTransaction(handle));
      });
      return await lease.unlessRevoked(deadline.race(work));
    } catch (error) {
      if (deadline.over) lease.member.channel.cancelAll(error);
      throw error;
    } finally {
      void lease.end();
    }
  }

  async acquire(options: AcquireOptions, caller: Caller): Promise<Connection> {
    const { signal } = checkOptions(options, ["mode", "signal"]);
    const mode = oneOf(options.mode, "mode", "write", ["read", "write"]);
    this.#dispatcher.check();
    const group = mode === "read" ? this.#readers : this.#writers;
    const deadline = Deadline.of({ signal });
    const lease = await this.#dispatcher.lease(group, "acquire", callSiteOf(caller), deadline);
    return this.#leases.lend(lease);
  }
}

function readOver(): ProgrammingError {
  return new ProgrammingError("the read() is over", { code: "SQLITE_MISUSE" });
}
