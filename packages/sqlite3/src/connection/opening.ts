import { capabilities, connect, type Connection } from "@sqlite-aio/core";
import { type DatabaseName, databaseName } from "./file-uri.js";
import { Handle } from "./handle.js";

/** sqlite3's default busy timeout in milliseconds. */
const BUSY_TIMEOUT = 1000;

/** An in-memory database that several Database objects share by name. */
interface SharedMemory {
  readonly connection: Promise<Connection>;
  users: number;
}

const sharedMemory = new Map<string, SharedMemory>();

/** Opens the database that a name and flags mean. */
export async function openHandle(filename: string, flags: number): Promise<Handle> {
  const name = databaseName(filename, flags);
  if (name.sharedMemory !== null) return await openShared(name, name.sharedMemory);
  const connection = await open(name);
  return new Handle(connection, false, () => connection.close());
}

/** The engine is built without shared caches, so those who would share a cache share the connection. */
async function openShared(name: DatabaseName, key: string): Promise<Handle> {
  const found = sharedMemory.get(key);
  const entry: SharedMemory = found ?? { connection: open(name), users: 0 };
  if (found === undefined) sharedMemory.set(key, entry);
  entry.users++;
  const leave = async (): Promise<void> => {
    if (--entry.users > 0) return;
    sharedMemory.delete(key);
    await (await entry.connection).close();
  };
  try {
    return new Handle(await entry.connection, true, leave);
  } catch (error) {
    entry.users--;
    if (sharedMemory.get(key) === entry) sharedMemory.delete(key);
    throw error;
  }
}

async function open({ path, readonly, mustExist }: DatabaseName): Promise<Connection> {
  const inMemory = path === "" || path === ":memory:";
  return await connect(path, {
    isolationLevel: null,
    integers: "number",
    // Cursors are used for stepping. Reads of many rows ask for larger chunks.
    iterChunkSize: 1,
    timeout: BUSY_TIMEOUT,
    readonly: readonly && !inMemory,
    fileMustExist: mustExist,
    ...(capabilities.limits ? { doubleQuotedStrings: true } : {}),
    // SQLite's own defaults.
    pragmas: {
      foreign_keys: false,
      trusted_schema: true,
      ...(readonly && inMemory ? { query_only: true } : {}),
    },
  });
}
