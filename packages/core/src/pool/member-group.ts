import { ErrorReason } from "../errors/rejection.js";
import type { Call } from "../thread/call.js";
import { PoolTimeoutError, ProgrammingError, QueueFullError, WorkerCrashedError } from "../errors/errors.js";
import { type Member, poolClosed, type Role } from "./member.js";
import type { ResolvedPoolOptions } from "./options.js";

/** Which members will do. */
export interface Want {
  /**
   * `idle`: a member with nothing under way; `quick`: also one whose calls are all known to be quick; `any`: also one
   * whose calls are not, where there is no other to wait for.
   */
  readonly need: "idle" | "quick" | "any";
  /** Milliseconds that it will take, as far as is known. */
  readonly cost: number;
}

/** What takes no time worth counting. */
export const ANY: Want = { need: "any", cost: 0 };

/** What waits for a member. */
export interface Request extends Want {
  readonly place: (member: Member) => void;
  readonly refuse: (reason: unknown) => void;
  timer?: NodeJS.Timeout | undefined;
}

/** Calls under way to a member before a further one waits: one frame's worth, and the next one's. */
const MAX_LOAD = 2048;

/**
 * Milliseconds of quick calls that a thread may have under way before another thread is woken for the next one, which
 * takes 0.1 ms and a core. A pool of 8 equal connections on 2 cores answers 8 callers' reads by key 72,000 times a
 * second that way, against 13,000 if each caller gets a thread that is idle; 4 readers answer 256 callers 280,000
 * times, against 95,000.
 */
const JOIN_MS = 1;

/** Members of one role, and those who wait for one, served in the order in which they came. */
export class MemberGroup {
  readonly role: Role;
  readonly members: Member[] = [];
  readonly #most: number;
  readonly #options: ResolvedPoolOptions;
  readonly #start: (role: Role, signal: AbortSignal) => Promise<Member>;
  /** Aborted when nothing is to be opened any more. */
  readonly #ending = new AbortController();
  readonly #waiting: Request[] = [];
  /** Members that are being opened, and those of them that have a thread. */
  readonly #opening = new Set<Promise<Member>>();
  readonly #unready = new Set<Member>();
  /** Why the last one could not be opened. */
  #failure: unknown = undefined;
  #closed = false;
  respawned = 0;

  constructor(
    role: Role,
    most: number,
    options: ResolvedPoolOptions,
    start: (role: Role, signal: AbortSignal) => Promise<Member>,
  ) {
    this.role = role;
    this.#most = most;
    this.#options = options;
    this.#start = start;
  }

  /** There is no other member to wait for. */
  get single(): boolean {
    return this.#most === 1;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** A member at once, if nobody else waits and one is free; else the request waits. */
  pick(want: Want): Member | null {
    return this.#waiting.length === 0 ? this.#find(want) : null;
  }

  /** Waits in line. Throws if the line is full; gives a way to leave it. */
  enqueue(request: Request): (reason: unknown) => void {
    if (this.#closed) throw poolClosed();
    this.#refuseDeadlock();
    const { maxWaiting, acquireTimeout } = this.#options;
    // Those for whom a member is being opened wait for nobody.
    if (this.#waiting.length - this.#spare >= maxWaiting) {
      throw new QueueFullError(`${maxWaiting} callers are waiting already (maxWaiting); ${this.#describe()}`);
    }
    this.#waiting.push(request);
    const leave = (reason: unknown): void => {
      const at = this.#waiting.indexOf(request);
      // A timer may go off that was stopped: by somebody's fake clock it was not.
      if (at < 0) return;
      this.#waiting.splice(at, 1);
      clearTimeout(request.timer);
      request.refuse(reason);
      this.advance();
    };
    if (acquireTimeout > 0) request.timer = setTimeout(() => leave(this.#timedOut()), acquireTimeout);
    this.advance();
    return leave;
  }

  /** Serves those who wait, as far as members are free; asks for a further member where that would help. */
  advance(): void {
    for (const member of this.members.filter(({ channel }) => !channel.alive)) this.remove(member);
    while (this.#waiting.length > 0) {
      const request = this.#waiting[0]!;
      const member = this.#find(request);
      if (member === null) {
        this.#grow();
        return;
      }
      this.#waiting.shift();
      clearTimeout(request.timer);
      request.place(member);
    }
    this.#shrink();
  }

  /** Counts a call until the thread is done with it. */
  track(member: Member, call: Call, cost: number): Call {
    member.track(call, cost, () => this.advance());
    if (member.load > 1) this.#watch(member, this.#options.acquireTimeout);
    return call;
  }

  /** Notes that a member still runs a call that its caller gave up. Others take its place meanwhile, if it only reads. */
  setAside(member: Member, call: Call): void {
    member.setAside(call, () => this.advance());
    this.advance();
  }

  /** Opens one more member, even if nobody waits. */
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

  /** A member's thread died: another takes its place. */
  lost(member: Member): void {
    this.remove(member);
    this.respawned++;
    if (this.#closed || this.#opening.size >= this.#spare) return;
    // Whoever needs it next asks again if it cannot be opened now.
    this.open().then(
      () => this.advance(),
      () => this.advance(),
    );
  }

  remove(member: Member): void {
    const at = this.members.indexOf(member);
    if (at >= 0) this.members.splice(at, 1);
  }

  /** Refuses all who wait, and all who come. */
  close(): void {
    this.#closed = true;
    this.#refuseAll(new ErrorReason(poolClosed));
  }

  /** Resolves when nothing is being opened any more. */
  async opened(): Promise<void> {
    await Promise.allSettled(this.#opening);
  }

  /** Ends every thread by `close`, but for a reader that does what nobody waits for. */
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
    await Promise.all([...this.members.splice(0), ...this.#unready].map((member) => member.terminate()));
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

  #find({ need, cost }: Want): Member | null {
    let idle: Member | null = null;
    let best: Member | null = null;
    for (const member of this.members) {
      if (member.idle) {
        if (need !== "quick") return member;
        idle ??= member;
        continue;
      }
      const open = need === "quick" ? member.open : need === "any" && member.free;
      if (!open || member.load >= MAX_LOAD) continue;
      if (need === "quick" && member.work + cost <= JOIN_MS) return member;
      if (best === null || member.load < best.load) best = member;
    }
    return idle ?? best;
  }

  /** How many members are missing. A stuck reader is to be replaced; a stuck writer is not, since its lock stands. */
  get #spare(): number {
    let useful = 0;
    for (const member of this.members) if (this.role === "writer" || member.stuck === 0) useful++;
    return this.#most - useful;
  }

  #grow(): void {
    const wanted = Math.min(this.#spare, this.#waiting.length);
    if (this.#closed || this.#opening.size >= wanted) return;
    this.open().then(
      () => this.advance(),
      (error: unknown) => {
        // With members left those who wait are served in time.
        if (this.members.length === 0 && this.#opening.size === 0) this.#refuseAll(error);
      },
    );
  }

  /** A reader that was stuck, and has been replaced, is one too many when it is free again. */
  #shrink(): void {
    if (this.members.length <= this.#most) return;
    const spare = this.members.find((member) => member.idle);
    if (spare === undefined) return;
    this.remove(spare);
    void spare.close();
  }

  #refuseAll(reason: unknown): void {
    for (const request of this.#waiting.splice(0)) {
      clearTimeout(request.timer);
      request.refuse(reason);
    }
  }

  /** Gives up calls that have waited in the thread for longer than they would have been let wait here. */
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

  #refuseDeadlock(): void {
    if (this.members.length < this.#most || !this.members.every(({ root }) => root.enclosesCaller)) return;
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
    const now = performance.now();
    const parts = this.members.map((member, i) => {
      const who = `${this.role} ${i + 1}`;
      const { holder } = member;
      if (member.stuck > 0) {
        const lock = this.role === "writer" ? "; its lock stands until that ends" : "";
        return `${who} runs a statement that its caller gave up${lock}`;
      }
      if (holder === null) return `${who} runs ${member.load} calls`;
      const { place } = holder;
      return `${who} is held by ${holder.what}${place === undefined ? "" : ` at ${place}`} for ${Math.round(now - holder.since)} ms`;
    });
    if (this.#opening.size > 0) parts.push(`${this.#opening.size} being opened`);
    if (this.#failure !== undefined) parts.push("the last attempt to open one failed (see cause)");
    return parts.join("; ");
  }
}

/** Nothing of those who waited for it has begun. */
function notOpened(error: unknown): unknown {
  if (!(error instanceof WorkerCrashedError)) return error;
  return new WorkerCrashedError("a connection's thread died while it was opened", "not-started", {
    cause: error.cause,
  });
}
