import { factsOf } from "@sqlite-aio/worker/sql";
import type { ProgrammingError } from "../errors/errors.js";
import { type Loss, lostWith, switchedInVain } from "./refusals.js";
import type { SessionStatements } from "./session-pool.js";
import type { StatementKind } from "./statement-kind.js";

/** Knows what is lost with a connection when it is released. */
export class Losses {
  /** What `PRAGMA foreign_keys` said before the first switch. */
  #foreignKeys: string | null = null;
  /** Foreign keys were switched from that, and no statement has run since. */
  #switchedInVain = false;
  /** What is lost if nothing else runs. */
  #inVain: Loss | null = null;
  /** Something has run that is not lost with the connection. */
  #worked = false;

  /**
   * Notes a statement that is about to run. Returns what is lost with the connection if no other one runs; null if nothing
   * is. Give it to {@link ran} afterwards.
   */
  noted(sql: string, kind: StatementKind): Loss | null {
    const loss = kind === "session" ? lostWith(sql) : null;
    // Even if it fails: then what was set before was tried.
    if (loss === null && !(kind === "session" && factsOf(sql).setsForeignKeys)) this.#worked = true;
    return loss;
  }

  /** Notes that a statement has run. */
  ran(loss: Loss | null): void {
    this.#inVain ??= loss;
  }

  /** Notes work that is not lost. */
  worked(): void {
    this.#worked = true;
  }

  /** Notes that something runs on the connection, for which foreign keys may have been switched. */
  used(): void {
    this.#switchedInVain = false;
  }

  /** Runs a `PRAGMA foreign_keys`. */
  async switchForeignKeys(target: SessionStatements, sql: string): Promise<void> {
    this.#foreignKeys ??= await foreignKeys(target);
    await target.executeFetchall(sql);
    this.#switchedInVain = (await foreignKeys(target)) !== this.#foreignKeys;
  }

  /** The error if a loss is one for the caller. Null if not, and once it was taken. */
  takeRefusal(): ProgrammingError | null {
    const loss = this.#loss;
    if (loss?.refused !== true) return null;
    this.#forget();
    return loss.error;
  }

  /** Warns of a loss that was not taken. */
  warn(): void {
    const loss = this.#loss;
    if (loss !== null) process.emitWarning(loss.error.message, { code: "SQLITE_AIO_IN_VAIN" });
    this.#forget();
  }

  get #loss(): Loss | null {
    if (this.#switchedInVain) return { error: switchedInVain(), refused: true };
    return this.#worked ? null : this.#inVain;
  }

  #forget(): void {
    this.#switchedInVain = false;
    this.#inVain = null;
  }
}

async function foreignKeys(target: SessionStatements): Promise<string> {
  const [row] = await target.executeFetchall<object>("PRAGMA foreign_keys");
  return Object.values(row ?? {}).join();
}
