import { types } from "node:util";
import { Flag, Op } from "@sqlite-aio/worker/wire";
import type { Parameters } from "../values/bind.js";
import type { Shape } from "../values/shape.js";
import type { CachedStatement } from "./statement-cache.js";
import type { CallSite } from "../errors/call-site.js";

const NOTHING: readonly ArrayBuffer[] = [];

/** The stages of a call. */
export const Stage = {
  /** It waits behind other calls, or for a transaction to end. */
  WAITING: 0,
  /** It is in a frame that the thread has, or will get. */
  SENT: 1,
  /** It was answered, rejected or given up. */
  SETTLED: 2,
} as const;

/** An observer of calls. */
export interface CallObserver {
  /** The thread began `call` at `begun`, on the shared clock, and has run it for `ms` milliseconds so far. */
  timed(call: Call, begun: number, ms: number): void;
  /** `call` is observed, and runs in the thread of this number. */
  has(call: Call, thread: number): void;
  /** `call` was rejected with `error`. */
  callFailed(call: Call, error: unknown): void;
}

/** Properties of a call besides its operation. Omitted ones are false, or missing. */
export interface CallTraits {
  /** The text, if there is no statement. */
  readonly sql?: string | undefined;
  /** A copy of the caller's parameters, if traces show them. */
  readonly parameters?: Parameters | undefined;
  /** Build objects, not arrays. */
  readonly objects?: boolean;
  /** The shape of the rows, if it is known before the answer. */
  readonly shape?: Shape | null;
  /** Buffers that are transferred with the operation. */
  readonly transfer?: readonly ArrayBuffer[] | undefined;
  /** Copy the values instead of transferring them, because the call may be sent to another thread later. */
  readonly keepsValues?: boolean;
  /** Must run even if calls are cancelled: for example the end of a transaction. */
  readonly essential?: boolean | undefined;
  /** Begins a transaction, and may stop waiting for its lock. */
  readonly begins?: boolean;
  /** Belongs to a call that was admitted to the queue already. */
  readonly part?: boolean;
  /** The pool's own call, such as a checkpoint. */
  readonly housekeeping?: boolean | undefined;
  /** The caller's position, for a call that is a part of the caller's call. */
  readonly origin?: CallSite | null;
}

const NONE: CallTraits = {};

const Mark = { CANCELLED: 1, REPEATED: 2, REFUSED: 4, LEFT: 8, ABANDONED: 16 } as const;

/**
 * One operation on its way to the thread and back. Others report events through its methods; its state is never written
 * from outside.
 */
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
  readonly #transfer: readonly ArrayBuffer[];
  readonly #keepsValues: boolean;
  /** The caller's stack, if it was captured by `Error.captureStackTrace`. */
  stack: string | undefined = undefined;

  #stage: number = Stage.WAITING;
  #sequence = 0;
  /** What has become of it, as {@link Mark}s: in one field, so that waiting calls stay small. */
  #marks = 0;
  #housekeeping: boolean;
  #trace: CallObserver | null = null;
  /** Allocated on first use, so that waiting calls stay small. */
  #rows: unknown[] | null = null;
  /** Further arrays of rows, joined only once: appending to one growing array would copy it again and again. */
  #further: unknown[][] | null = null;
  #shape: Shape | null;
  #more = false;
  #changes = -1;
  #lastInsertRowid: number | bigint = 0;
  #value: unknown = undefined;
  #givenUp: { readonly reason: unknown } | null = null;
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

  /** The result of a thread's method. */
  get value(): unknown {
    return this.#value;
  }

  /** The connection only reads, and the statement would have written. */
  get refused(): boolean {
    return (this.#marks & Mark.REFUSED) !== 0;
  }

  /** Milliseconds that it ran in the thread; an average if several calls were answered together. */
  get took(): number {
    return this.#took;
  }

  get stage(): number {
    return this.#stage;
  }

  get settled(): boolean {
    return this.#stage === Stage.SETTLED;
  }

  /** The thread has finished it, or never had it. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Its number in the control block, once it is sent. */
  get sequence(): number {
    return this.#sequence;
  }

  /** It is marked in the control block. */
  get cancelled(): boolean {
    return (this.#marks & Mark.CANCELLED) !== 0;
  }

  /** It was given up: it rejects with this reason, unless its answer is a result. */
  get givenUp(): { readonly reason: unknown } | null {
    return this.#givenUp;
  }

  /** Nobody waits for its answer any more. */
  get left(): boolean {
    return (this.#marks & Mark.LEFT) !== 0;
  }

  /** It was given up while the thread was running it. */
  get abandoned(): boolean {
    return (this.#marks & Mark.ABANDONED) !== 0;
  }

  /** Not counted as a caller's call: a checkpoint of the pool, or a call that was sent again. */
  get housekeeping(): boolean {
    return this.#housekeeping;
  }

  /** It was taken back once and will not be again: on a busy machine every thread looks slow. */
  get repeated(): boolean {
    return (this.#marks & Mark.REPEATED) !== 0;
  }

  /** When it was put into the thread's queue, if that was recorded. */
  get queuedAt(): number {
    return this.#queuedAt;
  }

  /** The observer; if there is one, the thread times the call. */
  get trace(): CallObserver | null {
    return this.#trace;
  }

  /** It may share a transaction with its neighbours. */
  get grouped(): boolean {
    return (this.#flags & Flag.GROUP) !== 0;
  }

  /** It runs in a transaction, or opens one. */
  get needsTransaction(): boolean {
    const begins = (this.#flags & Flag.BEGIN) !== 0 && this.statement!.facts.begins;
    return begins || (this.#flags & Flag.IN_TRANSACTION) !== 0;
  }

  /** Each character of a text in its rows is a byte of the text's UTF-8. */
  get rawText(): boolean {
    return (this.#flags & Flag.RAW_TEXT) !== 0;
  }

  get #flags(): number {
    return this.code === Op.QUERY ? (this.fields[1] as number) : 0;
  }

  /** The cursor that a QUERY opens or a FETCH reads. Other calls have none. */
  get cursor(): number {
    return this.fields[this.code === Op.QUERY ? 2 : 0] as number;
  }

  /** Appends the operation to `frame`, and the buffers of its copied values to `transfer`. */
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

  /** Sets the observer. */
  watchedBy(observer: CallObserver): void {
    this.#trace = observer;
  }

  /** Runs `listener` when the promise settles. */
  onSettled(listener: () => void): void {
    this.#onSettled = both(this.#onSettled, listener);
  }

  /**
   * Runs `listener` when the thread has finished the call. For a call that was given up, that is later than its
   * rejection.
   */
  onFinished(listener: () => void): void {
    this.#onFinished = both(this.#onFinished, listener);
  }

  /** Notes that it was put into the thread's queue at `at`. */
  queued(at: number): void {
    this.#queuedAt = at;
  }

  /** Notes that it was taken back from another thread. */
  repeats(): void {
    this.#marks |= Mark.REPEATED;
  }

  /** Notes that it is in a frame that the thread has, or will get. */
  sent(sequence: number): void {
    this.#sequence = sequence;
    this.#stage = Stage.SENT;
  }

  /** Notes that its frame could not be posted. */
  notSent(): void {
    this.#sequence = 0;
    this.#stage = Stage.WAITING;
  }

  /** Notes that it is marked in the control block. */
  markCancelled(): void {
    this.#marks |= Mark.CANCELLED;
  }

  /** Notes that nobody waits for its answer any more: the result whose rows it requests was left. */
  leave(): void {
    this.#marks |= Mark.LEFT;
  }

  /** Notes that its caller has given it up. Its answer tells whether that was in time. The first reason counts. */
  giveUp(reason: unknown): void {
    this.#givenUp ??= { reason };
  }

  /** Notes that it will be sent to another thread, unless this one has begun it; its answer tells. */
  recall(reason: unknown): void {
    this.#housekeeping = true;
    this.giveUp(reason);
  }

  /** Rejects it while the thread goes on running it. */
  abandon(reason: unknown): void {
    this.#marks |= Mark.ABANDONED;
    this.reject(reason);
  }

  /** Adds `ms` milliseconds to its duration. */
  ran(ms: number): void {
    this.#took += ms;
  }

  /** Call it before rows are added. Returns their shape: the one known before, or the statement's present one. */
  getsRows(): Shape | null {
    this.#shape ??= this.statement?.shape ?? null;
    return this.#shape;
  }

  /** Adds rows, in an array that belongs to the call from now on. */
  addRows(rows: unknown[]): void {
    if (this.#rows === null) this.#rows = rows;
    else (this.#further ??= []).push(rows);
  }

  /** Notes that all requested rows have come, and whether the cursor has more. */
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
    this.#marks |= Mark.REFUSED;
  }

  /** Resolves the call; its answer is complete. */
  resolve(lastInsertRowid: number | bigint): void {
    this.#lastInsertRowid = lastInsertRowid;
    if (this.statement !== null) this.statement.proven = true;
    if (this.#settle()) this.#resolve(this);
  }

  /** Rejects with an error, or with an {@link ErrorReason} or {@link FaultReason} that becomes one. */
  reject(reason: unknown): void {
    if (this.#settle()) this.#reject(reason);
  }

  /** Notes that the thread has finished it. */
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
