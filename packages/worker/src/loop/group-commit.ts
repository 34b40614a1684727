import type { EngineDatabase, EngineStatement } from "../engine/engine-api.js";
import { type Operation, runAlone, startOver, Step } from "../handle/operation.js";
import type { Executor } from "../handle/executor.js";
import type { SessionParts } from "../handle/session-parts.js";
import { sharedNow } from "../wire/clock.js";
import { commitGroup, type Control, isMarked, openGroup } from "../wire/control-block.js";
import { codeOf } from "../wire/fault.js";
import { Flag, Op } from "../wire/protocol.js";
import type { Points } from "./points.js";

/** After this many milliseconds a group is committed, and what is left of it makes another. */
const GROUP_MS = 20;

/**
 * Constraints that SQLite looks at before it writes a row, or undoes a whole statement for: in front of each it begins a
 * statement journal where it needs one. After any other error (STRICT types, a text that is too long, a function that
 * throws, triggers nested too deep) the rows that a statement had written by then are still there.
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

/** Why the work of a group was undone. */
const Undone = {
  /** They cannot share a transaction. */
  ALONE: 0,
  /** What a failing statement had done could not be told from what the others had. */
  UNGUARDED: 1,
  /** One of them was stopped, or is not wanted any more. */
  STOPPED: 2,
} as const;

/** What became of a group: how many of its operations are answered, and what is to be run next, in this order. */
export interface GroupOutcome {
  readonly answered: number;
  readonly rest: readonly Operation[];
}

/** What a group is run on. */
export interface GroupParts
  extends Pick<
    SessionParts,
    "handle" | "out" | "lockWait" | "counts" | "changes" | "trace" | "nativeStatements"
  > {
  readonly executor: Executor;
  /** What is behind an error of SQLite's. */
  behind(error: unknown): unknown;
}

/** Whether the operation is a write that may share a transaction with its neighbours. */
export function isGroupable({ handle }: Pick<GroupParts, "handle">, operation: Operation): boolean {
  if (operation.code !== Op.QUERY || (operation.flags & Flag.GROUP) === 0) return false;
  const statement = operation.statement!;
  try {
    statement.prepare(handle.db);
  } catch {
    // It says so when it is run by itself.
    return false;
  }
  return statement.groupable && !statement.slow;
}

/** What a group asks of the one that runs it. */
export interface Turns {
  /** Whether the operation may run. */
  begin(operation: Operation): boolean;
  /** What was begun is over. */
  end(): void;
  /** The companion has begun the operation, and it is over. */
  ran(operation: Operation): void;
  points(): Points;
}

/**
 * Group commit: the statements of several callers in one transaction, so that they share one fsync; nothing is
 * answered before COMMIT. Each behaves as if it stood alone. A statement that has failed, that has never been run, or
 * that calls functions of the user's gets a savepoint, which costs a third of a short insert; should another fail in a way
 * that SQLite does not undo, the group is run again with savepoints for all.
 */
export class GroupCommit {
  readonly #session: GroupParts;
  readonly #control: Control;
  readonly #turns: Turns;
  #own: OwnStatements | null = null;
  #running: Operation | null = null;

  constructor(session: GroupParts, control: Control, turns: Turns) {
    this.#session = session;
    this.#control = control;
    this.#turns = turns;
  }

  /** SQL is about to call a function of the user's. */
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
      // What a member was interrupted for is over, too.
      this.#turns.end();
      out.rewind(mark);
      startOver(members);
      if (outcome === Undone.ALONE) break;
      guarded ||= outcome === Undone.UNGUARDED;
      // The others do not wait for what turned out to be slow.
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
      this.#exec("begin");
    } catch {
      // Whoever holds the lock: the first statement waits for it by itself.
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
      // An interrupt must not meet the COMMIT.
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
    for (let first = true; ; first = false) {
      session.lockWait.attempt(last.sequence, first, performance.now());
      try {
        this.#exec("commit");
        // Each ran until the COMMIT that it shares.
        for (const { place, begun } of timings) out.ran(place, sharedNow() - begun);
        return { answered };
      } catch (error) {
        if (!session.lockWait.mayRetry(error)) return this.#undo(Undone.ALONE);
      }
    }
  }

  /** Runs and answers one member. Null if nothing is left of a statement that failed, else why all has to be undone. */
  #runMember(operation: Operation, guardAll: boolean): number | null {
    const session = this.#session;
    const statement = operation.statement!;
    const guard = guardAll || statement.needsGuard;
    const { mark } = session.out;
    this.#running = operation;
    try {
      if (guard) this.#exec("savepoint");
      while (session.executor.step(operation) !== Step.DONE);
      if (guard) this.#exec("release");
      statement.proven = true;
      return null;
    } catch (error) {
      return this.#failed(operation, error, guard, mark);
    } finally {
      this.#running = null;
    }
  }

  /** Takes the members from `at` on that can be run in one call of the companion's. False if the next cannot. */
  #pack(members: readonly Operation[], at: number): boolean {
    const points = this.#turns.points();
    let next = at;
    while (next < members.length && !members[next]!.statement!.needsGuard && points.addWrite(members[next]!))
      next++;
    return next > at;
  }

  /** Runs and answers what was packed, for `ms` milliseconds from `began` on; how many are answered, and as {@link #runMember}. */
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
      // An interrupt must not meet the COMMIT.
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

  /** Answers a member that has failed, as {@link #runMember} does; `guard`: it has a savepoint. */
  #failed(operation: Operation, error: unknown, guard: boolean, mark: number): number | null {
    const session = this.#session;
    const code = codeOf(error);
    if (code === "SQLITE_INTERRUPT") {
      // If not for its caller, then for the others, who do not wait for it any longer.
      operation.single = !isMarked(this.#control, operation.sequence);
      return Undone.STOPPED;
    }
    if (!session.handle.inTransaction) return Undone.ALONE;
    // A lock is for the one that met it to wait for.
    if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) return Undone.ALONE;
    if (!UNDOES_ITSELF.has(code)) {
      operation.statement!.leavesRows = true;
      if (!guard) return Undone.UNGUARDED;
      this.#exec("rollbackTo");
    }
    if (guard) this.#exec("release");
    session.out.rewind(mark);
    session.counts.wrote();
    session.counts.rowidMayHaveChanged();
    session.out.fault(session.behind(error));
    session.executor.failed(operation);
    return null;
  }

  #undo(why: number): number {
    const session = this.#session;
    if (session.handle.inTransaction) this.#exec("rollback");
    session.counts.wrote();
    session.counts.rowidMayHaveChanged();
    return why;
  }

  /** The transaction is nobody's, so that no authorizer is asked about it. */
  #exec(which: Exclude<keyof OwnStatements, "db">): void {
    const session = this.#session;
    const { db } = session.handle;
    session.handle.privately(() => {
      if (this.#own?.db !== db) this.#own = ownStatements(db);
      const statement = this.#own[which];
      session.changes.mutate(null, () => statement.run());
    });
  }
}

/** Of the handle that was open when they were prepared. */
interface OwnStatements {
  readonly db: EngineDatabase;
  readonly begin: EngineStatement;
  readonly commit: EngineStatement;
  readonly rollback: EngineStatement;
  readonly savepoint: EngineStatement;
  readonly release: EngineStatement;
  readonly rollbackTo: EngineStatement;
}

function ownStatements(db: EngineDatabase): OwnStatements {
  return {
    db,
    begin: db.prepare("BEGIN IMMEDIATE"),
    commit: db.prepare("COMMIT"),
    rollback: db.prepare("ROLLBACK"),
    savepoint: db.prepare("SAVEPOINT sqlite_aio_member"),
    release: db.prepare("RELEASE sqlite_aio_member"),
    rollbackTo: db.prepare("ROLLBACK TO sqlite_aio_member"),
  };
}
