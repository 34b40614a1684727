import type { OpenOptions } from "@sqlite-aio/worker/wire";
import type { ResolvedPoolOptions } from "./options.js";

/** The log file is cut to this many bytes after a checkpoint. */
const JOURNAL_SIZE_LIMIT = 64 * 1024 * 1024;

/** How a connection of the pool is opened. */
export function openOptions(role: "reader" | "writer", options: ResolvedPoolOptions): OpenOptions {
  const { open } = options.connection.thread;
  const pragmas: [string, string][] = [];
  if (options.wal && role === "writer") {
    pragmas.push(["journal_mode", "'wal'"], ["journal_size_limit", String(JOURNAL_SIZE_LIMIT)]);
    if (options.checkpoint === "external") pragmas.push(["wal_autocheckpoint", "0"]);
  }
  pragmas.push(...(open.pragmas as [string, string][]));
  const pooled = { ...open, pooled: true, pragmas };
  return role === "reader" ? { ...pooled, readonly: true, queryOnly: true } : pooled;
}

/** The journal mode that the pool's connections open with; null if that is not the pool's to say. */
export function journalMode(options: ResolvedPoolOptions): string | null {
  if (!options.wal) return null;
  const { pragmas } = openOptions("writer", options);
  const modes = pragmas.filter(([name]) => /^(?:main\.)?journal_mode$/i.test(name));
  return modes.at(-1)![1].replaceAll("'", "").toLowerCase();
}
