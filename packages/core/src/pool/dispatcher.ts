import { thrownFor } from "../errors/rejection.js";
import type { Call } from "../thread/call.js";
import { ProgrammingError, QueueFullError, WorkerCrashedError } from "../errors/errors.js";
import { isInstance } from "../errors/is-instance.js";
import type { CallSite } from "../errors/call-site.js";
import { shownDatabase } from "../options/database-path.js";
import type { Deadline } from "../options/deadline.js";
import type { MemberGroup } from "./member-group.js";
import { Request } from "./request.js";
import type { Want } from "./statement-profile.js";
import type { Lease, Leases } from "./leases.js";
import { ELSEWHERE, type Member, poolClosed } from "./member.js";
import type { ResolvedPoolOptions } from "./options.js";
import { type Handle, toError } from "../connection/handle.js";
import { acquireChannel, type AcquireEvent } from "../tracing/channels.js";
import { traceAcquire } from "../tracing/transaction-trace.js";

/** Makes and sends a call. `waited` is true if this happens after the caller's tick. */
export type Make = (handle: Handle, waited: boolean) => Call;

/** What a lease needs: a member of its own. */
const ALONE: Want = { need: "lease", cost: Number.POSITIVE_INFINITY };

/** Gives calls and leases to the members of a pool, and counts those that are under way. */
export class Dispatcher {
  readonly #options: ResolvedPoolOptions;
  readonly #leases: Leases;
  #pending = 0;
  #closed = false;
  #drained: (() => void) | null = null;

  constructor(options: ResolvedPoolOptions, leases: Leases) {
    this.#options = options;
    this.#leases = leases;
  }

  get pending(): number {
    return this.#pending;
  }

  /** Throws if the pool is closed or full, or if the call comes from inside one of its callbacks. */
  check(): void {
    if (this.#closed) throw poolClosed();
    this.#leases.refuseInside();
    if (this.#pending >= this.#options.connection.maxQueue) {
      throw new QueueFullError(`${this.#pending} calls are waiting or running already (maxQueue)`);
    }
  }

  /** Takes no further calls; resolves when the pending ones are over. */
  close(): Promise<void> {
    this.#closed = true;
    return new Promise((resolve) => {
      this.#drained = resolve;
      if (this.#pending === 0) resolve();
    });
  }

  /**
   * Sends a call as soon as a member of the group takes it, and waits for the answer. If the thread dies before the
   * call has begun, the call is sent again, to the replacement.
   */
  async perform(group: MemberGroup, want: Want, deadline: Deadline | undefined, make: Make): Promise<Call> {
    this.#pending++;
    let again = false;
    try {
      for (;;) {
        const picked = group.pick(want);
        const waiting = picked === null ? new WaitingCall(group, want, make) : null;
        // The error is made here, where the caller's stack is known.
        if (waiting !== null) {
          try {
            await inLine(group, waiting, deadline);
          } catch (reason) {
            throw thrownFor(reason);
          }
        }
        const member = picked ?? waiting!.member;
        const call = waiting?.call ?? group.track(member, make(member.handle, false), want.cost);
        if (again) call.repeats();
        try {
          await call.promise;
          // The call has changed its connection, for example by a temporary table, which no other caller may see.
          if (member.channel.tainted && member.free) this.#renew(group, member);
          return call;
        } catch (reason) {
          if (reason === ELSEWHERE) {
            again = true;
            continue;
          }
          const error = toError(reason, call);
          if (isUnbegun(error)) continue;
          if (call.abandoned && !call.finished) group.setAside(member, call);
          throw error;
        }
      }
    } finally {
      this.#over();
    }
  }

  /**
   * As {@link perform}, on a member that no other call uses meanwhile. What the call leaves behind is undone before
   * anybody else gets the member. Rejects if a transaction is left open.
   */
  async alone(
    group: MemberGroup,
    what: string,
    place: CallSite,
    deadline: Deadline | undefined,
    make: Make,
  ): Promise<Call> {
    for (;;) {
      const lease = await this.#lease(group, what, place, deadline);
      let call: Call;
      let ended: Promise<boolean>;
      try {
        call = make(lease.handle("pool"), true);
      } finally {
        // Ends the lease in the same frame as the call, which saves a round trip.
        ended = lease.end();
      }
      try {
        await call.promise;
      } catch (reason) {
        const error = toError(reason, call);
        if (call.abandoned && !call.finished) group.setAside(lease.member, call);
        if (!isUnbegun(error)) throw error;
        await ended;
        continue;
      }
      if (await ended) throw leftOpen(call.sql);
      return call;
    }
  }

  /** Leases a member to the caller of `method`. */
  lease(
    group: MemberGroup,
    method: AcquireEvent["method"],
    place: CallSite,
    deadline: Deadline | undefined,
  ): Promise<Lease> {
    if (!acquireChannel.hasSubscribers) return this.#lease(group, `${method}()`, place, deadline);
    const database = shownDatabase(this.#options.connection.thread.open.path);
    return traceAcquire(
      { method, role: group.role, database },
      () => this.#lease(group, `${method}()`, place, deadline),
      (lease) => lease.member.channel.thread,
    );
  }

  /** Cleans a member that a single call has changed, before anybody else gets it. */
  #renew(group: MemberGroup, member: Member): void {
    this.#pending++;
    void this.#leases.grant(member, group, "the pool itself", {}, () => this.#over()).end();
  }

  async #lease(
    group: MemberGroup,
    what: string,
    place: CallSite,
    deadline: Deadline | undefined,
  ): Promise<Lease> {
    this.#pending++;
    try {
      const grant = (member: Member): Lease =>
        this.#leases.grant(member, group, what, place, () => this.#over());
      const picked = group.pick(ALONE);
      return picked === null ? await inLine(group, new WaitingLease(grant), deadline) : grant(picked);
    } catch (reason) {
      this.#over();
      throw thrownFor(reason);
    }
  }

  #over(): void {
    if (--this.#pending === 0) this.#drained?.();
  }
}

/** A call that waits for a member, and is made and sent then. */
class WaitingCall extends Request<void> {
  readonly #group: MemberGroup;
  readonly #make: Make;
  #member: Member | null = null;
  #call: Call | null = null;

  constructor(group: MemberGroup, want: Want, make: Make) {
    super(want);
    this.#group = group;
    this.#make = make;
  }

  /** Set once a member was found. */
  get member(): Member {
    return this.#member!;
  }

  get call(): Call {
    return this.#call!;
  }

  protected take(member: Member): void {
    this.#member = member;
    this.#call = this.#group.track(member, this.#make(member.handle, true), this.cost);
  }
}

class WaitingLease extends Request<Lease> {
  readonly #grant: (member: Member) => Lease;

  constructor(grant: (member: Member) => Lease) {
    super(ALONE);
    this.#grant = grant;
  }

  protected take(member: Member): Lease {
    return this.#grant(member);
  }
}

/** Waits in the group's line, until the deadline at most. Throws if the line is full. */
function inLine<T>(group: MemberGroup, request: Request<T>, deadline: Deadline | undefined): Promise<T> {
  group.enqueue(request);
  if (deadline !== undefined) request.watch(deadline, (reason) => group.leave(request, reason));
  return request.promise;
}

function isUnbegun(error: unknown): boolean {
  return isInstance(error, WorkerCrashedError) && error.outcome === "not-started";
}

function leftOpen(sql: string | undefined): ProgrammingError {
  return new ProgrammingError(
    "a transaction was left open, and is rolled back: use transaction(), or acquire() for a connection of one's own",
    { code: "SQLITE_MISUSE", sql },
  );
}
