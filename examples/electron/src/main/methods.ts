import type { Pool } from "@sqlite-aio/core";
import type { WithoutPool } from "@sqlite-aio/core/electron";
import { importFlights } from "./import-flights.ts";

export interface Flight {
  readonly id: number;
  /** Local, as "2001-01-13 14:56". */
  readonly departure: string;
  readonly origin: string;
  readonly originCity: string;
  readonly destination: string;
  readonly destinationCity: string;
  readonly miles: number;
  /** Minutes late on arrival, negative when early. */
  readonly delay: number;
}

/** An airport, and how many flights leave from it. */
export interface Departures {
  readonly iata: string;
  readonly city: string;
  readonly flights: number;
  /** Flights of all airports. */
  readonly total: number;
}

const columns = `
  flight.id, departure, origin, o.city AS originCity, destination, d.city AS destinationCity, miles, delay`;
const airports = `
  JOIN airport AS o ON o.iata = origin
  JOIN airport AS d ON d.iata = destination`;

const matching = `
  SELECT ${columns}, count(*) OVER () AS found
  FROM flight ${airports}
  WHERE NOT EXISTS (
    SELECT 1 FROM json_each(?)
    WHERE instr(lower(concat_ws(' ', origin, o.city, o.state, destination, d.city, d.state)), value) = 0
  )
  ORDER BY delay DESC, flight.id
  LIMIT 100`;

/** What the page may ask for. It gives values, never SQL. */
export const methods = {
  /** The latest of the flights whose airports have all of the words, and how many there are. */
  search: async (pool: Pool, text: string, signal?: AbortSignal) => {
    const words = JSON.stringify(wordsOf(text));
    const flights = await pool.all<Flight & { found: number }>(matching, [words], { signal });
    return { found: flights[0]?.found ?? 0, flights };
  },

  importFlights,

  /** The airports that most flights leave from, again whenever there are more. */
  departures: (pool: Pool) =>
    pool.watch<Departures>(`
      SELECT iata, city, count(*) AS flights, sum(count(*)) OVER () AS total
      FROM flight JOIN airport ON iata = origin
      GROUP BY iata ORDER BY flights DESC, iata LIMIT 8`),

  /** The flights that were saved, the last one first, again whenever that changes. */
  saved: (pool: Pool) =>
    pool.watch<Flight>(`
      SELECT ${columns} FROM saved JOIN flight ON flight.id = saved.flight ${airports} ORDER BY saved.id DESC`),

  save: async (pool: Pool, flight: number) => {
    await pool.run("INSERT INTO saved (flight) VALUES (?) ON CONFLICT DO NOTHING", [rowid(flight)]);
  },

  unsave: async (pool: Pool, flight: number) => {
    await pool.run("DELETE FROM saved WHERE flight = ?", [rowid(flight)]);
  },
};

/** {@link methods} as the page calls them. */
export type Api = WithoutPool<typeof methods>;

// Types are a promise that a page can break.

function wordsOf(text: unknown): string[] {
  if (typeof text !== "string") throw new TypeError("what is searched for is a text");
  return text.toLowerCase().split(/\s+/).filter(Boolean);
}

function rowid(value: unknown): number {
  if (!Number.isSafeInteger(value)) throw new TypeError("a flight is named by its number");
  return value as number;
}
