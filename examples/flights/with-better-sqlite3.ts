import { setImmediate as nextTurn } from "node:timers/promises";
import Database from "better-sqlite3";
import { findFlight, insertFlight, readFlights, schema } from "./flights.ts";
import { measure } from "./measure.ts";
import type { Outcome, Task } from "./outcome.ts";
import { type Answer, everyFlight, questions, Streak } from "./questions.ts";
import { serveDuring } from "./visits.ts";

/** The same work with better-sqlite3 on the main thread, as it is usually run. */
async function runWithBetterSqlite3({ database, limit }: Task): Promise<Outcome> {
  const db = new Database(database);
  try {
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    db.pragma("foreign_keys = ON");
    db.pragma("trusted_schema = OFF");
    db.exec(schema);

    const load = await measure(async () => {
      const insert = db.prepare(insertFlight);
      let rows = 0;
      db.exec("BEGIN");
      for await (const batch of readFlights(limit, "better-sqlite3")) {
        for (const flight of batch) rows += insert.run(flight).changes;
      }
      db.exec("COMMIT");
      return rows;
    });

    const askAll = async (): Promise<Answer[]> => {
      const answers: Answer[] = [];
      for (const { sql } of questions) {
        answers.push(db.prepare(sql).raw().all() as Answer);
        // A server would also give the loop a turn between two requests. So the stall is that of the longest question,
        // not of all of them.
        await nextTurn();
      }
      return answers;
    };
    let answers: Answer[] = [];
    const ask = await measure(async () => {
      answers = await askAll();
      return answers.flat().length;
    });

    const find = db.prepare(findFlight);
    const serve = await serveDuring(load.rows, (id) => find.get(id), askAll);

    const streak = new Streak();
    const iterate = await measure(async () => {
      for (const row of db.prepare(everyFlight).raw().iterate()) streak.see((row as [number])[0]);
      return streak.rows;
    });

    return { load, ask, serve, iterate, answers, longestStreak: streak.longest };
  } finally {
    db.close();
  }
}

process.once("message", (task: Task) => {
  runWithBetterSqlite3(task).then(
    (outcome) => process.send?.(outcome, () => process.disconnect()),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
