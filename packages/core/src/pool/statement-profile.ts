import {
  factsOf,
  type ParameterList,
  RememberedTexts,
  type Setting,
  type StatementFacts,
  Taint,
} from "@sqlite-aio/worker/sql";
import { checkSql } from "../thread/statement-cache.js";

/** Which members a call can use. */
export interface Want {
  /**
   * For groups of several members. `idle`: a member without calls under way. `quick`: also a member whose calls are all
   * known to be quick. `any`: also a busy member, if no other can be waited for. `lease`: an idle member, held until it
   * is given back.
   */
  readonly need: "idle" | "quick" | "any" | "lease";
  /** Expected duration in milliseconds. */
  readonly cost: number;
}

/** For calls whose duration is negligible. */
export const ANY: Want = { need: "any", cost: 0 };

/** What a pool knows about a SQL text, and so which members its calls need. */
export class Profile implements Want {
  /**
   * `control` begins or ends a transaction. `alone` may change its connection for later calls. A {@link Setting} sets
   * something on the connection that no later call would find.
   */
  readonly kind: "plain" | "alone" | "control" | Setting;
  readonly parameters: ParameterList;
  /** A reader refused it because it writes. */
  writes = false;
  #cost = Number.POSITIVE_INFINITY;
  #longest = 0;
  #latest = Number.NaN;
  /** What {@link cost} has to be at least after the latest run. */
  #lasting = 0;

  /** Throws if `sql` cannot be a statement. */
  constructor(sql: string) {
    checkSql(sql);
    const facts = factsOf(sql);
    this.kind = kindOf(facts);
    this.parameters = facts.parameters;
  }

  /**
   * The longest recent run in milliseconds, or the longest but one if it is quick; infinite before the first run. A
   * single quick run that took longer has lost its core for a moment.
   */
  get cost(): number {
    return this.#cost;
  }

  /**
   * A short read joins others on a busy reader: 64 callers read 110,000 rows a second that way, against 11,000 with one
   * call per reader at a time. A long read would hold the others up, so it waits for a reader of its own. The answer
   * may change while calls wait.
   */
  get need(): "idle" | "quick" {
    return isQuick(this.#cost) ? "quick" : "idle";
  }

  /** Notes how long a call took. Calls that were answered together have one average, which counts once. */
  spent(ms: number): void {
    const first = this.#cost === Number.POSITIVE_INFINITY;
    if (ms !== this.#latest) this.#lasting = first || !isQuick(ms) ? ms : Math.min(ms, this.#longest);
    this.#latest = ms;
    this.#cost = first ? ms : Math.max(this.#lasting, this.#cost * 0.8);
    this.#longest = Math.max(ms, this.#longest * 0.8);
  }
}

/** Below this many milliseconds a statement is quick. */
const QUICK_MS = 2;

/**
 * Maximum total length of the remembered texts per generation, in characters: a program that writes values into its SQL
 * has texts of any length.
 */
const MAX_LENGTH = 2 * 1024 * 1024;

/** Remembers recently used texts. What it forgets is learned again. */
export class StatementProfiles {
  readonly #texts: RememberedTexts<Profile>;

  constructor(capacity: number) {
    this.#texts = new RememberedTexts((sql) => new Profile(sql), capacity, MAX_LENGTH);
  }

  /** Throws if `sql` cannot be a statement. */
  get(sql: string): Profile {
    return this.#texts.get(sql);
  }
}

/** True if a statement of this cost may share a connection with others. */
export function isQuick(cost: number): boolean {
  return cost < QUICK_MS;
}

function kindOf({ transaction, setting, taint }: StatementFacts): Profile["kind"] {
  if (transaction !== null) return "control";
  return setting ?? (taint === Taint.NONE ? "plain" : "alone");
}
