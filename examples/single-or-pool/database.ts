import { mkdtempDisposable, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@sqlite-aio/core";
import { type Flight, insertFlight, readFlights, schema } from "../flights/flights.ts";

/** Linux's number for a file system in memory, where writes do not wait for a disk. */
const TMPFS = 0x01021994;

/** A temporary directory on a disk: the system's, or one beside this file if the system's is in memory. */
export async function diskDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const { type } = await statfs(tmpdir());
  const parent = type === TMPFS ? import.meta.dirname : tmpdir();
  return await mkdtempDisposable(join(parent, "single-or-pool-"));
}

/** Makes a database in WAL mode with the first `limit` flights. Returns their number. */
export async function loadFlights(file: string, limit: number): Promise<number> {
  await using db = await connect(file, { pragmas: { journal_mode: "WAL" } });
  await db.execute(schema);
  const { rowcount } = await db.executemany(insertFlight, flights(limit));
  await db.commit();
  return rowcount;
}

async function* flights(limit: number): AsyncGenerator<Flight> {
  for await (const batch of readFlights(limit, "loading")) yield* batch;
}
