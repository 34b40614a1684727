import type { Pool } from "@sqlite-aio/core";

/** A kind of call: one flight by its key, a figure over many flights, or a change to one flight. */
export type Kind = "short" | "long" | "write";

/** A mixture of calls, in twentieths. */
export interface Work {
  readonly title: string;
  readonly parts: Readonly<Record<Kind, number>>;
  /** The kind whose latency matters here. */
  readonly watched: Kind;
}

export const works: readonly Work[] = [
  { title: "short reads", parts: { short: 19, long: 0, write: 1 }, watched: "short" },
  { title: "long reads", parts: { short: 0, long: 19, write: 1 }, watched: "long" },
  { title: "mixed", parts: { short: 9, long: 1, write: 10 }, watched: "short" },
  { title: "writes", parts: { short: 1, long: 0, write: 19 }, watched: "write" },
];

/** Describes each kind to the reader. */
export const kinds: Readonly<Record<Kind, { readonly noun: string; readonly sql: string }>> = {
  short: { noun: "short read", sql: "SELECT delay, distance, time FROM flights WHERE rowid = ?" },
  long: {
    noun: "long read",
    sql: "SELECT count(*) AS flights, avg(delay) AS delay FROM flights WHERE rowid BETWEEN ? AND ?",
  },
  write: { noun: "write", sql: "UPDATE flights SET delay = ? WHERE rowid = ?" },
};

/** Maximum number of flights in a long read. */
const LONG_SPAN = 60_000;

/** One caller's calls: a sequence that depends only on `seed`, so that all setups get the same calls. */
export class Calls {
  readonly #pool: Pool;
  readonly #flights: number;
  readonly #kinds: readonly Kind[];
  #state: number;

  constructor(pool: Pool, work: Work, flights: number, seed: number) {
    this.#pool = pool;
    this.#flights = flights;
    this.#kinds = Object.entries(work.parts).flatMap(([kind, parts]) =>
      Array<Kind>(parts).fill(kind as Kind),
    );
    this.#state = seed;
  }

  /** Makes the next call, checks its answer, and returns its kind. */
  async next(): Promise<Kind> {
    const kind = this.#kinds[this.#below(this.#kinds.length)]!;
    const { sql } = kinds[kind];
    switch (kind) {
      case "short": {
        const flight = await this.#pool.get(sql, [1 + this.#below(this.#flights)]);
        if (flight === undefined) throw new Error("A flight is missing");
        break;
      }
      case "long": {
        const span = Math.min(LONG_SPAN, this.#flights);
        const first = 1 + this.#below(this.#flights - span + 1);
        const row = await this.#pool.get<{ flights: number }>(sql, [first, first + span - 1]);
        if (row?.flights !== span) throw new Error(`Counted ${row?.flights} flights of ${span}`);
        break;
      }
      case "write": {
        const { changes } = await this.#pool.run(sql, [this.#below(180), 1 + this.#below(this.#flights)]);
        if (changes !== 1) throw new Error(`Changed ${changes} flights`);
        break;
      }
    }
    return kind;
  }

  /** A random integer below `limit` (Mulberry32). */
  #below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }
}
