import { Verb } from "@sqlite-aio/worker/wire";
import { WorkerThread } from "../thread/worker-thread.js";
import { Connection } from "./connection.js";
import { type ConnectOptions, type ConnectionOptions, resolveOptions } from "../options/connect-options.js";
import { HookListeners } from "../functions/hook-listeners.js";
import { Lane } from "./lane.js";
import { placed, Handle } from "./handle.js";
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
    const handle = makeHandle(channel, resolved);
    if (resolved.autocommit === false) await handle.perform(handle.control(Verb.ENSURE));
    const connection = new Connection(handle, resolved.thread.open.path);
    forgotten.register(connection, { channel, path: resolved.thread.open.path, origin }, channel);
    return connection;
  } catch (error) {
    throw placed(error, origin);
  }
}

function makeHandle(channel: WorkerThread, options: ConnectionOptions): Handle {
  const root = new Lane(channel);
  return new Handle(channel, root, root, {
    isolationLevel: options.isolationLevel,
    autocommit: options.autocommit,
    rowFactory: null,
    textFactory: String,
    detectTypes: options.detectTypes,
    integers: options.thread.open.integers,
    iterChunkSize: options.iterChunkSize,
    maxQueue: options.maxQueue,
    database: options.thread.open.path,
    slowQueryMs: options.slowQueryMs,
    callTimeout: 0,
    warnOnRollback: options.warnOnRollback,
    lasting: true,
    hooks: new HookListeners(options.thread.open.integers),
    interrupts: 0,
  });
}
