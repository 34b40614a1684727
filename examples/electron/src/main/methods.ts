import type { Pool } from "@sqlite-aio/core";
import type { WithoutPool } from "@sqlite-aio/core/electron";
import { importFlights } from "./import-flights.ts";

export interface Flight {
  readonly id: number;
  /** Local time, such as "2001-01-13 14:56". */
  readonly departure: string;
  readonly origin: string;
  readonly originCity: string;
  readonly destination: string;
  readonly destinationCity: string;
  readonly miles: number;
  /** Minutes late on arrival; negative if early. */
  readonly delay: number;
}

/** An airport and its number of departing flights. */
export interface Departures {
  readonly iata: string;
  readonly city: string;
  readonly flights: number;
  /** Number of flights from all airports. */
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

/** The methods that the page may call. It sends values, never SQL. */
export const methods = {
  /** The flights with all words in the names of their airports, the latest first, and their number. */
  search: async (pool: Pool, text: string, signal?: AbortSignal) => {
    const words = JSON.stringify(wordsOf(text));
    const flights = await pool.all<Flight & { found: number }>(matching, [words], { signal });
    return { found: flights[0]?.found ?? 0, flights };
  },

  importFlights,

  /** The airports with the most departures. Repeated whenever there are more flights. */
  departures: (pool: Pool) =>
    pool.watch<Departures>(`
      SELECT iata, city, count(*) AS flights, sum(count(*)) OVER () AS total
      FROM flight JOIN airport ON iata = origin
      GROUP BY iata ORDER BY flights DESC, iata LIMIT 8`),

  /** The saved flights, the latest first. Repeated whenever they change. */
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

/** {@link methods} in the form in which the page calls them. */
export type Api = WithoutPool<typeof methods>;

// A page may send values of other types than declared.

function wordsOf(text: unknown): string[] {
  if (typeof text !== "string") throw new TypeError("what is searched for is a text");
  return text.toLowerCase().split(/\s+/).filter(Boolean);
}

function rowid(value: unknown): number {
  if (!Number.isSafeInteger(value)) throw new TypeError("a flight is named by its number");
  return value as number;
}
