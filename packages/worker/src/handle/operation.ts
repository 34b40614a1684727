import type { ResultCursor } from "./cursors/cursors.js";
import type { Statement } from "./statement.js";
import type { SqlValue } from "../wire/protocol.js";
import type { Packet } from "../wire/rows/row-encode.js";

/** The result of one step of an operation. */
export const Step = {
  /** Answered. */
  DONE: 0,
  /** One packet was written; the operation goes on. */
  MORE: 1,
} as const;

/** An operation that was read from a frame. */
export interface Operation {
  /** Its number in the control block. */
  readonly sequence: number;
  readonly code: number;
  /** Null for all but QUERY and MANY. */
  readonly statement: Statement | null;
  /** The fields of a QUERY; `target` is its cursor. */
  mode: number;
  flags: number;
  target: number;
  limit: number;
  values: SqlValue[];
  /** The fields of other operations. */
  readonly fields: readonly unknown[];
  /** State that the operation keeps between steps. */
  cursor: ResultCursor | null;
  script: Generator<string> | null;
  piece: string | null;
  batch: Packet | SqlValue[][] | null;
  at: number;
  changes: number;
  /** It must not share a transaction. */
  single: boolean;
  /** Cancelled before it began. */
  skipped: boolean;
  /** The main side asks for its start and duration. */
  readonly timed: boolean;
  /** Start on the threads' shared clock, and duration, in milliseconds; only if `timed`. */
  begun: number;
  ran: number;
}

/** Resets operations that have to run again. */
export function startOver(operations: readonly Operation[]): void {
  for (const operation of operations) {
    operation.cursor?.close();
    operation.cursor = null;
    operation.at = 0;
    operation.ran = 0;
  }
}

/** {@link startOver}, and each operation then runs by itself. */
export function runAlone(operations: readonly Operation[]): void {
  startOver(operations);
  for (const operation of operations) operation.single = true;
}
