import type { AttachedFiles } from "../engine/attached-files.js";
import type { Comparisons } from "../functions/comparisons.js";
import type { Blobs } from "./blobs.js";
import type { ChangeCounts } from "./changes/change-counts.js";
import type { ChangeTracker } from "./changes/change-tracker.js";
import type { Hooks } from "./changes/hooks.js";
import type { SchemaWatch } from "./changes/schema-watch.js";
import type { ConnectionState } from "./connection-state.js";
import type { DatabaseHandle } from "./database-handle.js";
import type { Limits } from "./limits.js";
import type { LockWait } from "./lock-wait.js";
import type { NativeStatements } from "./native-statements.js";
import type { OpenCursors } from "./cursors/open-cursors.js";
import type { ReplyWriter } from "./reply-writer.js";
import type { StatementTrace } from "./statement-trace.js";

/** The parts of a connection in the thread. Each class picks the few that it uses. */
export interface SessionParts {
  readonly handle: DatabaseHandle;
  readonly cursors: OpenCursors;
  readonly out: ReplyWriter;
  readonly state: ConnectionState;
  readonly lockWait: LockWait;
  readonly schema: SchemaWatch;
  readonly counts: ChangeCounts;
  readonly changes: ChangeTracker;
  readonly hooks: Hooks;
  readonly trace: StatementTrace;
  readonly nativeStatements: NativeStatements;
  readonly limits: Limits;
  readonly blobs: Blobs;
  readonly attachedFiles: AttachedFiles;
  readonly comparisons: Comparisons;
}
