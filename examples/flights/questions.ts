/** A question about the flights, and the SQL that answers it. */
export interface Question {
  readonly text: string;
  readonly sql: string;
  readonly columns: readonly string[];
}

/** The rows of an answer, as both drivers return them. */
export type Answer = unknown[][];

export const questions: readonly Question[] = [
  {
    text: "How many come early, on time (15 minutes at most), and more than an hour late?",
    columns: ["flights", "early %", "on time %", "an hour late %"],
    sql: `SELECT count(*), printf('%.1f', 100.0 * avg(delay < 0)), printf('%.1f', 100.0 * avg(delay BETWEEN 0 AND 15)),
                 printf('%.1f', 100.0 * avg(delay > 60))
          FROM flights`,
  },
  {
    text: "Are long flights later than short ones?",
    columns: ["miles", "flights", "average delay, min", "early %"],
    sql: `SELECT min(distance) || ' - ' || max(distance), count(*), printf('%.1f', avg(delay)),
                 printf('%.1f', 100.0 * avg(delay < 0))
          FROM flights GROUP BY distance / 500 ORDER BY distance / 500`,
  },
  {
    text: "When do most flights leave, and how late are those?",
    columns: ["hour", "flights", "average delay, min"],
    sql: `SELECT printf('%02d:00', time), count(*), printf('%.1f', avg(delay))
          FROM flights GROUP BY CAST(time AS INTEGER) ORDER BY count(*) DESC, time LIMIT 5`,
  },
  {
    text: "How late is a flight usually, and with bad luck?",
    columns: ["median, min", "1 in 10", "1 in 100", "1 in 1,000"],
    sql: `WITH ranked AS (SELECT delay, percent_rank() OVER (ORDER BY delay) AS rank FROM flights)
          SELECT max(delay) FILTER (WHERE rank <= 0.5), max(delay) FILTER (WHERE rank <= 0.9),
                 max(delay) FILTER (WHERE rank <= 0.99), max(delay) FILTER (WHERE rank <= 0.999)
          FROM ranked`,
  },
  {
    text: "What are the worst delays? (The data stops at three hours.)",
    columns: ["delay, min", "flights", "shortest, miles", "longest, miles"],
    sql: `SELECT delay, count(*), min(distance), max(distance)
          FROM flights GROUP BY delay ORDER BY delay DESC LIMIT 5`,
  },
];

/** All flights in the order of the file, for the cursor. */
export const everyFlight = "SELECT delay, distance, time FROM flights ORDER BY rowid";

/** Finds the longest run of flights that were at most 15 minutes late, which needs each row in turn. */
export class Streak {
  rows = 0;
  longest = 0;
  #current = 0;

  see(delay: number): void {
    this.rows++;
    this.#current = delay <= 15 ? this.#current + 1 : 0;
    this.longest = Math.max(this.longest, this.#current);
  }
}
