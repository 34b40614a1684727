import { connect } from "@sqlite-aio/core";
import { type Flight, findFlight, insertFlight, readFlights, schema } from "./flights.ts";
import { measure } from "./measure.ts";
import type { Outcome, Task } from "./outcome.ts";
import { type Answer, everyFlight, questions, Streak } from "./questions.ts";
import { serveDuring } from "./visits.ts";

/** The work through `connect()`: SQLite runs in a thread of its own. */
export async function runWithConnect({ database, limit }: Task): Promise<Outcome> {
  await using db = await connect(database, { pragmas: { journal_mode: "WAL", synchronous: "FULL" } });
  await db.execute(schema);

  const load = await measure(async () => {
    const { rowcount } = await db.executemany(insertFlight, flights(limit));
    await db.commit();
    return rowcount;
  });

  const askAll = async (): Promise<Answer[]> => {
    const answers: Answer[] = [];
    for (const { sql } of questions) answers.push(await db.executeFetchall<unknown[]>(sql));
    return answers;
  };
  let answers: Answer[] = [];
  const ask = await measure(async () => {
    answers = await askAll();
    return answers.flat().length;
  });

  const serve = await serveDuring(load.rows, (id) => db.executeFetchall(findFlight, [id]), askAll);

  const streak = new Streak();
  const iterate = await measure(async () => {
    for await (const row of db.execute(everyFlight)) streak.see((row as Flight)[0]);
    return streak.rows;
  });

  return { load, ask, serve, iterate, answers, longestStreak: streak.longest };
}

async function* flights(limit: number): AsyncGenerator<Flight> {
  for await (const batch of readFlights(limit, "connect()     ")) yield* batch;
}
