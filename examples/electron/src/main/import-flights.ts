import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Pool } from "@sqlite-aio/core";
import { JSONParser } from "@streamparser/json";

const { resolve } = createRequire(import.meta.url);

/** Progress of an import, in bytes of the file. */
export interface Progress {
  readonly done: number;
  readonly of: number;
  readonly flights: number;
}

const insertAirports = `
  INSERT INTO airport (iata, city, state)
  SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true
  ON CONFLICT DO NOTHING`;

const insertFlights = `
  INSERT INTO flight (id, departure, origin, destination, miles, delay)
  SELECT :first + key, replace(value ->> 'date', '/', '-'), value ->> 'origin', value ->> 'destination',
         value ->> 'distance', value ->> 'delay'
  FROM json_each(:flights) WHERE true
  ON CONFLICT DO NOTHING`;

/** About 370 flights. The main process parses a little at a time, so that nothing has to wait for it. */
const chunkBytes = 32 * 1024;

/**
 * Reads the file piece by piece into the database. The page asks for each step. If it stops asking, the import stops,
 * and the next import adds the rest.
 */
export async function* importFlights(pool: Pool, signal?: AbortSignal): AsyncGenerator<Progress> {
  await pool.run(insertAirports, [JSON.stringify(await readAirports())], { signal });

  const file = resolve("vega-datasets/data/flights-20k.json");
  const { size } = await stat(file);
  let batch: unknown[] = [];
  const parser = new JSONParser({ paths: ["$.*"], keepStack: false });
  parser.onValue = ({ value }) => batch.push(value);

  let done = 0;
  let flights = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: chunkBytes }) as AsyncIterable<Buffer>) {
    batch = [];
    parser.write(chunk);
    await pool.run(insertFlights, { first: flights + 1, flights: JSON.stringify(batch) }, { signal });
    done += chunk.length;
    flights += batch.length;
    yield { done, of: size, flights };
  }
}

async function readAirports(): Promise<(string | undefined)[][]> {
  const text = await readFile(resolve("vega-datasets/data/airports.csv"), "utf8");
  const lines = text.trim().split("\n").slice(1);
  return lines.map((line) => {
    const [iata, , city, state] = [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
      ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain,
    );
    return [iata, city, state];
  });
}
