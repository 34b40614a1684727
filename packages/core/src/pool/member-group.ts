import { ErrorReason } from "../errors/rejection.js";
import type { Call } from "../thread/call.js";
import { PoolTimeoutError, ProgrammingError, QueueFullError } from "../errors/errors.js";
import { type Member, notOpened, poolClosed, type Role } from "./member.js";
import type { ResolvedPoolOptions } from "./options.js";
import { type Bounds, type Waiter, WaitLimit } from "./request.js";
import type { Want } from "./statement-profile.js";

/** Calls under way on a member before a further one waits: two full frames. */
const MAX_LOAD = 2048;

/**
 * Quick calls join a busy thread until its work adds up to this many milliseconds. Only then another thread is woken,
 * which costs 0.1 ms and a core. A pool of 8 equal connections on 2 cores answers 8 callers' reads by key 72,000 times
 * a second that way, against 13,000 if each caller gets an idle thread; 4 readers answer 256 callers 280,000 times,
 * against 95,000.
 */
const JOIN_MS = 1;

/**
 * A call that has run for this many milliseconds is slow, whatever its text was expected to cost. Nobody joins its
 * thread any more, and reads that wait behind it move to other threads.
 */
const SLOW_MS = 10;

/** If the running calls of all members take longer than this many milliseconds, waiting reads get one more member. */
const LONG_MS = 50;

/** Milliseconds that a surplus reader stays open without a call. */
const LINGER_MS = 1000;

/** The members of one role, and the callers that wait for one, first come, first served. */
export class MemberGroup {
  readonly role: Role;
  readonly members: Member[] = [];
  #bounds: Bounds;
  readonly #options: ResolvedPoolOptions;
  readonly #start: (role: Role, signal: AbortSignal) => Promise<Member>;
  /** Aborted when no member may be opened any more. */
  readonly #ending = new AbortController();
  readonly #calls: Waiter[] = [];
  /** Callers that wait for a lease. It is the same line as #calls if leases share the members for calls. */
  readonly #leases: Waiter[];
  readonly #limit: WaitLimit;
  /** Timer that looks for calls behind a slow one. */
  #patrol: NodeJS.Timeout | undefined;
  /** Timer that closes surplus readers. */
  #trim: NodeJS.Timeout | undefined;
  /** Members that are being opened; #unready has those whose thread is running. */
  readonly #opening = new Set<Promise<Member>>();
  readonly #unready = new Set<Member>();
  /** Members that take nothing new and are closed when they are idle. */
  readonly #leaving = new Set<Member>();
  /** Members that are being closed, until their threads have ended. */
  readonly #closing = new Set<Member>();
  /** Why the latest attempt to open a member failed. */
  #failure: unknown = undefined;
  #closed = false;
  respawned = 0;

  constructor(
    role: Role,
    bounds: Bounds,
    options: ResolvedPoolOptions,
    start: (role: Role, signal: AbortSignal) => Promise<Member>,
  ) {
    this.role = role;
    this.#bounds = bounds;
    this.#leases = bounds.leases > 0 ? [] : this.#calls;
    this.#options = options;
    this.#start = start;
    this.#limit = new WaitLimit(options.acquireTimeout, this.#lines, () => {
      for (const request of this.#limit.takeExpired()) request.refuse(this.#timedOut());
      this.advance();
    });
  }

  get bounds(): Bounds {
    return this.#bounds;
  }

  /** Sets the maximum number of members for calls. Surplus members are closed when they are idle. */
  resize(calls: number): void {
    this.#bounds = { ...this.#bounds, calls, relief: 0 };
    this.#leaving.clear();
    const load = ({ holder, load: count }: Member): number => (holder === null ? count : Infinity);
    const useful = this.members.filter((member) => this.#isUseful(member));
    useful.sort((a, b) => load(a) - load(b));
    for (const member of useful.slice(0, Math.max(0, useful.length - calls))) this.#leaving.add(member);
    this.advance();
    // Calls that wait in a thread may move to a new member.
    this.#lookLater();
  }

  /** The group can have one member only. */
  get #single(): boolean {
    return this.#bounds.calls + this.#bounds.relief === 1;
  }

  get waiting(): number {
    return this.#lines.reduce((sum, line) => sum + line.length, 0);
  }

  /** Gives a member if no other request waits and one is free; null if the request has to wait. */
  pick(want: Want): Member | null {
    return this.#lineOf(want).length === 0 ? this.#find(want) : null;
  }

  /** Puts a request in line. Throws if the line is full. */
  enqueue(request: Waiter): void {
    if (this.#closed) throw poolClosed();
    this.#refuseDeadlock(request);
    const { maxWaiting } = this.#options;
    const line = this.#lineOf(request);
    // Requests for which a member may still be opened do not count as waiting.
    const others = this.#lines.reduce(
      (sum, other) => sum + (other === line ? 0 : Math.max(0, other.length - this.#spare(other))),
      0,
    );
    if (line.length - this.#spare(line) + others >= maxWaiting) {
      throw new QueueFullError(`${maxWaiting} callers are waiting already (maxWaiting); ${this.#describe()}`);
    }
    request.waits(performance.now());
    line.push(request);
    this.advance();
    if (line.length > 0) this.#lookLater();
  }

  /** Removes a request from the line, if it still waits. */
  leave(request: Waiter, reason: unknown): void {
    const line = this.#lineOf(request);
    const at = line.indexOf(request);
    // A fake clock may fire a timer that was cleared.
    if (at < 0) return;
    line.splice(at, 1);
    request.refuse(reason);
    this.advance();
  }

  /** Serves waiting requests while members are free, and opens another member if that would help. */
  advance(): void {
    for (const member of this.members.filter(({ channel }) => !channel.alive)) this.remove(member);
    for (const member of this.#leaving) if (member.idle) this.#dismiss(member);
    for (const line of this.#lines) {
      while (line.length > 0) {
        const request = line[0]!;
        const member = this.#find(request);
        if (member === null) break;
        line.shift();
        request.place(member);
      }
    }
    if (!this.#closed) this.#limit.look();
    if (this.waiting > 0) this.#grow();
    else if (this.#tooMany) this.#trimLater();
  }

  /** Counts a call until the thread has finished it. */
  track(member: Member, call: Call, cost: number): Call {
    member.track(call, cost, () => this.advance());
    if (member.load > 1) {
      this.#watch(member, this.#options.acquireTimeout);
      this.#lookLater();
    }
    return call;
  }

  /** Notes that a member still runs a call that its caller gave up. A reader is replaced meanwhile. */
  setAside(member: Member, call: Call): void {
    member.setAside(call, () => this.unstuck(member));
    this.advance();
  }

  /** A member has finished a call that was given up. It was replaced meanwhile, so it may be surplus. */
  unstuck(member: Member): void {
    this.#seat(member);
    if (this.#tooMany && member.idle && this.members.includes(member)) this.#dismiss(member);
  }

  /** Opens one more member, even if no request waits. */
  async open(): Promise<Member> {
    const opening = this.#open();
    this.#opening.add(opening);
    try {
      const member = await opening;
      this.#failure = undefined;
      return member;
    } catch (error) {
      this.#failure = error;
      throw error;
    } finally {
      this.#opening.delete(opening);
    }
  }

  /** Replaces a member whose thread died. */
  lost(member: Member): void {
    this.remove(member);
    this.respawned++;
    if (this.#closed || this.#opening.size >= this.#spare(this.#calls)) return;
    // If it cannot be opened now, the next request tries again.
    this.open().then(
      (other) => this.#seat(other),
      () => this.advance(),
    );
  }

  remove(member: Member): void {
    this.#leaving.delete(member);
    const at = this.members.indexOf(member);
    if (at >= 0) this.members.splice(at, 1);
  }

  /** Refuses waiting and further requests. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#patrol);
    clearTimeout(this.#trim);
    this.#limit.stop();
    this.#refuseAll(new ErrorReason(poolClosed));
  }

  /** Resolves when no member is being opened any more. */
  async opened(): Promise<void> {
    await Promise.allSettled(this.#opening);
  }

  /** Ends every thread with `close`. A reader that runs only a given-up call is terminated instead. */
  async end(close: (member: Member) => Promise<void>): Promise<void> {
    await Promise.all(
      [...this.members].map(async (member) => {
        if (this.role === "reader" && member.stuck > 0) void member.terminate();
        else await close(member);
        this.remove(member);
      }),
    );
  }

  /** Ends every thread, whatever it is doing; resolves when all have ended. */
  async terminate(): Promise<void> {
    this.close();
    this.#ending.abort(poolClosed());
    const members = [...this.members.splice(0), ...this.#unready, ...this.#closing];
    await Promise.all(members.map((member) => member.terminate()));
    await this.opened();
  }

  async #open(): Promise<Member> {
    const member = await this.#start(this.role, this.#ending.signal).catch((error: unknown) => {
      throw notOpened(error);
    });
    this.#unready.add(member);
    try {
      if (!this.#closed) await member.prepare();
      if (this.#closed) throw poolClosed();
      this.members.push(member);
      return member;
    } catch (error) {
      await member.terminate();
      throw notOpened(error);
    } finally {
      this.#unready.delete(member);
    }
  }

  #lineOf({ need }: Want): Waiter[] {
    return need === "lease" ? this.#leases : this.#calls;
  }

  get #lines(): readonly Waiter[][] {
    return this.#leases === this.#calls ? [this.#calls] : [this.#calls, this.#leases];
  }

  #find({ need: wanted, cost }: Want): Member | null {
    // Decided now: the number of members may have changed since the call was made.
    const need = wanted !== "lease" && this.#single ? "any" : wanted;
    if (need === "lease" && this.#bounds.leases > 0 && this.#leased >= this.#bounds.leases) return null;
    let idle: Member | null = null;
    let best: Member | null = null;
    let open = need === "lease" ? Infinity : this.#openToCalls;
    for (const member of this.members) {
      if (this.#leaving.has(member)) continue;
      if (member.holder === null && member.stuck === 0 && open-- <= 0) break;
      if (member.idle) {
        if (need !== "quick") return member;
        idle ??= member;
        continue;
      }
      const joins = need === "quick" ? member.open : need === "any" && member.free;
      if (!joins || member.load >= MAX_LOAD || this.#isSlow(member)) continue;
      if (need === "quick" && member.work + cost <= JOIN_MS) return member;
      if (best === null || member.load < best.load) best = member;
    }
    return idle ?? best;
  }

  /** It has run its call longer than quick calls take, and other members exist. */
  #isSlow(member: Member): boolean {
    return !this.#single && member.busyFor(SLOW_MS);
  }

  /**
   * Members that calls can use, now or later. A stuck reader is not counted, so it is replaced. A stuck writer is
   * counted, because it still holds the lock.
   */
  get #useful(): number {
    let useful = 0;
    for (const member of this.members) if (this.#isUseful(member)) useful++;
    return useful;
  }

  #isUseful(member: Member): boolean {
    return this.#counts(member) && !(this.#bounds.leases > 0 && member.holder !== null);
  }

  /** It takes up a place in the group. */
  #counts(member: Member): boolean {
    return (this.role === "writer" || member.stuck === 0) && !this.#leaving.has(member);
  }

  get #leased(): number {
    let leased = 0;
    for (const { stuck, holder } of this.members) if (holder !== null && stuck === 0) leased++;
    return leased;
  }

  /**
   * How many of the first members are open to calls. Calls may use members that leases have left behind, but not if
   * somebody waits for a lease.
   */
  get #openToCalls(): number {
    const leases = this.#leases === this.#calls ? 0 : this.#leases.length;
    if (leases === 0) return Infinity;
    const { calls } = this.#bounds;
    return Math.max(calls, this.#useful - Math.max(0, leases - this.#room));
  }

  /** How many members may be opened for the requests in a line. */
  #spare(line: readonly Waiter[]): number {
    if (line !== this.#calls) return Math.min(this.#bounds.leases - this.#leased, this.#room);
    const { calls, relief } = this.#bounds;
    const missing = calls - this.#useful;
    return Math.min(missing <= 0 && relief > 0 && this.#allLong ? missing + relief : missing, this.#room);
  }

  /** How many more members may be opened in total. */
  get #room(): number {
    const { calls, relief, leases } = this.#bounds;
    let present = 0;
    for (const member of this.members) if (this.#counts(member)) present++;
    return calls + relief + leases - present;
  }

  /** Every member runs one long statement or is held, so waiting would take long. */
  get #allLong(): boolean {
    return this.members.every((member) => member.holder !== null || member.busyFor(LONG_MS));
  }

  /** Checks later for calls that wait behind a slow one without need. */
  #lookLater(): void {
    if (this.role === "writer" || this.#single || this.#closed) return;
    this.#patrol ??= setTimeout(() => {
      this.#patrol = undefined;
      if (this.#closed) return;
      for (const member of this.members) if (this.#isSlow(member)) member.recall();
      this.advance();
      if (this.#calls.length > 0 || this.members.some(({ load }) => load > 1)) this.#lookLater();
    }, SLOW_MS).unref();
  }

  /** There are surplus readers, left behind by leases or by a rush. */
  get #tooMany(): boolean {
    return this.role === "reader" && this.#useful > this.#bounds.calls;
  }

  /** Closes surplus readers later, because the next lease may come soon. */
  #trimLater(): void {
    this.#trim ??= setTimeout(() => {
      this.#trim = undefined;
      if (this.#closed) return;
      const limit = performance.now() - LINGER_MS;
      for (const member of this.members.filter(({ idle, idleSince }) => idle && idleSince <= limit))
        if (this.#tooMany) this.#dismiss(member);
      if (this.#tooMany) this.#trimLater();
    }, LINGER_MS).unref();
  }

  /**
   * A member can take calls, because it was opened or has come back. While one was opened in place of another, that one
   * may have come back: then there is one too many, even if it gets a call at once.
   */
  #seat(member: Member): void {
    this.advance();
    if (this.#room >= 0) return;
    if (member.idle) this.#dismiss(member);
    else this.#leaving.add(member);
  }

  #dismiss(member: Member): void {
    this.remove(member);
    this.#closing.add(member);
    void member.close().finally(() => this.#closing.delete(member));
  }

  #grow(): void {
    const wanted = this.#lines.reduce(
      (sum, line) => sum + Math.max(0, Math.min(this.#spare(line), line.length)),
      0,
    );
    if (this.#closed || this.#opening.size >= Math.min(wanted, this.#room)) return;
    // After a failure, waiting requests are refused as soon as nothing is being opened.
    if (this.#failure !== undefined && this.members.length === 0 && this.#opening.size > 0) return;
    this.open().then(
      (member) => this.#seat(member),
      (error: unknown) => {
        // If members are left, they will serve the waiting requests.
        if (this.members.length === 0 && this.#opening.size === 0) this.#refuseAll(error);
      },
    );
  }

  #refuseAll(reason: unknown): void {
    for (const request of this.#lines.flatMap((line) => line.splice(0))) request.refuse(reason);
  }

  /** Rejects calls that have waited in a thread for longer than `acquireTimeout`. */
  #watch(member: Member, ms: number): void {
    if (ms <= 0 || member.watch !== undefined) return;
    member.watch = setTimeout(() => {
      member.watch = undefined;
      const { acquireTimeout } = this.#options;
      const oldest = member.channel.expire(performance.now() - acquireTimeout, () => this.#timedOut());
      if (oldest !== null)
        this.#watch(member, Math.max(1, Math.ceil(oldest + acquireTimeout - performance.now())));
    }, ms).unref();
  }

  #refuseDeadlock(request: Want): void {
    if (this.#spare(this.#lineOf(request)) > 0) return;
    // With separate leases, a lease waits for leased members only.
    const lease = this.#bounds.leases > 0 && request.need === "lease";
    if (lease && this.#leased < this.#bounds.leases) return;
    const held = this.members.filter((one) => (lease ? one.holder !== null : !this.#leaving.has(one)));
    if (!held.every(({ root }) => root.enclosesCaller)) return;
    throw new ProgrammingError(
      `every ${this.role} is held by the transaction() that this call comes from, and it would wait for itself: use the handle that the callback was given`,
      { code: "SQLITE_MISUSE" },
    );
  }

  #timedOut(): ErrorReason {
    const { acquireTimeout } = this.#options;
    const message = `no ${this.role} became free within ${acquireTimeout} ms; ${this.#describe()}`;
    const cause = this.#failure;
    return new ErrorReason(() => new PoolTimeoutError(message, { cause }));
  }

  #describe(): string {
    const parts = this.members.map((member, i) => `${this.role} ${i + 1} ${member.doing}`);
    if (this.#opening.size > 0) parts.push(`${this.#opening.size} being opened`);
    if (this.#failure !== undefined) parts.push("the last attempt to open one failed (see cause)");
    return parts.join("; ");
  }
}
