import { Verb } from "@sqlite-aio/worker/wire";
import { WorkerThread } from "../thread/worker-thread.js";
import { Connection } from "./connection.js";
import { type ConnectOptions, resolveOptions } from "../options/connect-options.js";
import { Lane } from "./lane.js";
import { placed, Handle } from "./handle.js";
import { settingsFor } from "./settings.js";
import { foundSqliteVersion } from "../version.js";
import { type CallSite, callSiteOf } from "../errors/call-site.js";

/** Warns of connections that were dropped without being closed, and ends their threads. */
const forgotten = new FinalizationRegistry<{ channel: WorkerThread; path: string; origin: CallSite }>(
  (held) => {
    if (!held.channel.alive) return;
    const where = held.origin.stack?.split("\n").slice(1).join("\n") ?? "";
    process.emitWarning(
      `the connection to ${held.path || "a temporary database"} was not closed; it was opened here:\n${where}`,
      {
        type: "ResourceWarning",
      },
    );
    void held.channel.terminate();
  },
);

/**
 * Opens a database in a thread of its own. Rejects with an OperationalError where the file cannot be opened, and with
 * a TypeError or RangeError for wrong options.
 *
 * @example
 * await using db = await connect("app.db");
 * await db.execute("CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT)");
 */
export async function connect(
  database: string | URL | Buffer,
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
    forgotten.register(connection, { channel, path: resolved.thread.open.path, origin }, channel);
    return connection;
  } catch (error) {
    throw placed(error, origin);
  }
}
