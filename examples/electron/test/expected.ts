import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// Computes without SQL what the page must show.

const require = createRequire(import.meta.url);
const data = (name: string): string => readFileSync(require.resolve(`vega-datasets/data/${name}`), "utf8");

interface Flight {
  readonly date: string;
  readonly delay: number;
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

export const flights = JSON.parse(data("flights-20k.json")) as readonly Flight[];

const line = /^([^,]+),(?:"(?:[^"]|"")*"|[^,]*),("[^"]*"|[^,]*),([^,]*),/gm;
const airports = new Map(
  Array.from(data("airports.csv").matchAll(line), ([, iata, city = "", state = ""]) => [
    iata,
    { city, state },
  ]),
);

function airport(iata: string): { readonly city: string; readonly state: string } {
  const found = airports.get(iata);
  if (found === undefined) throw new Error(`no airport ${iata}`);
  return found;
}

/** The table cells that a search must show, and the total number of flights found. */
export function searched(...words: readonly string[]): { readonly found: number; readonly rows: string[][] } {
  const all = flights.filter(({ origin, destination }) => {
    const places = [origin, destination].map(
      (iata) => `${iata} ${airport(iata).city} ${airport(iata).state}`,
    );
    return words.every((word) => places.join(" ").toLowerCase().includes(word));
  });
  // The sort is stable: flights that are equally late keep their order in the file.
  const rows = all
    .toSorted((a, b) => b.delay - a.delay)
    .slice(0, 100)
    .map(({ date, origin, destination, distance, delay }) => [
      date.replaceAll("/", "-"),
      `${airport(origin).city} ${origin}`,
      `${airport(destination).city} ${destination}`,
      distance.toLocaleString("en-US"),
      `${delay} min`,
    ]);
  return { found: all.length, rows };
}

/** The text of the list of the airports with the most departures. */
export function departures(): string[] {
  const counts = Map.groupBy(flights, ({ origin }) => origin);
  return [...counts]
    .map(([iata, { length }]) => ({ iata, length }))
    .toSorted((a, b) => b.length - a.length || (a.iata < b.iata ? -1 : 1))
    .slice(0, 8)
    .map(({ iata, length }) => `${airport(iata).city} ${iata}\n${length.toLocaleString("en-US")}`);
}
