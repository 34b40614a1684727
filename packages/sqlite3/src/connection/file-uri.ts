import { isAbsolute, resolve } from "node:path";
import { sqlite3Error } from "../calls/errors.js";
import {
  OPEN_CREATE,
  OPEN_READONLY,
  OPEN_READWRITE,
  OPEN_SHAREDCACHE,
  OPEN_URI,
} from "../constants/open-flags.js";
import { untilNul } from "./statement-text.js";

/** The database that a name and flags mean. */
export interface DatabaseName {
  /** A path, `:memory:`, or the empty string for a temporary database. */
  readonly path: string;
  readonly readonly: boolean;
  readonly mustExist: boolean;
  /** In-memory databases with the same key are one database; null for a private one. */
  readonly sharedMemory: string | null;
}

const MEMORY = ":memory:";
const ACCESS = OPEN_READONLY | OPEN_READWRITE | OPEN_CREATE;

/** The flags of each access mode of a URI. */
const MODES: Readonly<Record<string, number>> = {
  ro: OPEN_READONLY,
  rw: OPEN_READWRITE,
  rwc: OPEN_READWRITE | OPEN_CREATE,
};

/** Parameters of a URI that the engine cannot support. */
const IMPOSSIBLE = new Set(["immutable", "nolock", "vfs"]);

/** Parses a name by the rules of https://sqlite.org/uri.html. Throws SQLite's errors. */
export function databaseName(filename: string, flags: number): DatabaseName {
  const name = untilNul(filename);
  const access = flags & ACCESS;
  if (access !== OPEN_READONLY && access !== OPEN_READWRITE && access !== (OPEN_READWRITE | OPEN_CREATE))
    throw sqlite3Error("MISUSE", "bad parameter or other API misuse");
  const shared = (flags & OPEN_SHAREDCACHE) !== 0;
  if (/^file:/i.test(name) && (flags & OPEN_URI) !== 0) return ofUri(name, flags, shared);
  return named(name, flags, name === MEMORY && shared ? name : null);
}

function ofUri(uri: string, flags: number, sharedByFlag: boolean): DatabaseName {
  const [withQuery = ""] = uri.slice("file:".length).split("#", 1);
  const mark = withQuery.indexOf("?");
  const name = withoutDriveSlash(decode(withoutAuthority(mark < 0 ? withQuery : withQuery.slice(0, mark))));
  const query = mark < 0 ? "" : withQuery.slice(mark + 1);
  let access = flags & ACCESS;
  let memory = name === MEMORY;
  let shared = sharedByFlag;
  for (const [option, value] of parametersOf(query)) {
    if (option === "cache") {
      if (value !== "shared" && value !== "private")
        throw sqlite3Error("ERROR", `no such cache mode: ${value}`);
      shared = value === "shared";
    } else if (option === "mode" && value === "memory") memory = true;
    else if (option === "mode") access = narrowed(access, value);
    else if (IMPOSSIBLE.has(option) && value !== "0")
      throw sqlite3Error("ERROR", `the URI parameter "${option}" is not supported`);
  }
  if (memory) return named(MEMORY, flags, shared ? name : null);
  return named(name, access, null);
}

/** `//localhost/path` is `/path`. */
function withoutAuthority(text: string): string {
  if (!text.startsWith("//")) return text;
  const end = text.indexOf("/", 2);
  const authority = end < 0 ? text.slice(2) : text.slice(2, end);
  if (authority !== "" && authority !== "localhost")
    throw sqlite3Error("ERROR", `invalid uri authority: ${authority}`);
  return end < 0 ? "" : text.slice(end);
}

/** On Windows `/C:/path` is `C:/path`. */
function withoutDriveSlash(path: string): string {
  return process.platform === "win32" && /^\/[a-z]:/i.test(path) ? path.slice(1) : path;
}

function parametersOf(query: string): (readonly [string, string])[] {
  return query.split("&").map((pair) => {
    const mark = pair.indexOf("=");
    return mark < 0 ? [decode(pair), ""] : [decode(pair.slice(0, mark)), decode(pair.slice(mark + 1))];
  });
}

/** A `%` without two hexadecimal digits is kept as it is. The name ends at a NUL. */
function decode(text: string): string {
  if (!text.includes("%")) return text;
  const bytes = Buffer.from(text, "utf8").toString("latin1");
  const raw = bytes.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return untilNul(Buffer.from(raw, "latin1").toString("utf8"));
}

function narrowed(access: number, mode: string): number {
  const wanted = MODES[mode];
  if (wanted === undefined) throw sqlite3Error("ERROR", `no such access mode: ${mode}`);
  if (wanted > access) throw sqlite3Error("PERM", `access mode not allowed: ${mode}`);
  return wanted;
}

function named(name: string, flags: number, sharedMemory: string | null): DatabaseName {
  const access = flags & ACCESS;
  const inMemory = name === MEMORY || name === "";
  // This is a plain file name, which core would refuse as a URI.
  const path = /^file:/i.test(name) && !isAbsolute(name) ? resolve(name) : name;
  return {
    path,
    readonly: access === OPEN_READONLY,
    mustExist: !inMemory && (access & OPEN_CREATE) === 0,
    sharedMemory,
  };
}
