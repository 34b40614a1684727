import { Verb } from "@sqlite-aio/worker/wire";
import { WorkerThread } from "../thread/worker-thread.js";
import { Connection } from "./connection.js";
import { type ConnectOptions, resolveOptions } from "../options/connect-options.js";
import type { MemoryDatabase } from "../options/database-path.js";
import { Lane } from "./lane.js";
import { placed, Handle } from "./handle.js";
import { settingsFor } from "./settings.js";
import { foundSqliteVersion } from "../version.js";
import { callSiteOf } from "../errors/call-site.js";
import { whenForgotten } from "./forgotten.js";

/**
 * Opens a database in a thread of its own. Rejects with an OperationalError if the file cannot be opened, and with a
 * TypeError or RangeError for wrong options.
 *
 * @example
 * await using db = await connect("app.db");
 * await db.execute("CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT)");
 */
export async function connect(
  database: string | URL | Buffer | MemoryDatabase,
  options: ConnectOptions = {},
): Promise<Connection> {
  const resolved = resolveOptions(database, options);
  const origin = callSiteOf(connect);
  try {
    const { channel, opened } = await WorkerThread.open(resolved.thread, resolved.signal);
    foundSqliteVersion(opened.sqliteVersion);
    const root = new Lane(channel);
    const handle = new Handle(channel, root, root, settingsFor(resolved, "connection"));
    if (resolved.autocommit === false) await handle.perform(handle.control(Verb.ENSURE));
    const connection = new Connection(handle, resolved.thread.open.path);
    const what = `the connection to ${handle.settings.database || "a temporary database"}`;
    whenForgotten(connection, channel, { what, origin, ...endOf(channel) });
    return connection;
  } catch (error) {
    throw placed(error, origin);
  }
}

/** Ends the thread of a connection that was garbage-collected. Only the channel is captured, not the connection. */
function endOf(channel: WorkerThread): { isClosed: () => boolean; close: () => Promise<void> } {
  return { isClosed: () => !channel.alive, close: () => channel.terminate() };
}
