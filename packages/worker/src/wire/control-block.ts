/**
 * The control block: a SharedArrayBuffer of words that both sides read without a message, because a thread that is
 * inside SQLite reads no messages.
 */
const WORDS = 8;
const TOKEN_BYTES = 8;
const RING = 4096;

/** Number of the operation the thread has begun, counted from 1 and wrapping at 2^31. */
const RUNNING = 0;
/** Above zero while the main side is about to interrupt: the thread begins nothing meanwhile. */
const INTERRUPTING = 1;
/** How many callback requests the main side has answered. */
const REPLIES = 2;
/** Non-zero: begin no further operation, close. */
const STOPPED = 3;
/** Number of the operation the thread ended last. */
const ENDED = 4;
/** How many interrupts the main side has sent to the engine. */
const INTERRUPTS = 5;

/**
 * Number of the first operation of a group commit while the group can still be undone, the same below zero from its COMMIT
 * on. Zero as soon as an operation has begun that belongs to no group. It stands behind the marks, where the companion, which
 * knows the places of all before it, does not look.
 */
const GROUP = 0;

/** Which side of a connection: the word that counts the messages it has posted. */
export const Side = { MAIN: 6, THREAD: 7 } as const;
export type Side = (typeof Side)[keyof typeof Side];

export interface Control {
  readonly words: Int32Array<SharedArrayBuffer>;
  /** All of it, for the native companion, whose `src/control.h` knows where what is. */
  readonly block: Int32Array<SharedArrayBuffer>;
  readonly cancelled: Uint8Array<SharedArrayBuffer>;
  readonly group: Int32Array<SharedArrayBuffer>;
  /** What the native companion calls the handle; 0 without it. */
  readonly token: Float64Array<SharedArrayBuffer>;
}

export function createControl(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * 4 + TOKEN_BYTES + RING + 4);
}

export function openControl(block: SharedArrayBuffer): Control {
  return {
    words: new Int32Array(block, 0, WORDS),
    block: new Int32Array(block),
    token: new Float64Array(block, WORDS * 4, 1),
    cancelled: new Uint8Array(block, WORDS * 4 + TOKEN_BYTES, RING),
    group: new Int32Array(block, WORDS * 4 + TOKEN_BYTES + RING, 1),
  };
}

/** The number after `sequence`. */
export function nextSequence(sequence: number): number {
  return sequence === 0x7fffffff ? 1 : sequence + 1;
}

/**
 * Thread: marks operation `sequence` as begun, and says whether it may run. The store comes before the load, and
 * {@link cancel} does the reverse, so one of the two sides always sees the other.
 */
export function begin(control: Control, sequence: number): boolean {
  Atomics.store(control.words, RUNNING, sequence);
  if (Atomics.load(control.words, INTERRUPTING) !== 0) waitWhileInterrupting(control);
  const slot = sequence & (RING - 1);
  if (Atomics.load(control.cancelled, slot) === 0) return Atomics.load(control.words, STOPPED) === 0;
  Atomics.store(control.cancelled, slot, 0);
  return false;
}

/**
 * Thread: operation `sequence` is over. Gives the number of interrupts sent so far, none of which is still on its way:
 * the store comes before the load, and {@link interruptInside} does the reverse.
 */
export function end(control: Control, sequence: number): number {
  Atomics.store(control.words, ENDED, sequence);
  if (Atomics.load(control.words, INTERRUPTING) !== 0) waitWhileInterrupting(control);
  return Atomics.load(control.words, INTERRUPTS);
}

/** Thread: whether the running operation was cancelled after it began, or the thread is to stop. */
export function isCancelled(control: Control, sequence: number): boolean {
  return Atomics.load(control.cancelled, sequence & (RING - 1)) !== 0 || isStopped(control);
}

function waitWhileInterrupting(control: Control): void {
  for (;;) {
    const pending = Atomics.load(control.words, INTERRUPTING);
    if (pending === 0) return;
    Atomics.wait(control.words, INTERRUPTING, pending, 1000);
  }
}

/** Thread: the operations from `first` on are run in one transaction, which is undone if one of them is cancelled. */
export function openGroup(control: Control, first: number): void {
  Atomics.store(control.group, GROUP, first);
}

/** Thread: COMMIT comes next. Who cancelled a member before is seen now, who cancels one later sees this. */
export function commitGroup(control: Control): void {
  Atomics.store(control.group, GROUP, -Atomics.load(control.group, GROUP));
}

/** Thread: what runs now belongs to no group. */
export function closeGroup(control: Control): void {
  Atomics.store(control.group, GROUP, 0);
}

/** Thread: whether operation `sequence` was marked as cancelled since it began. */
export function isMarked(control: Control, sequence: number): boolean {
  return Atomics.load(control.cancelled, sequence & (RING - 1)) !== 0;
}

/** Main: operation `sequence`, which has begun, belongs to a group that is not committed yet. */
function canBeUndone(control: Control, sequence: number): boolean {
  const group = Atomics.load(control.group, GROUP);
  return group > 0 && follows(group, sequence);
}

/** Main: operation `sequence`, which has begun, belongs to a group whose COMMIT is under way or over: its answer tells. */
export function isCommitting(control: Control, sequence: number): boolean {
  const group = Atomics.load(control.group, GROUP);
  return group < 0 && follows(-group, sequence);
}

function follows(first: number, sequence: number): boolean {
  return (sequence - first + 0x7fffffff) % 0x7fffffff < RING;
}

/** Main: the member of a group that the thread is inside at this moment; 0 if there is none. */
export function insideGroup(control: Control): number {
  const sequence = running(control);
  return sequence !== 0 && canBeUndone(control, sequence) ? sequence : 0;
}

/**
 * Main: marks operation `sequence` as cancelled. True if nothing of it will ever be kept: the thread has not begun it, or
 * has in a group that is not committed yet. The mark of any other must be taken back with {@link uncancel} when its
 * answer is there, or it would meet the operation that uses the slot next.
 */
export function cancel(control: Control, sequence: number): boolean {
  Atomics.store(control.cancelled, sequence & (RING - 1), 1);
  return !hasBegun(control, sequence) || canBeUndone(control, sequence);
}

/** Main: whether the thread has begun operation `sequence`, or anything after it. */
export function hasBegun(control: Control, sequence: number): boolean {
  const ahead = (sequence - Atomics.load(control.words, RUNNING) + 0x7fffffff) % 0x7fffffff;
  return !(ahead > 0 && ahead < RING);
}

export function uncancel(control: Control, sequence: number): void {
  Atomics.store(control.cancelled, sequence & (RING - 1), 0);
}

/** Main: whether the thread is inside any operation at this moment. */
export function isWorking(control: Control): boolean {
  return Atomics.load(control.words, RUNNING) !== Atomics.load(control.words, ENDED);
}

/** Main: whether the thread is inside operation `sequence` at this moment. */
export function isInside(control: Control, sequence: number): boolean {
  return Atomics.load(control.words, RUNNING) === sequence && Atomics.load(control.words, ENDED) !== sequence;
}

/** Main: number of the operation that the thread is inside at this moment; 0 if there is none. */
export function running(control: Control): number {
  const sequence = Atomics.load(control.words, RUNNING);
  return isInside(control, sequence) ? sequence : 0;
}

/**
 * Main: calls `interrupt` if the thread is inside operation `sequence`, and keeps it from beginning another meanwhile,
 * so that no other is hit.
 */
export function interruptInside(control: Control, sequence: number, interrupt: () => void): void {
  Atomics.add(control.words, INTERRUPTING, 1);
  try {
    if (!isInside(control, sequence)) return;
    Atomics.add(control.words, INTERRUPTS, 1);
    interrupt();
  } finally {
    Atomics.sub(control.words, INTERRUPTING, 1);
    Atomics.notify(control.words, INTERRUPTING);
  }
}

/** Main: the thread begins no further operation. */
export function stop(control: Control): void {
  Atomics.store(control.words, STOPPED, 1);
}

export function isStopped(control: Control): boolean {
  return Atomics.load(control.words, STOPPED) !== 0;
}

/** Main: tells the waiting thread that one more callback request is answered. */
export function announceReply(control: Control): void {
  Atomics.add(control.words, REPLIES, 1);
  Atomics.notify(control.words, REPLIES);
}

export function repliesSeen(control: Control): number {
  return Atomics.load(control.words, REPLIES);
}

/** Thread: returns when more than `seen` requests are answered; spins `spinMs` first, since a wake-up costs 100 us. */
export function awaitReply(control: Control, seen: number, spinMs: number): void {
  const deadline = performance.now() + spinMs;
  while (Atomics.load(control.words, REPLIES) === seen) {
    if (performance.now() > deadline) Atomics.wait(control.words, REPLIES, seen);
  }
}

/** Thread: sleeps `ms` without turning its event loop. */
export function sleep(control: Control, ms: number): void {
  const word = Atomics.load(control.words, REPLIES);
  Atomics.wait(control.words, REPLIES, word, ms);
}

/**
 * Tells the other side of a message, after it was posted. Who looked for it on the port itself would hold the port's
 * lock when it is posted, and one of the two would be put to sleep, for 20 us here.
 */
export function announce(control: Control, by: Side): void {
  Atomics.add(control.words, by, 1);
}

/** True if `by` has announced more than `received` messages. */
export function expects(control: Control, by: Side, received: number): boolean {
  return ((Atomics.load(control.words, by) - received) | 0) > 0;
}
