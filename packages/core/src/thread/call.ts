import { types } from "node:util";
import { Flag, malformed, Op } from "@sqlite-aio/worker/wire";
import type { Parameters } from "../values/bind.js";
import type { Shape } from "../values/shape.js";
import type { CachedStatement } from "./statement-cache.js";

const NOTHING: readonly ArrayBuffer[] = [];

/** Where a call is on its way. */
export const Stage = {
  /** Behind others, or behind somebody's transaction. */
  WAITING: 0,
  /** In a frame the thread has, or will have. */
  SENT: 1,
  /** Answered, rejected or given up. */
  SETTLED: 2,
} as const;

/** Somebody who watches what becomes of a call. */
export interface CallObserver {
  /** The thread began `call` at `begun`, on the shared clock, and has run it for `ms` milliseconds so far. */
  timed(call: Call, begun: number, ms: number): void;
  /** `call` is one of those that are watched, and runs in the thread of this number. */
  has(call: Call, thread: number): void;
  /** `call` was rejected with `error`. */
  callFailed(call: Call, error: unknown): void;
}

/** One operation on its way to the thread and back. */
export class Call {
  readonly code: number;
  readonly statement: CachedStatement | null;
  readonly fields: readonly unknown[];
  readonly promise: Promise<Call>;
  #resolve!: (call: Call) => void;
  #reject!: (reason: unknown) => void;

  /** Memory that goes to the thread with the operation. */
  transfer: readonly ArrayBuffer[] = NOTHING;
  /** The values are needed again should the call be sent to another thread, so that they are copied and not given away. */
  keepsValues = false;
  /** Build objects, not arrays. */
  objects = false;
  /** Must run whatever is cancelled: the end of a transaction. */
  essential = false;
  /** Goes with a call that was let into the queue already. */
  part: boolean;
  /** No caller's: a checkpoint of the pool's own, or what was sent a second time. */
  housekeeping = false;
  /** May share a transaction with its neighbours. */
  readonly grouped: boolean;
  /** Was taken back once, and is not again: on a machine that is busy everybody looks slow. */
  again = false;
  /** Waits for a lock that it need not have. */
  begins = false;
  /** Where the caller is, if it was worth taking. */
  stack: string | undefined = undefined;
  /** The same of a call that stands for a part of the caller's. */
  origin: { readonly stack?: string | undefined } | null = null;
  sql: string | undefined;
  /** A copy of what the caller gave, where somebody asked to see it. */
  parameters: Parameters | undefined = undefined;
  /** Those who watch; the thread is asked how long it runs. */
  trace: CallObserver | null = null;

  stage: number = Stage.WAITING;
  sequence = 0;
  /** Marked in the control block. */
  cancelled = false;

  /** None before the first are asked for: a call that waits is to be small. */
  #rows: unknown[] | null = null;
  shape: Shape | null = null;
  /** The cursor has more rows. */
  more = false;
  changes = -1;
  lastInsertRowid: number | bigint = 0;
  value: unknown = undefined;
  refused = false;
  /** Given up, and to be rejected with this reason unless its answer is a result. */
  giveUp: { readonly reason: unknown } | null = null;
  /** Given up while the thread was running it. */
  abandoned = false;
  /** The thread is done with it, or never had it. */
  finished = false;
  settledHook: (() => void) | null = null;
  /** Runs when the thread is done with the call, which is later than its end for one that was given up. */
  finishedHook: ((call: Call) => void) | null = null;
  /** When it was given to the thread's queue, if anybody asks. */
  sentAt = 0;
  /** Milliseconds that it ran in the thread, or those that were answered with it in the mean. */
  took = 0;

  constructor(code: number, statement: CachedStatement | null, fields: readonly unknown[]) {
    this.code = code;
    this.part = code === Op.FETCH;
    this.grouped = code === Op.QUERY && ((fields[1] as number) & Flag.GROUP) !== 0;
    this.statement = statement;
    this.fields = fields;
    this.sql = statement?.sql;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get rows(): unknown[] {
    this.#rows ??= [];
    return this.#rows;
  }

  get settled(): boolean {
    return this.stage === Stage.SETTLED;
  }

  /** Appends the operation to `frame`, and to `transfer` the memory of copies that were made for it. */
  write(frame: unknown[], transfer: ArrayBuffer[]): void {
    frame.push(this.code);
    if (this.statement !== null) frame.push(this.statement.id);
    for (const field of this.fields) {
      frame.push(field);
      if (!this.keepsValues && types.isUint8Array(field) && field.byteLength > 0)
        transfer.push(field.buffer as ArrayBuffer);
    }
    if (this.transfer.length > 0) transfer.push(...this.transfer);
  }

  resolve(): void {
    if (this.#settle()) this.#resolve(this);
  }

  /** With an error, or with an {@link ErrorReason} or {@link FaultReason} that becomes one. */
  reject(reason: unknown): void {
    if (this.#settle()) this.#reject(reason);
  }

  #settle(): boolean {
    if (this.stage === Stage.SETTLED) return false;
    this.stage = Stage.SETTLED;
    this.settledHook?.();
    return true;
  }

  /** The cursor that a QUERY opens or a FETCH reads; no other call has rows that wait. */
  get cursor(): number {
    return this.fields[this.code === Op.QUERY ? 2 : 0] as number;
  }
}

/** The column names of a call that builds objects, which are known when its first rows are; null for arrays. */
export function namesOf(call: Call, columns: number | null): readonly string[] | null {
  call.shape ??= call.statement?.shape ?? null;
  const names = (call.objects ? call.shape?.names : null) ?? null;
  if (columns !== null && names !== null && names.length !== columns) throw malformed("a shape");
  return names;
}
