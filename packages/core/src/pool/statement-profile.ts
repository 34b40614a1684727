import {
  factsOf,
  type ParameterList,
  RememberedTexts,
  type Setting,
  type StatementFacts,
  Taint,
} from "@sqlite-aio/worker/sql";
import { checkSql } from "../thread/statement-cache.js";

/** What a pool knows of a SQL text. */
export interface Profile {
  /**
   * `control` would begin or end a transaction, `alone` may leave something behind on its connection, the others set
   * something there that no other call would find.
   */
  readonly kind: "plain" | "alone" | "control" | Setting;
  readonly parameters: ParameterList;
  /** It writes, so that a reader refused it. */
  writes: boolean;
  /** Milliseconds that it ran at the most of late; infinite if it has not run. */
  cost: number;
}

/** Below this many milliseconds a statement is quick. */
const QUICK_MS = 2;

/** Characters of texts in one generation: a program that writes its values into the text has texts of any length. */
const MAX_LENGTH = 2 * 1024 * 1024;

/** Remembers the texts used of late; what it forgets is learned again. */
export class StatementProfiles {
  readonly #texts: RememberedTexts<Profile>;

  constructor(capacity: number) {
    this.#texts = new RememberedTexts(profileOf, capacity, MAX_LENGTH);
  }

  /** Throws if `sql` cannot be a statement. */
  get(sql: string): Profile {
    return this.#texts.get(sql);
  }

  /** Notes how long a call took. */
  spent(profile: Profile, ms: number): void {
    profile.cost = profile.cost === Number.POSITIVE_INFINITY ? ms : Math.max(ms, profile.cost * 0.8);
  }
}

/** A statement of such a cost may share a connection with others. */
export function isQuick(cost: number): boolean {
  return cost < QUICK_MS;
}

function profileOf(sql: string): Profile {
  checkSql(sql);
  const facts = factsOf(sql);
  return { kind: kindOf(facts), parameters: facts.parameters, writes: false, cost: Number.POSITIVE_INFINITY };
}

function kindOf({ transaction, setting, taint }: StatementFacts): Profile["kind"] {
  if (transaction !== null) return "control";
  return setting ?? (taint === Taint.NONE ? "plain" : "alone");
}
