import { native, needsNative } from "../engine/native.js";
import { UsageError } from "../wire/fault.js";

const DEFENSIVE = 1010;
const RESET_DATABASE = 1009;
const DQS_DML = 1013;
const DQS_DDL = 1014;

/** Above SQLite's upper bounds, so SQLite uses those. */
const UNLIMITED = 0x7fffffff;

/** The limits and switches of the handle, also for a handle that replaces it. */
export class Limits {
  #token = 0;
  /** Limits that are set now; others have SQLite's defaults. */
  readonly #effective = new Map<number, number>();
  /** Limits that were set at run time. */
  readonly #limits = new Map<number, number>();
  readonly #switches = new Map<number, boolean>();

  /** Call it when a handle was opened. Sets its options' limits, and those that were set at run time. */
  attached(token: number, options: { limits: readonly Limit[]; doubleQuotedStrings: boolean }): void {
    this.#token = token;
    if (options.doubleQuotedStrings) {
      this.#set(DQS_DML, true);
      this.#set(DQS_DDL, true);
    }
    for (const [op, enable] of this.#switches) this.#set(op, enable);
    for (const [category, limit] of [...options.limits, ...this.#limits]) this.limit(category, limit, false);
  }

  /** Call it before the handle closes. */
  detached(): void {
    this.#token = 0;
    this.#effective.clear();
  }

  /** Drops limits and switches that were set at run time, for the next handle. */
  forget(): void {
    this.#limits.clear();
    this.#switches.clear();
  }

  /**
   * Sets a limit, unless it is negative, and returns the previous one. `lasting` limits also hold for later handles.
   */
  limit(category: number, limit: number, lasting = true): number {
    const before = this.#native("setlimit()").limit(this.#token, category, limit);
    if (before < 0) throw new UsageError("MISUSE", "'category' is out of bounds");
    if (limit < 0) return before;
    this.#effective.set(category, limit);
    if (lasting) this.#limits.set(category, limit);
    return before;
  }

  /** Lifts all limits until {@link restore}. */
  lift(): void {
    for (const category of this.#effective.keys()) native!.limit(this.#token, category, UNLIMITED);
  }

  restore(): void {
    for (const [category, limit] of this.#effective) native!.limit(this.#token, category, limit);
  }

  setSwitch(op: number, enable: boolean): void {
    if (this.#set(op, enable) !== enable && op !== RESET_DATABASE)
      throw new UsageError("SQLITE_ERROR", "Unable to set config");
    if (op !== RESET_DATABASE) this.#switches.set(op, enable);
  }

  getSwitch(op: number): boolean {
    return this.#native("getconfig()").config(this.#token, op);
  }

  /** The engine's unsafe mode has changed this switch. Sets it back. */
  restoreDefensive(): void {
    const wanted = this.#switches.get(DEFENSIVE);
    if (wanted !== undefined) this.#set(DEFENSIVE, wanted);
  }

  #set(op: number, enable: boolean): boolean {
    return this.#native("setconfig()").config(this.#token, op, enable);
  }

  #native(what: string): NonNullable<typeof native> {
    if (native === null || this.#token === 0) throw needsNative(what);
    return native;
  }
}

/** See https://sqlite.org/c3ref/c_limit_attached.html. */
export type Limit = readonly [category: number, limit: number];
