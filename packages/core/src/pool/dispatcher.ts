import { thrownFor } from "../errors/rejection.js";
import type { Call } from "../thread/call.js";
import { ProgrammingError, QueueFullError, WorkerCrashedError } from "../errors/errors.js";
import { isInstance } from "../errors/is-instance.js";
import type { CallSite } from "../errors/call-site.js";
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

/** Makes a call and sends it; `waited` if that is not in the tick of the caller any more. */
export type Make = (handle: Handle, waited: boolean) => Call;

/** What a lease takes. */
const ALONE: Want = { need: "lease", cost: Number.POSITIVE_INFINITY };

/** Brings calls and leases to the members of a pool, and counts those that are not over. */
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

  /** Throws if the pool takes no further call, or not from here. */
  check(): void {
    if (this.#closed) throw poolClosed();
    this.#leases.refuseInside();
    if (this.#pending >= this.#options.connection.maxQueue) {
      throw new QueueFullError(`${this.#pending} calls are waiting or running already (maxQueue)`);
    }
  }

  /** Takes no further calls; resolves when all that were taken are over. */
  close(): Promise<void> {
    this.#closed = true;
    return new Promise((resolve) => {
      this.#drained = resolve;
      if (this.#pending === 0) resolve();
    });
  }

  /**
   * Sends a call as soon as a member of the group takes it, and waits for its answer. A call whose thread died before
   * it had begun is sent again, to the replacement.
   */
  async perform(group: MemberGroup, want: Want, deadline: Deadline | undefined, make: Make): Promise<Call> {
    this.#pending++;
    let again = false;
    try {
      for (;;) {
        const picked = group.pick(want);
        const waiting = picked === null ? new WaitingCall(group, want, make) : null;
        // What rejects is made here, where the caller's stack is known.
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
          // Rows of a temporary table are nobody's business but the caller's.
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
   * As {@link perform}, on a member that nobody else uses meanwhile: what the call leaves behind is undone before
   * anybody else gets it. Rejects if that is a transaction.
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
        // In the frame of the call itself, so that it costs no round trip.
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

  /** A member for one caller, who has called `method`. */
  lease(
    group: MemberGroup,
    method: AcquireEvent["method"],
    place: CallSite,
    deadline: Deadline | undefined,
  ): Promise<Lease> {
    if (!acquireChannel.hasSubscribers) return this.#lease(group, `${method}()`, place, deadline);
    const database = this.#options.connection.thread.open.path;
    return traceAcquire(
      { method, role: group.role, database },
      () => this.#lease(group, `${method}()`, place, deadline),
      (lease) => lease.member.channel.thread,
    );
  }

  /** Gives a member that a single call has changed to nobody before it is as it was. */
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

/** A call that is made and sent when there is a member for it. */
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

  /** Once it waits no more. */
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

/** Waits in the group's line, no longer than until the deadline. Throws where there is no place in it. */
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
