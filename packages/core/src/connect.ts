import { Channel } from "./channel.js";
import { Connection } from "./connection.js";
import { type ConnectOptions, type ConnectionOptions, resolveOptions } from "./options.js";
import { Lane } from "./queue.js";
import { placed, Runner } from "./runner.js";
import { foundSqliteVersion } from "./version.js";

/** Warns of connections that were dropped without being closed, and ends their threads. */
const forgotten = new FinalizationRegistry<{ channel: Channel; path: string; opened: { stack?: string } }>(
  (held) => {
    if (!held.channel.alive) return;
    const where = held.opened.stack?.split("\n").slice(1).join("\n") ?? "";
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
  const opened: { stack?: string } = {};
  Error.captureStackTrace(opened, connect);
  let channel: Channel;
  try {
    channel = await openChannel(resolved);
  } catch (error) {
    throw placed(error, opened);
  }
  const connection = makeConnection(channel, resolved);
  forgotten.register(connection, { channel, path: resolved.thread.open.path, opened }, channel);
  return connection;
}

async function openChannel(options: ConnectionOptions): Promise<Channel> {
  const { signal } = options;
  signal?.throwIfAborted();
  const opening = Channel.open(options.thread);
  if (signal === undefined) return remember(await opening);
  let onAbort!: () => void;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return remember(await Promise.race([opening, aborted]));
  } catch (error) {
    opening.then(({ channel }) => channel.terminate()).catch(() => {});
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function remember({ channel, opened }: Awaited<ReturnType<typeof Channel.open>>): Channel {
  foundSqliteVersion(opened.sqliteVersion);
  return channel;
}

function makeConnection(channel: Channel, options: ConnectionOptions): Connection {
  const root = new Lane(channel);
  const runner = new Runner(channel, root, root, {
    isolationLevel: options.isolationLevel,
    rowFactory: null,
    textFactory: String,
    detectTypes: options.detectTypes,
    integers: options.thread.open.integers,
    iterChunkSize: options.iterChunkSize,
    maxQueue: options.maxQueue,
    lasting: true,
    interrupts: 0,
  });
  return new Connection(runner, options.thread.open.path);
}
