import { types } from "node:util";
import { Flag, Op } from "@sqlite-aio/worker/wire";
import type { Parameters } from "../values/bind.js";
import type { Shape } from "../values/shape.js";
import type { CachedStatement } from "./statement-cache.js";
import type { CallSite } from "../errors/call-site.js";

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

/** What a call is besides its operation; what is left out is false, or not there. */
export interface CallTraits {
  /** The text, where there is no statement of it. */
  readonly sql?: string | undefined;
  /** A copy of what the caller gave, where somebody asked to see it. */
  readonly parameters?: Parameters | undefined;
  /** Build objects, not arrays. */
  readonly objects?: boolean;
  /** The shape of the rows, where that is known before. */
  readonly shape?: Shape | null;
  /** Memory that goes to the thread with the operation. */
  readonly transfer?: readonly ArrayBuffer[] | undefined;
  /** The values are needed again should the call be sent to another thread, so that they are copied and not given away. */
  readonly keepsValues?: boolean;
  /** Must run whatever is cancelled: the end of a transaction. */
  readonly essential?: boolean | undefined;
  /** Waits for a lock that it need not have. */
  readonly begins?: boolean;
  /** Goes with a call that was let into the queue already. */
  readonly part?: boolean;
  /** No caller's: a checkpoint of the pool's own. */
  readonly housekeeping?: boolean | undefined;
  /** Where the caller is of a call that stands for a part of the caller's. */
  readonly origin?: CallSite | null;
}

const NONE: CallTraits = {};

/** One operation on its way to the thread and back. Whoever has it tells it what happens; nobody writes into it. */
export class Call {
  readonly code: number;
  readonly statement: CachedStatement | null;
  readonly fields: readonly unknown[];
  readonly promise: Promise<Call>;
  #resolve!: (call: Call) => void;
  #reject!: (reason: unknown) => void;

  readonly sql: string | undefined;
  readonly parameters: Parameters | undefined;
  readonly objects: boolean;
  readonly essential: boolean;
  readonly begins: boolean;
  readonly part: boolean;
  readonly origin: CallSite | null;
  /** May share a transaction with its neighbours. */
  readonly grouped: boolean;
  readonly #transfer: readonly ArrayBuffer[];
  readonly #keepsValues: boolean;
  /** Where the caller is, if it was worth taking: `Error.captureStackTrace` sets it. */
  stack: string | undefined = undefined;

  #stage: number = Stage.WAITING;
  #sequence = 0;
  #cancelled = false;
  #housekeeping: boolean;
  #repeated = false;
  #trace: CallObserver | null = null;
  /** None before the first are asked for: a call that waits is to be small. */
  #rows: unknown[] | null = null;
  /** Further rows, as they came: an array that grows is copied again and again. */
  #further: unknown[][] | null = null;
  #shape: Shape | null;
  #more = false;
  #changes = -1;
  #lastInsertRowid: number | bigint = 0;
  #value: unknown = undefined;
  #refused = false;
  #givenUp: { readonly reason: unknown } | null = null;
  #abandoned = false;
  #finished = false;
  #queuedAt = 0;
  #took = 0;
  #onSettled: (() => void) | null = null;
  #onFinished: (() => void) | null = null;

  constructor(
    code: number,
    statement: CachedStatement | null,
    fields: readonly unknown[],
    traits: CallTraits = NONE,
  ) {
    this.code = code;
    this.statement = statement;
    this.fields = fields;
    this.grouped = code === Op.QUERY && ((fields[1] as number) & Flag.GROUP) !== 0;
    this.sql = traits.sql ?? statement?.sql;
    this.parameters = traits.parameters;
    this.objects = traits.objects ?? false;
    this.essential = traits.essential ?? false;
    this.begins = traits.begins ?? false;
    this.part = traits.part ?? code === Op.FETCH;
    this.origin = traits.origin ?? null;
    this.#shape = traits.shape ?? null;
    this.#transfer = traits.transfer ?? NOTHING;
    this.#keepsValues = traits.keepsValues ?? false;
    this.#housekeeping = traits.housekeeping ?? false;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get rows(): unknown[] {
    this.#rows ??= [];
    if (this.#further !== null) {
      this.#rows = this.#rows.concat(...this.#further);
      this.#further = null;
    }
    return this.#rows;
  }

  /** The columns of {@link rows}; null before there are any. */
  get shape(): Shape | null {
    return this.#shape;
  }

  /** The cursor has more rows. */
  get more(): boolean {
    return this.#more;
  }

  get changes(): number {
    return this.#changes;
  }

  get lastInsertRowid(): number | bigint {
    return this.#lastInsertRowid;
  }

  /** What a method of the thread's gave. */
  get value(): unknown {
    return this.#value;
  }

  /** The connection only reads, and the statement would have written. */
  get refused(): boolean {
    return this.#refused;
  }

  /** Milliseconds that it ran in the thread, or those that were answered with it in the mean. */
  get took(): number {
    return this.#took;
  }

  get stage(): number {
    return this.#stage;
  }

  get settled(): boolean {
    return this.#stage === Stage.SETTLED;
  }

  /** The thread is done with it, or never had it. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Its number in the control block, once it is sent. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Marked in the control block. */
  get cancelled(): boolean {
    return this.#cancelled;
  }

  /** Given up, and to be rejected with this reason unless its answer is a result. */
  get givenUp(): { readonly reason: unknown } | null {
    return this.#givenUp;
  }

  /** Given up while the thread was running it. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  /** No caller's: a checkpoint of the pool's own, or what was sent a second time. */
  get housekeeping(): boolean {
    return this.#housekeeping;
  }

  /** Was taken back once, and is not again: on a machine that is busy everybody looks slow. */
  get repeated(): boolean {
    return this.#repeated;
  }

  /** When it was given to the thread's queue, if anybody asked. */
  get queuedAt(): number {
    return this.#queuedAt;
  }

  /** Somebody who watches; the thread is asked how long it runs. */
  get trace(): CallObserver | null {
    return this.#trace;
  }

  /** The cursor that a QUERY opens or a FETCH reads; no other call has rows that wait. */
  get cursor(): number {
    return this.fields[this.code === Op.QUERY ? 2 : 0] as number;
  }

  /** Appends the operation to `frame`, and to `transfer` the memory of copies that were made for it. */
  write(frame: unknown[], transfer: ArrayBuffer[]): void {
    frame.push(this.code);
    if (this.statement !== null) frame.push(this.statement.id);
    for (const field of this.fields) {
      frame.push(field);
      if (!this.#keepsValues && types.isUint8Array(field) && field.byteLength > 0)
        transfer.push(field.buffer as ArrayBuffer);
    }
    if (this.#transfer.length > 0) transfer.push(...this.#transfer);
  }

  /** Somebody watches from now on. */
  watchedBy(observer: CallObserver): void {
    this.#trace = observer;
  }

  /** Runs `listener` when the promise settles. */
  onSettled(listener: () => void): void {
    this.#onSettled = both(this.#onSettled, listener);
  }

  /** Runs `listener` when the thread is done with the call, which is later than its end for one that was given up. */
  onFinished(listener: () => void): void {
    this.#onFinished = both(this.#onFinished, listener);
  }

  /** It stands in the thread's queue since `at`. */
  queued(at: number): void {
    this.#queuedAt = at;
  }

  /** It was taken back from another thread. */
  repeats(): void {
    this.#repeated = true;
  }

  /** It is in a frame that the thread has, or will have. */
  sent(sequence: number): void {
    this.#sequence = sequence;
    this.#stage = Stage.SENT;
  }

  /** The frame could not be posted. */
  notSent(): void {
    this.#sequence = 0;
    this.#stage = Stage.WAITING;
  }

  /** It was marked in the control block. */
  markCancelled(): void {
    this.#cancelled = true;
  }

  /** Its caller does not want it any more; its answer tells whether that was in time. The first reason counts. */
  giveUp(reason: unknown): void {
    this.#givenUp ??= { reason };
  }

  /** It is to be sent to another thread, unless this one has begun it: its answer tells. */
  recall(reason: unknown): void {
    this.#housekeeping = true;
    this.giveUp(reason);
  }

  /** The thread goes on with it without its caller. */
  abandon(reason: unknown): void {
    this.#abandoned = true;
    this.reject(reason);
  }

  /** The thread was at it for `ms` milliseconds more. */
  ran(ms: number): void {
    this.#took += ms;
  }

  /** Rows come: of the statement's shape at this moment, if it is not known from before. */
  getsRows(): Shape | null {
    this.#shape ??= this.statement?.shape ?? null;
    return this.#shape;
  }

  /** Rows have come, in an array that is the call's from now on. */
  addRows(rows: unknown[]): void {
    if (this.#rows === null) this.#rows = rows;
    else (this.#further ??= []).push(rows);
  }

  /** Rows have come; `more` are left. */
  gotRows(more: boolean): void {
    this.#more = more;
  }

  gotCounts(changes: number): void {
    this.#changes = changes;
  }

  gotValue(value: unknown): void {
    this.#value = value;
  }

  gotRefusal(): void {
    this.#refused = true;
  }

  /** All of its answer is here. */
  resolve(lastInsertRowid: number | bigint): void {
    this.#lastInsertRowid = lastInsertRowid;
    if (this.statement !== null) this.statement.proven = true;
    if (this.#settle()) this.#resolve(this);
  }

  /** With an error, or with an {@link ErrorReason} or {@link FaultReason} that becomes one. */
  reject(reason: unknown): void {
    if (this.#settle()) this.#reject(reason);
  }

  /** The thread is done with it. */
  finish(): void {
    this.#finished = true;
    this.#onFinished?.();
  }

  #settle(): boolean {
    if (this.#stage === Stage.SETTLED) return false;
    this.#stage = Stage.SETTLED;
    this.#onSettled?.();
    return true;
  }
}

function both(first: (() => void) | null, second: () => void): () => void {
  if (first === null) return second;
  return () => {
    first();
    second();
  };
}
