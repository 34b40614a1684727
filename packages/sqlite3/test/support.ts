import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import sqlite3 from "../dist/index.js";
import type { Database } from "../dist/declarations/sqlite3.js";

export { sqlite3 };
export type { Database };

/** The properties of every error of the package. */
export interface Sqlite3Error extends Error {
  readonly errno: number;
  readonly code: string;
}

export type Row = Record<string, unknown>;

let folder: string | null = null;
let files = 0;
afterAll(() => {
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
});

/** A path without a file. */
export function freshPath(): string {
  folder ??= mkdtempSync(join(tmpdir(), "sqlite3-"));
  return join(folder, `${++files}.db`);
}

/** The arguments that a call passes to its callback. */
export function called<T = unknown>(
  call: (callback: (error: Error | null, result?: T) => void) => unknown,
): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result as T)));
  });
}

/** The error that a call passes to its callback. */
export async function failed(
  call: (callback: (error: Error | null) => void) => unknown,
): Promise<Pick<Sqlite3Error, "message" | "errno" | "code">> {
  const error = await new Promise<Error | null>((resolve) => void call(resolve));
  if (error === null) throw new Error("it did not fail");
  const { message, errno, code } = error as Sqlite3Error;
  return { message, errno, code };
}

/** Opens a database that is closed at the end of the block. */
export async function open(filename = ":memory:", mode?: number): Promise<Database & AsyncDisposable> {
  const db = await called<Database>((callback) => {
    const opening: Database = new sqlite3.Database(filename, mode, (error) => callback(error, opening));
  });
  return Object.assign(db, {
    async [Symbol.asyncDispose]() {
      if (db.open) await called((callback) => db.close(callback));
    },
  });
}

/** The arguments of the next event of this name. */
export function event(emitter: NodeJS.EventEmitter, name: string): Promise<unknown[]> {
  return new Promise((resolve) => void emitter.once(name, (...args: unknown[]) => resolve(args)));
}
