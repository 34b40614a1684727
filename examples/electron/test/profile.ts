import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createPool } from "@sqlite-aio/core";
import { afterAll, onTestFinished } from "vitest";
import { importFlights } from "../src/main/import-flights.ts";
import { schema } from "../src/main/schema.ts";

/** An empty folder for the app's data. */
export async function makeProfile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "flights-"));
  onTestFinished(() => rm(folder, { recursive: true, maxRetries: 5 }));
  return folder;
}

let full: Promise<string> | null = null;

afterAll(async () => {
  if (full !== null) await rm(dirname(await full), { recursive: true });
});

/** The same, with all flights in its database. */
export async function makeFullProfile(): Promise<string> {
  full ??= fill();
  const folder = await makeProfile();
  await cp(await full, databaseOf(folder));
  return folder;
}

/** The path of the app's database. */
export function databaseOf(profile: string): string {
  return join(profile, "flights.db");
}

async function fill(): Promise<string> {
  const path = databaseOf(await mkdtemp(join(tmpdir(), "flights-full-")));
  await using pool = await createPool(path);
  await pool.exec(schema);
  for await (const { done, of } of importFlights(pool)) if (done === of) break;
  return path;
}
