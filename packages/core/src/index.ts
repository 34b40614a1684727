/**
 * Connections, as in aiosqlite, and pools of them.
 *
 * @module @sqlite-aio/core
 */
export type { Authorizer } from "@sqlite-aio/worker";
export { PARSE_COLNAMES, PARSE_DECLTYPES } from "./options/detect-types.js";
export { registerAdapter, registerConverter } from "./values/adapters.js";
export * from "./authorizer-codes.js";
export * from "./dbconfig-codes.js";
export * from "./limit-codes.js";
export type { BackupOptions } from "./connection/backup.js";
export type { AdaptedTypes, AnyParameters, Bindable, Parameters, ParametersOf } from "./values/bind.js";
export { capabilities } from "./capabilities.js";
export { connect } from "./connection/connect.js";
export { Connection } from "./connection/connection.js";
export type { PendingCursor } from "./connection/pending-cursor.js";
export type { UpdateHook } from "./functions/hook-listeners.js";
export { Blob, type BlobOptions, type BlobStreamOptions } from "./connection/blob.js";
export type { DumpOptions } from "./connection/dump-lines.js";
export type { ManyResult, RunResult } from "./connection/run-result.js";
export type { ColumnInfo } from "./values/shape.js";
export type { StatementInfo } from "./connection/describe.js";
export { type ColumnDescription, Cursor, type ScriptOptions } from "./connection/cursor.js";
export {
  ConnectionClosedError,
  type CrashOutcome,
  DatabaseError,
  DataError,
  type ErrorDetails,
  IntegrityError,
  InterfaceError,
  InternalError,
  EngineMissingError,
  NotSupportedError,
  OperationalError,
  PoolTimeoutError,
  PrimaryError,
  ProgrammingError,
  QueueFullError,
  SqliteError,
  Warning,
  WorkerCrashedError,
} from "./errors/errors.js";
export type { Aggregate, AggregateClass, WindowFunction } from "./functions/aggregate-groups.js";
export type { Collation } from "./functions/collation.js";
export type { ExportOptions, FunctionOptions, SqlFunction } from "./functions/definitions.js";
export type { CallOptions, ConnectOptions, IsolationLevel } from "./options/connect-options.js";
export type { MemoryDatabase } from "./options/database-path.js";
export type { PragmaOptions } from "./options/pragma-options.js";
export { type Autocommit, LEGACY_TRANSACTION_CONTROL } from "./options/autocommit.js";
export type { SqlStatement } from "./values/sql-statement.js";
export { type ObjectRow, Row, type SqlValue } from "./values/row.js";
export { SqliteRow } from "./values/sqlite-row.js";
export type { RowFactory } from "./connection/cursor.js";
export type { AnyRow, LoopRow, TextFactory } from "./values/row-maker.js";
export type { Limits } from "./options/limits.js";
export type { ClusterStats, ReplicaStats } from "./pool/cluster/replicator.js";
export { createPool } from "./pool/create-pool.js";
export { Pool } from "./pool/pool.js";
export { createPools, Pools, type PoolsStats } from "./pool/pools/pools.js";
export type { PoolsDatabase, PoolsOptions } from "./pool/pools/options.js";
export { ClusterPool } from "./pool/cluster/cluster-pool.js";
export type { BatchResult, BatchStatement } from "./pool/cluster/batch-statement.js";
export { PrimaryConnection } from "./pool/cluster/primary-connection.js";
export { PrimaryCursor } from "./pool/cluster/primary-cursor.js";
export { PrimaryReadTransaction, PrimaryTransaction } from "./pool/cluster/primary-transaction.js";
export type { ReplicaState, SyncResult } from "./pool/cluster/replicator.js";
export type { PrimaryOptions, RemoteOptions, ReplicaOptions } from "./pool/cluster/settings.js";
export type { AcquireOptions, PoolTransactionOptions } from "./pool/exclusive.js";
export type { PoolOptions } from "./pool/options.js";
export type { Change, ChangeListener } from "./pool/changes/change-events.js";
export type { LiveQuery } from "./pool/changes/live-query.js";
export { PoolStatement } from "./pool/statement.js";
export type { PoolStats, ThreadStats } from "./pool/stats.js";
export {
  type ExecuteOptions,
  type ExecuteResult,
  PoolTransaction,
  ReadTransaction,
} from "./pool/transaction.js";
export type { TransactionOptions } from "./connection/transaction.js";
export { parkThreads, type ParkingOptions, startThreads } from "./thread/threads.js";
export { threadStats, type ProcessThreads } from "./thread/start-thread.js";
export { paramstyle, sqliteVersion, sqliteVersionInfo, version } from "./version.js";
/** @internal */
export { followSqliteVersion } from "./version.js";
