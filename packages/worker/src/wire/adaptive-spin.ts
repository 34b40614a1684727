/** What a look that finds nothing costs, in looks that find something: its whole time, against a wake-up that is saved. */
const COST_OF_MISS = 4;
const FULL_CREDIT = 4 * COST_OF_MISS;
/** So many times it is not looked, and then once: from one try in vain to the next, twice as many. */
const FEWEST_SKIPPED = 31;
const MOST_SKIPPED = 1023;

/**
 * Whether it pays to keep a core busy until what is waited for is there. Where the other side has no core of its own, because
 * other programs have them all, a thread that looks keeps it from what it waits for; and that parked threads are served
 * soon says nothing about what looking would find. So only looks count.
 */
export class AdaptiveSpin {
  #credit = FULL_CREDIT;
  #skip = FEWEST_SKIPPED;
  #skipped = 0;

  /** Whether to look this time. If so, {@link ended} is to be told what came of it. */
  begins(): boolean {
    if (this.#credit > 0) return true;
    if (this.#skipped++ < this.#skip) return false;
    this.#skipped = 0;
    return true;
  }

  /** A look has found what it was for, or not. */
  ended(found: boolean): void {
    if (!found) {
      if (this.#credit === 0) this.#skip = Math.min(MOST_SKIPPED, this.#skip * 2 + 1);
      this.#credit = Math.max(0, this.#credit - COST_OF_MISS);
      return;
    }
    // After a try that paid off, the next look in vain ends it again.
    this.#credit = this.#credit === 0 ? COST_OF_MISS : Math.min(FULL_CREDIT, this.#credit + 1);
    if (this.#credit === FULL_CREDIT) this.#skip = FEWEST_SKIPPED;
  }
}
