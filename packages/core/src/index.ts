/**
 * Connections, as aiosqlite has them, and pools.
 *
 * @module @sqlite-aio/core
 */
export type { Authorizer } from "@sqlite-aio/worker";
export { PARSE_COLNAMES, PARSE_DECLTYPES, registerAdapter, registerConverter } from "./adapters.js";
export * from "./authorizer-codes.js";
export type { BackupOptions } from "./backup.js";
export type { Bindable, Parameters } from "./bind.js";
export { capabilities } from "./capabilities.js";
export { connect } from "./connect.js";
export { Connection } from "./connection.js";
export type { PendingCursor } from "./pending-cursor.js";
export { type ColumnDescription, Cursor } from "./cursor.js";
export {
  ConnectionClosedError,
  type CrashOutcome,
  DatabaseError,
  DataError,
  type ErrorDetails,
  IntegrityError,
  InterfaceError,
  InternalError,
  NotSupportedError,
  OperationalError,
  PoolTimeoutError,
  ProgrammingError,
  QueueFullError,
  SqliteError,
  Warning,
  WorkerCrashedError,
} from "./errors.js";
export type { FunctionOptions, SqlFunction } from "./functions.js";
export type { CallOptions, ConnectOptions, IsolationLevel } from "./options.js";
export { Row } from "./row.js";
export type { AnyRow, RowFactory, TextFactory } from "./row-maker.js";
export { createPool, Pool } from "./pool.js";
export type { AcquireOptions, PoolTransactionOptions } from "./pool-scopes.js";
export type { PoolOptions } from "./pool-options.js";
export type { Change, ChangeListener } from "./pool-changes.js";
export type { LiveQuery } from "./pool-watch.js";
export type { PoolStats, ThreadStats } from "./pool-stats.js";
export {
  type ExecuteOptions,
  type ExecuteResult,
  PoolTransaction,
  ReadTransaction,
  type RunResult,
} from "./pool-transaction.js";
export type { TransactionOptions } from "./transaction.js";
export { paramstyle, sqliteVersion, sqliteVersionInfo, version } from "./version.js";
