import { describe, expect, it } from "vitest";
import { open } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";

/** Holds the loop as a caller's own work on an answer does. */
function work(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Counts the turns of the loop, and what is noted in each. */
class Turns implements Disposable {
  turns = 0;
  /** The most that was noted between two of them. */
  most = 0;
  #noted = 0;
  #over = false;

  constructor() {
    this.#turn();
  }

  note(): void {
    this.most = Math.max(this.most, ++this.#noted);
  }

  readonly #turn = (): void => {
    this.turns++;
    this.#noted = 0;
    if (!this.#over) setImmediate(this.#turn);
  };

  [Symbol.dispose](): void {
    this.#over = true;
  }
}

describe("the main loop turns", () => {
  it("while answers come faster than they are worked on", async () => {
    const db = await open();
    await db.executeFetchall("SELECT 1");
    const ANSWERS = 8000;
    const turns = new Turns();
    let answers = 0;
    const caller = async (): Promise<void> => {
      while (answers < ANSWERS) {
        await db.executeFetchall("SELECT 1");
        answers++;
        turns.note();
        work(0.02);
      }
    };
    await Promise.all(Array.from({ length: 256 }, caller));
    turns[Symbol.dispose]();
    // At most two frames are under way, what one has brought is worked on at once, and no more after a millisecond.
    expect(turns.most).toBeLessThan(1000);
    expect(turns.turns).toBeGreaterThan(ANSWERS / 1000);
  });

  it("while a statement calls a function of the caller's as fast as it is answered", async () => {
    const db = await open();
    const CALLS = 100;
    const turns = new Turns();
    await db.createFunction("slow", 0, () => {
      turns.note();
      work(1);
      return 1;
    });
    await db.executeFetchall(
      `WITH RECURSIVE c(x) AS (SELECT slow() UNION ALL SELECT x + slow() FROM c WHERE x < ${CALLS}) SELECT x FROM c`,
    );
    turns[Symbol.dispose]();
    expect(turns.most).toBeLessThanOrEqual(3);
    expect(turns.turns).toBeGreaterThanOrEqual(CALLS / 3);
  });

  it("while rows come faster than they are worked on", async () => {
    const pool = await openPool();
    const CHUNK = 2048;
    const CHUNKS = 20;
    const turns = new Turns();
    const rows = pool.iterate(
      `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ${CHUNK * CHUNKS}) SELECT x FROM c`,
    );
    for await (const _ of rows) {
      turns.note();
      work(0.003);
    }
    turns[Symbol.dispose]();
    expect(turns.most).toBeLessThanOrEqual(2 * CHUNK);
    expect(turns.turns).toBeGreaterThanOrEqual(CHUNKS / 2);
  });
});
