import { thrownFor } from "../errors/rejection.js";
import type { Call } from "../thread/call.js";
import { ProgrammingError, QueueFullError, WorkerCrashedError } from "../errors/errors.js";
import { isInstance } from "../errors/is-instance.js";
import type { CallSite } from "../errors/call-site.js";
import type { Deadline } from "../options/deadline.js";
import type { MemberGroup } from "./member-group.js";
import type { Want } from "./request.js";
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
        const { call, member } =
          picked === null
            ? await this.#wait(group, want, deadline, make)
            : { call: group.track(picked, make(picked.handle, false), want.cost), member: picked };
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
      return picked === null ? await this.#inLine(group, ALONE, deadline, grant) : grant(picked);
    } catch (reason) {
      this.#over();
      throw thrownFor(reason);
    }
  }

  async #wait(
    group: MemberGroup,
    want: Want,
    deadline: Deadline | undefined,
    make: Make,
  ): Promise<{ call: Call; member: Member }> {
    try {
      return await this.#inLine(group, want, deadline, (member) => ({
        call: group.track(member, make(member.handle, true), want.cost),
        member,
      }));
    } catch (reason) {
      // Made here, where the caller's stack is known.
      throw thrownFor(reason);
    }
  }

  /** Waits in the group's line; `take` is given the member at once when it is free. */
  #inLine<T>(
    group: MemberGroup,
    want: Want,
    deadline: Deadline | undefined,
    take: (member: Member) => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let stopWatching: (() => void) | undefined;
      let over = false;
      const end = (): void => {
        over = true;
        stopWatching?.();
      };
      const leave = group.enqueue({
        ...want,
        place: (member) => {
          end();
          try {
            resolve(take(member));
          } catch (error) {
            reject(error);
          }
        },
        refuse: (reason) => {
          end();
          reject(reason);
        },
      });
      if (!over) stopWatching = deadline?.watch(leave);
    });
  }

  #over(): void {
    if (--this.#pending === 0) this.#drained?.();
  }
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
