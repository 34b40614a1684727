import { Verb } from "@sqlite-aio/worker/wire";
import { OperationalError, ProgrammingError } from "./errors.js";
import { checkSignal, oneOf } from "./options.js";
import type { Lane } from "./queue.js";
import type { Runner } from "./runner.js";

/** Options of `transaction()`. */
export interface TransactionOptions {
  /** Which BEGIN, see https://sqlite.org/lang_transaction.html. Default `"deferred"`; a nested one is a SAVEPOINT. */
  mode?: "deferred" | "immediate" | "exclusive" | undefined;
  /** Aborting gives up waiting, or rolls back what has begun. */
  signal?: AbortSignal | undefined;
}

const MODES = { deferred: 1, immediate: 2, exclusive: 3 } as const;

/** Numbers the savepoints of the process, so that each has a name of its own. */
let lastSavepoint = 0;

/** Runs `fn` on a lease of the runner's lane, between BEGIN and COMMIT or between SAVEPOINT and RELEASE. */
export async function inTransaction<X, T>(
  runner: Runner,
  face: (runner: Runner) => X,
  fn: (tx: X) => T | Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  if (typeof fn !== "function") throw new TypeError("transaction: the first argument must be a function");
  const mode = MODES[oneOf(options.mode, "mode", "deferred", ["deferred", "immediate", "exclusive"])];
  const signal = checkSignal(options.signal);
  signal?.throwIfAborted();
  const lane = await leaseOf(runner, signal);
  const inner = runner.within(lane, true);
  const nested = runner.scoped;
  const savepoint = nested ? ++lastSavepoint : 0;
  const control = (verb: number, argument = savepoint) => inner.perform(inner.control(verb, argument));
  try {
    await control(nested ? Verb.SAVEPOINT : Verb.BEGIN, nested ? savepoint : mode);
    try {
      const result = await lane.run(() => fn(face(inner)));
      signal?.throwIfAborted();
      letGo(inner);
      await control(nested ? Verb.RELEASE : Verb.FINISH);
      return result;
    } catch (error) {
      letGo(inner);
      await undo(inner, nested, savepoint, error);
      throw error;
    }
  } finally {
    inner.closed = true;
    lane.end(new ProgrammingError("the transaction is over", { code: "SQLITE_MISUSE" }));
  }
}

async function leaseOf(runner: Runner, signal: AbortSignal | undefined): Promise<Lane> {
  if (runner.closed) return runner.lane.lease();
  let stopWatching: (() => void) | undefined;
  try {
    return await runner.lane.lease((withdraw) => {
      const onAbort = (): void => withdraw(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      stopWatching = () => signal?.removeEventListener("abort", onAbort);
    });
  } finally {
    stopWatching?.();
  }
}

/** A cursor left half read would keep the snapshot, and with it the write-ahead log, from moving on. */
function letGo(runner: Runner): void {
  for (const cursor of runner.cursors) runner.channel.release(cursor);
  runner.cursors.clear();
}

async function undo(inner: Runner, nested: boolean, savepoint: number, cause: unknown): Promise<void> {
  if (!inner.channel.alive) return;
  try {
    await inner.perform(nested ? inner.control(Verb.ROLLBACK_TO, savepoint) : inner.control(Verb.ROLLBACK));
  } catch (error) {
    if (!inner.channel.alive) return;
    throw new OperationalError("the transaction could not be rolled back", {
      cause: new AggregateError([cause, error]),
    });
  }
}
