import { connect } from "@sqlite-aio/core";
import { type Flight, insertFlight, readFlights, schema } from "./flights.ts";
import { measure } from "./measure.ts";
import type { Outcome, Task } from "./outcome.ts";
import { type Answer, everyFlight, questions, Streak } from "./questions.ts";

/** The work through `connect()`: SQLite runs in a thread of its own. */
export async function runWithConnect({ database, limit }: Task): Promise<Outcome> {
  await using db = await connect(database, { pragmas: { journal_mode: "WAL", synchronous: "FULL" } });
  await db.execute(schema);

  const load = await measure(async () => {
    const { rowcount } = await db.executemany(insertFlight, flights(limit));
    await db.commit();
    return rowcount;
  });

  const answers: Answer[] = [];
  const ask = await measure(async () => {
    for (const { sql } of questions) answers.push(await db.executeFetchall<unknown[]>(sql));
    return answers.flat().length;
  });

  const streak = new Streak();
  const iterate = await measure(async () => {
    for await (const row of db.execute(everyFlight)) streak.see((row as Flight)[0]);
    return streak.rows;
  });

  return { load, ask, iterate, answers, longestStreak: streak.longest };
}

async function* flights(limit: number): AsyncGenerator<Flight> {
  for await (const batch of readFlights(limit, "connect()     ")) yield* batch;
}
