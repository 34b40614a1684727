/**
 * The `driver` for TypeORM's type `expo`, over a connection. All calls of this type return promises.
 *
 * @module @sqlite-aio/core/typeorm
 */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { connect } from "../../connection/connect.js";
import type { Connection } from "../../connection/connection.js";
import { checkConnectOptions, type ConnectOptions, requireObject } from "../../options/connect-options.js";
import { resolvePath } from "../../options/database-path.js";
import { Row } from "../../values/row.js";
import { TypeormDatabase } from "./database.js";

export type { TypeormDatabase } from "./database.js";
export type { TypeormResult, TypeormStatement } from "./statement.js";

/**
 * Options of {@link createDriver}: those of `connect()`, except those for transactions, which TypeORM begins and ends.
 */
export interface TypeormDriverOptions
  extends Omit<ConnectOptions, "autocommit" | "isolationLevel" | "signal"> {
  /**
   * Called with each connection before TypeORM uses it, for functions, ATTACH and the like. Has the name it has in
   * TypeORM's better-sqlite3 type.
   */
  prepareDatabase?: ((connection: Connection) => unknown) | undefined;
}

/** A value for the option `driver` of TypeORM's type `expo`. */
export interface TypeormDriver {
  /** Opens a database, and creates its folder if needed. Rejects as `connect()` does. */
  openDatabaseAsync(database: string): Promise<TypeormDatabase>;
}

/** Refused options: TypeORM sends BEGIN, COMMIT and ROLLBACK itself, and a signal is for one call. */
const NOT_TAKEN = ["autocommit", "isolationLevel", "signal"] as const;

/**
 * Makes a driver that opens its connections with these options. Throws TypeError or RangeError.
 *
 * @example
 * const driver = createDriver({ pragmas: { journal_mode: "wal" } });
 * const dataSource = new DataSource({ type: "expo", driver, database: "app.db", entities });
 */
export function createDriver(options: TypeormDriverOptions = {}): TypeormDriver {
  requireObject(options);
  const refused = NOT_TAKEN.find((name) => name in options);
  if (refused !== undefined)
    throw new TypeError(`createDriver: option "${refused}" is not for TypeORM's connections`);
  const { prepareDatabase, ...connecting } = options;
  if (prepareDatabase !== undefined && typeof prepareDatabase !== "function")
    throw new TypeError('option "prepareDatabase" must be a function');
  checkConnectOptions(connecting);
  return { openDatabaseAsync: (database) => openDatabase(database, connecting, prepareDatabase) };
}

/** A driver with the default options. */
export const driver: TypeormDriver = createDriver();

async function openDatabase(
  database: string,
  options: ConnectOptions,
  prepare: TypeormDriverOptions["prepareDatabase"],
): Promise<TypeormDatabase> {
  const path = resolvePath(database);
  const inMemory = path === ":memory:" || path === "";
  // As TypeORM's better-sqlite3 type does.
  if (!inMemory && options.fileMustExist !== true && options.readonly !== true)
    await mkdir(dirname(path), { recursive: true });
  const connection = await connect(path, { ...options, isolationLevel: null });
  try {
    await prepare?.(connection);
  } catch (error) {
    await connection.close();
    throw error;
  }
  connection.rowFactory = Row;
  return new TypeormDatabase(connection);
}
