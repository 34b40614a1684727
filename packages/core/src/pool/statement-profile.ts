import {
  type ParameterList,
  scanParameters,
  type Setting,
  settingOf,
  statementKeyword,
  Taint,
  taintOf,
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

const CONTROL = new Set(["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"]);

/** Remembers the texts used of late; what it forgets is learned again. */
export class StatementProfiles {
  readonly #capacity: number;
  #young = new Map<string, Profile>();
  #old = new Map<string, Profile>();
  /** Characters of the young texts together. */
  #length = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Throws if `sql` cannot be a statement. */
  get(sql: string): Profile {
    let profile = this.#young.get(sql);
    if (profile !== undefined) return profile;
    profile = this.#old.get(sql) ?? profileOf(sql);
    // Two generations instead of an order: a look-up moves nothing.
    if (this.#young.size >= this.#capacity || this.#length + sql.length > MAX_LENGTH) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#length = 0;
    }
    this.#length += sql.length;
    this.#young.set(sql, profile);
    return profile;
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
  const keyword = statementKeyword(sql);
  const kind = CONTROL.has(keyword)
    ? "control"
    : (settingOf(keyword, sql) ?? (taintOf(keyword, sql) === Taint.NONE ? "plain" : "alone"));
  return { kind, parameters: scanParameters(sql), writes: false, cost: Number.POSITIVE_INFINITY };
}
