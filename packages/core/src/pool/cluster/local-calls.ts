import { MANY } from "./primary-transaction.js";
import { notAtPrimary } from "./remote-errors.js";

/** The calls of a pool that are for a database of this machine. */
export abstract class LocalCalls {
  /** SQL functions are of one connection on one machine. Throws NotSupportedError. */
  async createFunction(): Promise<void> {
    throw notAtPrimary("createFunction(): the primary has no functions of its clients, and libsql has none");
  }

  /** The primary would be asked for each parameter set. Throws NotSupportedError, which names `batch()`. */
  async executemany(): Promise<{ changes: number }> {
    throw notAtPrimary(MANY);
  }
}
