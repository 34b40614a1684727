import { createPool } from "@sqlite-aio/core";
import { type Flight, findFlight, insertFlight, readFlights, schema } from "./flights.ts";
import { measure } from "./measure.ts";
import type { Outcome, Task } from "./outcome.ts";
import { type Answer, everyFlight, questions, Streak } from "./questions.ts";
import { serveDuring } from "./visits.ts";

/** The work through a pool with its defaults: one thread writes, and others read in parallel. */
export async function runWithPool({ database, limit }: Task): Promise<Outcome> {
  await using pool = await createPool(database);
  await pool.exec(schema);

  const load = await measure(async () => {
    const { changes } = await pool.executemany(insertFlight, flights(limit));
    return changes;
  });

  const askAll = async (): Promise<Answer[]> => {
    const answers: Answer[] = [];
    for (const { sql } of questions) answers.push((await pool.all(sql)).map((row) => Object.values(row)));
    return answers;
  };
  let answers: Answer[] = [];
  const ask = await measure(async () => {
    answers = await askAll();
    return answers.flat().length;
  });

  const serve = await serveDuring(load.rows, (id) => pool.get(findFlight, [id]), askAll);

  const streak = new Streak();
  const iterate = await measure(async () => {
    for await (const { delay } of pool.iterate<{ delay: number }>(everyFlight)) streak.see(delay);
    return streak.rows;
  });

  return { load, ask, serve, iterate, answers, longestStreak: streak.longest };
}

async function* flights(limit: number): AsyncGenerator<Flight> {
  for await (const batch of readFlights(limit, "createPool()  ")) yield* batch;
}
