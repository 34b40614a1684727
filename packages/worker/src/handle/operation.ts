import type { ResultCursor } from "./cursors/cursors.js";
import type { Statement } from "./statement.js";
import type { SqlValue } from "../wire/protocol.js";
import type { Packet } from "../wire/rows/row-encode.js";

/** What became of one step of an operation. */
export const Step = {
  /** Answered. */
  DONE: 0,
  /** One packet is answered, the operation goes on. */
  MORE: 1,
} as const;

/** An operation taken off its frame. */
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
  /** The fields of any other. */
  readonly fields: readonly unknown[];
  /** What the operation keeps between steps. */
  cursor: ResultCursor | null;
  script: Generator<string> | null;
  piece: string | null;
  batch: Packet | SqlValue[][] | null;
  at: number;
  changes: number;
  /** Shares no transaction (again). */
  single: boolean;
  /** Cancelled before it began. */
  skipped: boolean;
  /** The main side wants to know when it was begun and how long it ran. */
  readonly timed: boolean;
  /** On the clock that the threads share, and milliseconds; only where `timed`. */
  begun: number;
  ran: number;
}

/** As if they had not begun: they are to be run again. */
export function startOver(operations: readonly Operation[]): void {
  for (const operation of operations) {
    operation.cursor?.close();
    operation.cursor = null;
    operation.at = 0;
    operation.ran = 0;
  }
}

/** As {@link startOver}, each by itself. */
export function runAlone(operations: readonly Operation[]): void {
  startOver(operations);
  for (const operation of operations) operation.single = true;
}
