import { ConnectionClosedError, PoolTimeoutError, QueueFullError } from "./errors.js";
import type { Member, Role } from "./pool-member.js";
import type { ResolvedPoolOptions } from "./pool-options.js";

/** What waits for a member. */
export interface Request {
  /**
   * `idle`: a member with nothing under way; `quick`: also one whose calls are all known to be quick; `any`: also one
   * whose calls are not, where there is no other to wait for.
   */
  readonly need: "idle" | "quick" | "any";
  readonly place: (member: Member) => void;
  readonly refuse: (reason: unknown) => void;
  timer?: NodeJS.Timeout | undefined;
}

/** Calls under way to a member before a further one waits: one frame's worth, and the next one's. */
const MAX_LOAD = 2048;

/** Members of one role, and those who wait for one, served in the order in which they came. */
export class Group {
  readonly role: Role;
  readonly members: Member[] = [];
  readonly #most: number;
  readonly #options: ResolvedPoolOptions;
  readonly #spawn: (role: Role) => Promise<Member>;
  readonly #waiting: Request[] = [];
  #spawning = 0;
  #failures = 0;
  #closed = false;
  respawned = 0;

  constructor(
    role: Role,
    most: number,
    options: ResolvedPoolOptions,
    spawn: (role: Role) => Promise<Member>,
  ) {
    this.role = role;
    this.#most = most;
    this.#options = options;
    this.#spawn = spawn;
  }

  /** There is no other member to wait for. */
  get single(): boolean {
    return this.#most === 1;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** A member at once, if nobody else waits and one is free; else the request waits. */
  pick(need: Request["need"]): Member | null {
    return this.#waiting.length === 0 ? this.#find(need) : null;
  }

  /** Waits in line. Throws if the line is full; gives a way to leave it. */
  enqueue(request: Request): (reason: unknown) => boolean {
    if (this.#closed) throw new ConnectionClosedError("Pool closed");
    const { maxWaiting, acquireTimeout } = this.#options;
    if (this.#waiting.length >= maxWaiting) {
      throw new QueueFullError(`${maxWaiting} callers are waiting already (maxWaiting); ${this.#describe()}`);
    }
    this.#waiting.push(request);
    const leave = (reason: unknown): boolean => {
      const at = this.#waiting.indexOf(request);
      if (at < 0) return false;
      this.#waiting.splice(at, 1);
      clearTimeout(request.timer);
      request.refuse(reason);
      this.advance();
      return true;
    };
    if (acquireTimeout > 0) {
      request.timer = setTimeout(() => {
        leave(
          new PoolTimeoutError(
            `no ${this.role} became free within ${acquireTimeout} ms; ${this.#describe()}`,
          ),
        );
      }, acquireTimeout);
    }
    this.advance();
    return leave;
  }

  /** Serves those who wait, as far as members are free; asks for a further member where that would help. */
  advance(): void {
    for (const member of this.members.filter(({ channel }) => !channel.alive)) this.remove(member);
    while (this.#waiting.length > 0) {
      const request = this.#waiting[0]!;
      const member = this.#find(request.need);
      if (member === null) {
        this.#grow();
        return;
      }
      this.#waiting.shift();
      clearTimeout(request.timer);
      request.place(member);
    }
  }

  /** Opens one more member, even if nobody waits. */
  async open(): Promise<Member> {
    this.#spawning++;
    try {
      const member = await this.#spawn(this.role);
      this.#failures = 0;
      this.members.push(member);
      return member;
    } finally {
      this.#spawning--;
    }
  }

  remove(member: Member): void {
    const at = this.members.indexOf(member);
    if (at >= 0) this.members.splice(at, 1);
  }

  /** Refuses all who wait, and all who come. */
  close(reason: Error): void {
    this.#closed = true;
    for (const request of this.#waiting.splice(0)) {
      clearTimeout(request.timer);
      request.refuse(reason);
    }
  }

  #find(need: Request["need"]): Member | null {
    let best: Member | null = null;
    for (const member of this.members) {
      if (member.idle) return member;
      const open = need === "quick" ? member.open : need === "any" && member.free;
      if (open && member.load < MAX_LOAD && (best === null || member.load < best.load)) {
        best = member;
      }
    }
    return best;
  }

  #grow(): void {
    // A member that runs what nobody waits for any more is no use meanwhile.
    const useful = this.members.reduce((count, member) => count + (this.#setAside(member) ? 0 : 1), 0);
    if (this.#closed || useful + this.#spawning >= this.#most || this.#spawning >= this.#waiting.length)
      return;
    this.open().then(
      () => this.advance(),
      (error: unknown) => {
        // Whoever is first in line learns why; with members left the others are served in time.
        this.#failures++;
        const request = this.#waiting.shift();
        clearTimeout(request?.timer);
        request?.refuse(error);
        if (this.#failures < 3 || this.members.length === 0) this.advance();
      },
    );
  }

  /** A stuck reader is replaced; a stuck writer is not, since its lock stands. */
  #setAside(member: Member): boolean {
    return this.role === "reader" && member.stuck > 0;
  }

  #describe(): string {
    if (this.members.length === 0) return "none is open";
    const now = performance.now();
    const parts = this.members.map((member, i) => {
      const who = `${this.role} ${i + 1}`;
      const { holder } = member;
      if (holder === null) {
        return member.stuck > 0
          ? `${who} runs a statement that its caller gave up; its lock stands until it ends`
          : `${who} runs ${member.load} calls`;
      }
      const place = holder.place === undefined ? "" : ` at ${holder.place}`;
      return `${who} is held by ${holder.what}${place} for ${Math.round(now - holder.since)} ms`;
    });
    return parts.join("; ");
  }
}
