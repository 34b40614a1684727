import { codeOf, UsageError } from "../wire/fault.js";
import { messageOf } from "../wire/thrown.js";

/** The part of a handle that is used here. */
interface Loader {
  loadExtension(path: string, entryPoint?: string): unknown;
}

/** Loads an extension. Errors name the file and the entry point. */
export function loadExtension(db: Loader, path: string, entryPoint: string | null): void {
  try {
    try {
      load(db, path, entryPoint);
    } catch (error) {
      const stem = stemOf(path, messageOf(error));
      if (stem === undefined) throw error;
      load(db, stem, entryPoint);
    }
  } catch (error) {
    throw named(error, path, entryPoint);
  }
}

function load(db: Loader, path: string, entryPoint: string | null): void {
  if (entryPoint === null) db.loadExtension(path);
  else db.loadExtension(path, entryPoint);
}

/**
 * The path without its suffix, if SQLite has tried the path with two. It does so where the system cannot load the file,
 * and then only says that there is no `x.so.so`; for the path without the suffix it says what is wrong with `x.so`.
 */
function stemOf(path: string, said: string): string | undefined {
  const suffix = /\.(?:so|dylib)$/.exec(path)?.[0];
  return suffix !== undefined && said.includes(path + suffix) ? path.slice(0, -suffix.length) : undefined;
}

/** SQLite passes on the system's message. On Windows that has no file name, and ends with a line break. */
function named(error: unknown, path: string, entryPoint: string | null): unknown {
  const code = codeOf(error);
  if (error instanceof UsageError || !code.startsWith("SQLITE_")) return error;
  const said = messageOf(error);
  if (said.includes(path) && (entryPoint === null || said.includes(entryPoint))) return error;
  const what = entryPoint === null ? path : `${path}, entry point ${entryPoint}`;
  return new UsageError(code, `the extension ${what} does not load: ${said.trim()}`);
}
