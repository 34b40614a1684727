import { type Operation, runAlone, startOver, Step } from "../handle/operation.js";
import type { Executor } from "../handle/executor.js";
import type { SessionParts } from "../handle/session-parts.js";
import { sharedNow } from "../wire/clock.js";
import { commitGroup, type Control, isMarked, openGroup } from "../wire/control-block.js";
import { codeOf } from "../wire/fault.js";
import { Flag, Op } from "../wire/protocol.js";
import type { OwnTransaction } from "./own-transaction.js";
import type { Points } from "./points.js";

/** After this many milliseconds a group is committed. Its remaining members form another group. */
const GROUP_MS = 20;

/**
 * After a violation of these constraints SQLite leaves nothing of the statement behind: it checks them before it writes
 * a row, or undoes the whole statement, for which it keeps a statement journal. After any other error (STRICT types, a
 * text that is too long, a function that throws, triggers nested too deep) the rows that the statement has written so
 * far stay.
 */
const UNDOES_ITSELF: ReadonlySet<string> = new Set([
  "SQLITE_CONSTRAINT_CHECK",
  "SQLITE_CONSTRAINT_FOREIGNKEY",
  "SQLITE_CONSTRAINT_NOTNULL",
  "SQLITE_CONSTRAINT_PRIMARYKEY",
  "SQLITE_CONSTRAINT_ROWID",
  "SQLITE_CONSTRAINT_TRIGGER",
  "SQLITE_CONSTRAINT_UNIQUE",
]);

/** Why a group was rolled back. */
const Undone = {
  /** The statements cannot share a transaction. */
  ALONE: 0,
  /** A statement failed without a savepoint, so its changes could not be undone separately. */
  UNGUARDED: 1,
  /** A member was interrupted or cancelled. */
  STOPPED: 2,
} as const;

/** The result of a group: how many operations were answered, and which ones run next, in this order. */
export interface GroupOutcome {
  readonly answered: number;
  readonly rest: readonly Operation[];
}

/** The parts of the session that a group needs. */
export interface GroupParts
  extends Pick<
    SessionParts,
    "handle" | "out" | "lockWait" | "counts" | "changes" | "trace" | "nativeStatements"
  > {
  readonly executor: Executor;
  /** The original error behind SQLite's error, such as what a callback threw. */
  behind(error: unknown): unknown;
}

/** Whether the operation is a write that may share a transaction with its neighbours. */
export function isGroupable({ handle }: Pick<GroupParts, "handle">, operation: Operation): boolean {
  if (operation.code !== Op.QUERY || (operation.flags & Flag.GROUP) === 0) return false;
  const statement = operation.statement!;
  try {
    statement.prepare(handle.db);
  } catch {
    // The error is reported when the operation runs by itself.
    return false;
  }
  return statement.groupable && !statement.slow;
}

/** What a group needs from the scheduler. */
export interface Turns {
  /** Marks the operation as begun. False if it was cancelled. */
  begin(operation: Operation): boolean;
  /** Notes that the operation begun last has ended. */
  end(): void;
  /** Notes that the native companion has run the operation. */
  ran(operation: Operation): void;
  points(): Points;
}

/**
 * Group commit: several callers' statements share one transaction, and so one fsync. No answer leaves before COMMIT.
 * Each statement behaves as if it were alone. A statement gets a savepoint if it has failed before, has never run, or
 * calls user functions; a savepoint costs a third of a short insert. If another statement fails in a way that SQLite
 * does not undo, the group runs again with savepoints for all.
 */
export class GroupCommit {
  readonly #session: GroupParts;
  readonly #control: Control;
  readonly #turns: Turns;
  readonly #own: OwnTransaction;
  #running: Operation | null = null;

  constructor(session: GroupParts, control: Control, turns: Turns, own: OwnTransaction) {
    this.#session = session;
    this.#control = control;
    this.#turns = turns;
    this.#own = own;
  }

  /** SQL is about to call a user function. */
  called(): void {
    if (this.#running !== null) this.#running.statement!.callsOut = true;
  }

  run(group: readonly Operation[]): GroupOutcome {
    const { out } = this.#session;
    let members = [...group];
    const later: Operation[] = [];
    for (let guarded = false; members.length > 1; ) {
      const { mark } = out;
      openGroup(this.#control, group[0]!.sequence);
      const outcome = this.#attempt(members, guarded);
      this.#running = null;
      if (typeof outcome === "object")
        return { answered: outcome.answered, rest: [...members.slice(outcome.answered), ...later] };
      // The interrupt of a member has had its effect.
      this.#turns.end();
      out.rewind(mark);
      startOver(members);
      if (outcome === Undone.ALONE) break;
      guarded ||= outcome === Undone.UNGUARDED;
      // Statements that turned out to be slow run later, so that the others do not wait for them.
      for (let at = 0; at < members.length; ) {
        if (!members[at]!.single && !members[at]!.statement!.slow) at++;
        else {
          out.postponed(at, group.length - 1);
          later.push(...members.splice(at, 1));
        }
      }
    }
    members = [...members, ...later];
    runAlone(members);
    return { answered: 0, rest: members };
  }

  #attempt(members: readonly Operation[], guarded: boolean): { answered: number } | number {
    const session = this.#session;
    const { out } = session;
    try {
      this.#own.exec("beginImmediate");
    } catch {
      // Another connection holds the lock. The first statement waits for it by itself.
      return Undone.ALONE;
    }
    const timings: { place: number; begun: number }[] = [];
    const began = performance.now();
    const together =
      !guarded && !session.trace.on && session.nativeStatements.anyIdle && session.changes.seesWrites();
    let now = began;
    let last = members[0]!;
    let answered = 0;
    while (answered < members.length && (answered === 0 || now - began <= GROUP_MS)) {
      if (together && this.#pack(members, answered)) {
        session.lockWait.attempt(members[answered]!.sequence, true, now);
        const { done, undone } = this.#runPacked(now, Math.max(0, began + GROUP_MS - now));
        if (undone !== null) return this.#undo(undone);
        answered += done;
        if (done > 0) last = members[answered - 1]!;
        now = performance.now();
        continue;
      }
      const operation = members[answered++]!;
      if (operation.skipped || !this.#turns.begin(operation)) {
        operation.skipped = true;
        out.skipped();
        continue;
      }
      last = operation;
      session.lockWait.attempt(operation.sequence, true, now);
      if (operation.timed) {
        const begun = sharedNow();
        timings.push({ place: out.timing(begun), begun });
      }
      const failed = this.#runMember(operation, guarded);
      // An interrupt must not hit the COMMIT.
      this.#turns.end();
      const after = performance.now();
      operation.statement!.ranInGroup(after - now);
      now = after;
      if (failed !== null) return this.#undo(failed);
    }
    commitGroup(this.#control);
    const cancelled = members
      .slice(0, answered)
      .some(({ skipped, sequence }) => !skipped && isMarked(this.#control, sequence));
    if (cancelled) return this.#undo(Undone.STOPPED);
    try {
      this.#own.commit(last.sequence, true);
    } catch {
      return this.#undo(Undone.ALONE);
    }
    // Each statement's time ends with the shared COMMIT.
    for (const { place, begun } of timings) out.ran(place, sharedNow() - begun);
    return { answered };
  }

  /** Runs and answers one member. Null if the group can go on, else why it must be rolled back. */
  #runMember(operation: Operation, guardAll: boolean): number | null {
    const session = this.#session;
    const statement = operation.statement!;
    const guard = guardAll || statement.needsGuard;
    const { mark } = session.out;
    this.#running = operation;
    try {
      if (guard) this.#own.exec("savepoint");
      while (session.executor.step(operation) !== Step.DONE);
      if (guard) this.#own.exec("release");
      statement.proven = true;
      return null;
    } catch (error) {
      return this.#failed(operation, error, guard, mark);
    } finally {
      this.#running = null;
    }
  }

  /**
   * Packs the members from `at` on that one call of the native companion can run. False if the next member cannot be
   * packed.
   */
  #pack(members: readonly Operation[], at: number): boolean {
    const points = this.#turns.points();
    let next = at;
    while (next < members.length && !members[next]!.statement!.needsGuard && points.addWrite(members[next]!))
      next++;
    return next > at;
  }

  /**
   * Runs and answers the packed members, until `ms` milliseconds after `began`. Gives how many were answered, and the
   * result of {@link #runMember}.
   */
  #runPacked(began: number, ms: number): { done: number; undone: number | null } {
    const points = this.#turns.points();
    let answered = 0;
    for (
      let now = began;
      points.waiting > 0 && (answered === 0 || now - began <= ms);
      now = performance.now()
    ) {
      let over = now;
      const { done, failed, error } = points.run(ms - (now - began), (statement, took) => {
        statement.ranInGroup(took);
        over += took;
      });
      answered += done.length;
      const last = failed ?? done.at(-1);
      if (last !== undefined) this.#turns.ran(last);
      // An interrupt must not hit the COMMIT.
      this.#turns.end();
      if (failed === null) break;
      failed.statement!.ranInGroup(performance.now() - over);
      const undone = this.#failed(failed, error, false, this.#session.out.mark);
      if (undone !== null) {
        points.clear();
        return { done: answered, undone };
      }
      answered++;
    }
    points.clear();
    return { done: answered, undone: null };
  }

  /** Answers a failed member; the result is that of {@link #runMember}. `guard`: it has a savepoint. */
  #failed(operation: Operation, error: unknown, guard: boolean, mark: number): number | null {
    const session = this.#session;
    const code = codeOf(error);
    if (code === "SQLITE_INTERRUPT") {
      // If its own caller did not cancel it, another caller did. Then it runs alone, because the others no longer wait.
      operation.single = !isMarked(this.#control, operation.sequence);
      return Undone.STOPPED;
    }
    if (!session.handle.inTransaction) return Undone.ALONE;
    // The statement that met a lock waits for it by itself.
    if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) return Undone.ALONE;
    if (!UNDOES_ITSELF.has(code)) {
      operation.statement!.leavesRows = true;
      if (!guard) return Undone.UNGUARDED;
      this.#own.exec("rollbackTo");
    }
    if (guard) this.#own.exec("release");
    for (const sql of session.out.rewind(mark)) session.out.trace(sql);
    session.counts.wrote();
    session.counts.rowidMayHaveChanged();
    session.out.fault(session.behind(error));
    session.executor.failed(operation);
    return null;
  }

  #undo(why: number): number {
    this.#own.rollBack();
    return why;
  }
}
