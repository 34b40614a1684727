import { resolve } from "node:path";
import type { Callback } from "../calls/arguments.js";
import { Database } from "./database.js";

/** Databases by the path of their file; `sqlite3.cached.objects`. */
const objects: Record<string, Database> = {};

/**
 * Returns the same Database for the same file. In-memory databases are not cached. Can be called with or without `new`.
 */
function cachedDatabase(file: string, mode?: number | Callback, callback?: Callback): Database {
  if (file === "" || file === ":memory:") return new Database(file, mode, callback);
  const path = resolve(file);
  const known = objects[path];
  if (known === undefined) return (objects[path] = new Database(path, mode, callback));
  const opened = typeof mode === "number" ? callback : mode;
  if (typeof opened === "function") {
    const tell = (): void => void opened.call(known, null);
    if (known.open) process.nextTick(tell);
    else known.once("open", tell);
  }
  return known;
}

export const cached = { Database: cachedDatabase, objects };
