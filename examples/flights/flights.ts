import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { JSONParser } from "@streamparser/json";
import { SingleBar } from "cli-progress";

/** Minutes late on arrival (negative: early), miles flown, hours after midnight at departure. */
export type Flight = [delay: number, distance: number, time: number];

export const schema = `
  CREATE TABLE flights (
    delay INTEGER NOT NULL, -- minutes late on arrival, negative when early
    distance INTEGER NOT NULL, -- miles
    time REAL NOT NULL -- hours after midnight, local, at departure
  )`;

export const insertFlight = "INSERT INTO flights (delay, distance, time) VALUES (?, ?, ?)";

/** The query of a visitor. */
export const findFlight = "SELECT delay, distance, time FROM flights WHERE rowid = ?";

const file = fileURLToPath(import.meta.resolve("vega-datasets/data/flights-200k.json"));

// Both programs parse on the main loop. Small chunks, with a turn of the loop after each, keep the parsing from being
// the stall.
const chunkBytes = 8 * 1024;

/** Reads the flights in batches, one per chunk of the file, and draws a progress bar. */
export async function* readFlights(limit: number, label: string): AsyncGenerator<Flight[]> {
  const { size } = await stat(file);
  const bar = new SingleBar({
    format: `${label} [{bar}] {percentage}% of the file, {flights} flights`,
    noTTYOutput: true,
    notTTYSchedule: 1000,
    hideCursor: true,
  });
  let batch: Flight[] = [];
  const parser = new JSONParser({ paths: ["$.*"], keepStack: false });
  parser.onValue = ({ value }) => batch.push(toFlight(value));

  let bytes = 0;
  let flights = 0;
  bar.start(size, 0, { flights });
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: chunkBytes })) {
      batch = [];
      parser.write(chunk);
      if (flights + batch.length > limit) batch.length = limit - flights;
      bytes += chunk.length;
      flights += batch.length;
      yield batch;
      if (flights === limit) return;
      bar.update(bytes, { flights });
      await nextTurn();
    }
  } finally {
    bar.update(bytes, { flights });
    bar.stop();
  }
}

function toFlight(value: unknown): Flight {
  const { delay, distance, time } = value as Record<string, unknown>;
  if (typeof delay !== "number" || typeof distance !== "number" || typeof time !== "number")
    throw new TypeError(`Not a flight: ${JSON.stringify(value)}`);
  return [delay, distance, time];
}
