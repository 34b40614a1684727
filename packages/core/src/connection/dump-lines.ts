import { Op } from "@sqlite-aio/worker/wire";
import { Call } from "../thread/call.js";
import { checkOptions } from "../options/connect-options.js";
import type { Handle } from "./handle.js";

/** Options of `iterdump()`. */
export interface DumpOptions {
  /** Dump only objects whose name is LIKE this pattern. Default null: everything. */
  filter?: string | null | undefined;
}

/** The pattern, null for everything. Throws TypeError. */
export function dumpFilter(options: DumpOptions): string | null {
  const { filter = null } = checkOptions(options, ["filter"]);
  if (filter !== null && typeof filter !== "string")
    throw new TypeError('option "filter" must be a string or null');
  return filter === "" ? null : filter;
}

/** The lines of a dump. Reads one chunk ahead. */
export async function* dumpLines(
  handle: Handle,
  filter: string | null,
): AsyncGenerator<string, void, undefined> {
  const id = handle.nextNumber();
  const limit = handle.settings.iterChunkSize;
  let call = await handle.perform(handle.method("dump", id, limit, filter));
  try {
    for (;;) {
      const next = call.more ? handle.perform(new Call(Op.FETCH, null, [id, limit])) : null;
      next?.catch(() => {});
      for (const row of call.rows) yield (row as [string])[0];
      if (next === null) return;
      call = await next;
    }
  } finally {
    handle.release(id);
  }
}
