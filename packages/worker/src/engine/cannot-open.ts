import { accessSync, closeSync, constants, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, UsageError } from "../wire/fault.js";
import { isPrivate, isSharedMemory } from "../wire/thread-api.js";
import { messageOf } from "../wire/thrown.js";

/**
 * Returns `error`, or for a file that cannot be opened, or is no database, an error with its path and, as far as possible,
 * the reason.
 */
export function explained(error: unknown, path: string): unknown {
  // better-sqlite3 checks the folder itself, and throws a TypeError.
  const noFolder = messageOf(error).includes("directory does not exist");
  const code = noFolder ? "SQLITE_CANTOPEN" : codeOf(error);
  if (isPrivate(path) || isSharedMemory(path)) return error;
  if (code === "SQLITE_NOTADB")
    return new UsageError(code, `file is not a database: ${path} (it is no SQLite file, or it is encrypted)`);
  if (!code.startsWith("SQLITE_CANTOPEN")) return error;
  // The message contains the reason already.
  if (error instanceof UsageError) return error;
  return new UsageError(code, `unable to open database file: ${path} (${reasonFor(path)})`);
}

/** Finds the reason without opening the file: closing it would drop the process's locks on it. */
function reasonFor(path: string): string {
  const folder = dirname(path);
  const inFolder = failure(() => {
    if (!statSync(folder).isDirectory()) throw Object.assign(new Error(), { code: "ENOTDIR" });
    closeSync(openSync(folder, "r"));
  });
  if (inFolder === "ENOENT") return "its folder does not exist";
  if (inFolder === "ENOTDIR") return "what should be its folder is a file";
  if (inFolder === "EMFILE" || inFolder === "ENFILE") return "too many files are open";
  const file = failure(() => {
    if (statSync(path).isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    accessSync(path, constants.R_OK);
  });
  switch (file) {
    case null:
      return failure(() => accessSync(folder, constants.W_OK)) === null
        ? "the system does not say why"
        : "its log or journal cannot be made: no permission to write to its folder";
    case "ENOENT":
      return failure(() => accessSync(folder, constants.W_OK)) === null
        ? "there is no such file"
        : "there is no such file, and no permission to make one in its folder";
    case "EISDIR":
      return "it is a folder";
    case "EACCES":
      return "no permission to read it";
    case "ENAMETOOLONG":
      return "its name is too long";
    case "ELOOP":
      return "its links lead in a circle";
    default:
      return file;
  }
}

/** The system's error code of `work`; null if it succeeds. */
function failure(work: () => void): string | null {
  try {
    work();
    return null;
  } catch (error) {
    return codeOf(error);
  }
}
