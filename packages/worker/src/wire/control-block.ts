/**
 * The control block: words in a SharedArrayBuffer that both sides read without messages, because a thread inside SQLite
 * receives none.
 */
const WORDS = 8;
const TOKEN_BYTES = 8;
const RING = 4096;

/** Number of the operation that the thread began last, counted from 1 and wrapping at 2^31. */
const RUNNING = 0;
/** Above zero while the main side is about to interrupt. The thread begins no operation meanwhile. */
const INTERRUPTING = 1;
/** Number of callback requests that the main side has answered. */
const REPLIES = 2;
/** Non-zero: the thread must begin no further operation and close. */
const STOPPED = 3;
/** Number of the operation that the thread ended last. */
const ENDED = 4;
/** Number of interrupts that the main side has sent to SQLite. */
const INTERRUPTS = 5;

/**
 * Number of the first operation of a group commit while the group can still be rolled back; the same number negated
 * from its COMMIT on; zero as soon as an operation outside a group has begun. It is stored behind the marks, because
 * the companion relies on the positions before it.
 */
const GROUP = 0;
/**
 * Number of the operation that runs now and commits by itself; zero if there is none. The companion looks in SQLite's
 * commit hook whether it was marked meanwhile.
 */
const ALONE = 1;

/** The marks of operations. */
const CANCELLED = 1;
/** It was answered before one of a lower number has begun, and the answer may be on its way. */
const ANSWERED = 2;

/** The sides of a connection, each by the word that counts its posted messages. */
export const Side = { MAIN: 6, THREAD: 7 } as const;
export type Side = (typeof Side)[keyof typeof Side];

export interface Control {
  readonly words: Int32Array<SharedArrayBuffer>;
  /** The whole block, for the native companion, whose `src/control.h` knows its layout. */
  readonly block: Int32Array<SharedArrayBuffer>;
  readonly cancelled: Uint8Array<SharedArrayBuffer>;
  readonly group: Int32Array<SharedArrayBuffer>;
  /** The native companion's number of the handle; 0 without it. */
  readonly token: Float64Array<SharedArrayBuffer>;
}

export function createControl(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * 4 + TOKEN_BYTES + RING + 8);
}

export function openControl(block: SharedArrayBuffer): Control {
  return {
    words: new Int32Array(block, 0, WORDS),
    block: new Int32Array(block),
    token: new Float64Array(block, WORDS * 4, 1),
    cancelled: new Uint8Array(block, WORDS * 4 + TOKEN_BYTES, RING),
    group: new Int32Array(block, WORDS * 4 + TOKEN_BYTES + RING, 2),
  };
}

/** The number after `sequence`. */
export function nextSequence(sequence: number): number {
  return sequence === 0x7fffffff ? 1 : sequence + 1;
}

/**
 * Thread: marks operation `sequence` as begun. Returns whether it may run. This stores before it loads, and {@link
 * cancel} does the reverse, so at least one side always sees the other.
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
 * Thread: operation `sequence` begins next, although `latest` has begun before. Of those between them, all that do not
 * wait are answered. Without a mark the main side would take them for such that have not begun.
 */
export function beginsLate(
  control: Control,
  sequence: number,
  latest: number,
  waits: (sequence: number) => boolean,
): void {
  for (let other = latest; other !== sequence; other = other === 1 ? 0x7fffffff : other - 1)
    if (!waits(other)) Atomics.store(control.cancelled, other & (RING - 1), ANSWERED);
}

/** Whether operation `latest` comes behind operation `sequence`. */
export function isAhead(sequence: number, latest: number): boolean {
  return sequence !== latest && follows(sequence, latest);
}

/**
 * Thread: operation `sequence` has ended. Returns the number of interrupts sent so far; none of them is still on its
 * way, because this stores before it loads, and {@link interruptInside} does the reverse.
 */
export function end(control: Control, sequence: number): number {
  Atomics.store(control.words, ENDED, sequence);
  if (Atomics.load(control.words, INTERRUPTING) !== 0) waitWhileInterrupting(control);
  return Atomics.load(control.words, INTERRUPTS);
}

/** Thread: whether the running operation was cancelled after it began, or the thread has to stop. */
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

/** Thread: the operations from `first` on run in one transaction, which is rolled back if one of them is cancelled. */
export function openGroup(control: Control, first: number): void {
  Atomics.store(control.group, GROUP, first);
}

/** Thread: COMMIT comes next. Cancellations before this are seen by the thread; later ones see this. */
export function commitGroup(control: Control): void {
  Atomics.store(control.group, GROUP, -Atomics.load(control.group, GROUP));
}

/**
 * Thread: operation `sequence`, which runs by itself, is about to be kept or has failed. As after {@link commitGroup},
 * cancellations before this are seen by the thread.
 */
export function answerTells(control: Control, sequence: number): void {
  Atomics.store(control.group, GROUP, -sequence);
}

/**
 * Thread: operation `sequence` commits by itself, with the companion; 0: it has ended. Before the commit the companion
 * does what {@link answerTells} does, and refuses the commit if the operation is marked.
 */
export function commitsAlone(control: Control, sequence: number): void {
  Atomics.store(control.group, ALONE, sequence);
}

/** Thread: the operations that run now belong to no group. */
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

/**
 * Main: operation `sequence`, which has begun, belongs to a group whose COMMIT is running or done. Only its answer
 * tells the result.
 */
export function isCommitting(control: Control, sequence: number): boolean {
  const group = Atomics.load(control.group, GROUP);
  return group < 0 && follows(-group, sequence);
}

function follows(first: number, sequence: number): boolean {
  return (sequence - first + 0x7fffffff) % 0x7fffffff < RING;
}

/** Main: the group member that the thread is running now; 0 if there is none. */
export function insideGroup(control: Control): number {
  const sequence = running(control);
  return sequence !== 0 && canBeUndone(control, sequence) ? sequence : 0;
}

/**
 * Main: marks operation `sequence` as cancelled. True if none of its changes will be kept: the thread has not begun it,
 * or its group is not committed yet. The mark stays until {@link uncancel}: otherwise it would cancel the next operation
 * that uses the slot.
 */
export function cancel(control: Control, sequence: number): boolean {
  const slot = sequence & (RING - 1);
  Atomics.compareExchange(control.cancelled, slot, 0, CANCELLED);
  const never = !hasBegun(control, sequence) || canBeUndone(control, sequence);
  // Loaded last: the thread stores it before it begins the other one.
  return never && Atomics.load(control.cancelled, slot) !== ANSWERED;
}

/** Main: whether the thread has begun operation `sequence`, or a later one. */
export function hasBegun(control: Control, sequence: number): boolean {
  const ahead = (sequence - Atomics.load(control.words, RUNNING) + 0x7fffffff) % 0x7fffffff;
  return !(ahead > 0 && ahead < RING);
}

/** Main: removes the mark that an earlier operation has left for `sequence`, which is about to be sent. */
export function uncancel(control: Control, sequence: number): void {
  const slot = sequence & (RING - 1);
  // Nearly always there is none. A store would take the memory from the thread's core for each call.
  if (Atomics.load(control.cancelled, slot) !== 0) Atomics.store(control.cancelled, slot, 0);
}

/** Main: whether the thread is running an operation now. */
export function isWorking(control: Control): boolean {
  return Atomics.load(control.words, RUNNING) !== Atomics.load(control.words, ENDED);
}

/** Main: whether the thread is running operation `sequence` now. */
export function isInside(control: Control, sequence: number): boolean {
  return Atomics.load(control.words, RUNNING) === sequence && Atomics.load(control.words, ENDED) !== sequence;
}

/** Main: number of the operation that the thread is running now; 0 if there is none. */
export function running(control: Control): number {
  const sequence = Atomics.load(control.words, RUNNING);
  return isInside(control, sequence) ? sequence : 0;
}

/**
 * Main: calls `interrupt` if the thread is running operation `sequence`. Keeps the thread from beginning another one
 * meanwhile, so that no other operation is hit.
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

/** Main: tells the thread to begin no further operation. */
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

/**
 * Thread: returns when more than `seen` requests are answered. Spins for `spinMs` first, because a wake-up costs 100
 * us.
 */
export function awaitReply(control: Control, seen: number, spinMs: number): void {
  const deadline = performance.now() + spinMs;
  while (Atomics.load(control.words, REPLIES) === seen) {
    if (performance.now() > deadline) Atomics.wait(control.words, REPLIES, seen);
  }
}

/** Thread: sleeps for `ms` without turning its event loop. */
export function sleep(control: Control, ms: number): void {
  const word = Atomics.load(control.words, REPLIES);
  Atomics.wait(control.words, REPLIES, word, ms);
}

/**
 * Tells the other side that a message was posted. Polling the port itself would hold the port's lock, and the two sides
 * would put each other to sleep, for 20 us here.
 */
export function announce(control: Control, by: Side): void {
  Atomics.add(control.words, by, 1);
}

/** Number of messages that `by` has announced; wraps at 2^31. */
export function announced(control: Control, by: Side): number {
  return Atomics.load(control.words, by);
}

/** True if `by` has announced more than `received` messages. */
export function expects(control: Control, by: Side, received: number): boolean {
  return ((announced(control, by) - received) | 0) > 0;
}
