import type { Connection } from "../connection/connection.js";
import { ProgrammingError } from "../errors/errors.js";
import type { CallSite } from "../errors/call-site.js";
import type { MemberGroup } from "./member-group.js";
import type { Maintenance } from "./maintenance.js";
import type { Member } from "./member.js";
import type { ResolvedPoolOptions } from "./options.js";
import { Reentrancy } from "../connection/reentrancy.js";
import type { Lane } from "../connection/lane.js";
import type { Handle } from "../connection/handle.js";

/** Exclusive use of a member by one caller. */
export class Lease {
  readonly member: Member;
  readonly #group: MemberGroup;
  readonly #lane: Lane;
  readonly #over: () => void;
  #handle: Handle | null = null;
  #ended: Promise<boolean> | null = null;
  readonly #isStuck = Promise.withResolvers<void>();

  constructor(member: Member, group: MemberGroup, over: () => void) {
    this.member = member;
    this.#group = group;
    this.#lane = member.take();
    this.#over = over;
  }

  handle(settings: "pool" | "lease"): Handle {
    this.#handle ??= this.member.leased(this.#lane, settings);
    return this.#handle;
  }

  /** Settles like `work`, or rejects if the pool is closed by force before. */
  unlessRevoked<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.member.onRevoke = reject;
      work.then(resolve, reject);
    });
  }

  /** Cleans the member and frees it for the next caller. True if a transaction was still open. Never rejects. */
  end(): Promise<boolean> {
    if (this.#ended === null) {
      const { member } = this;
      let stuck = false;
      const onStuck = (): void => {
        stuck = true;
        this.#group.advance();
        this.#isStuck.resolve();
      };
      this.#ended = member.scrub(this.#lane, this.handle("pool"), onStuck).finally(() => {
        this.#over();
        if (stuck) this.#group.unstuck(member);
        else this.#group.advance();
      });
    }
    return this.#ended;
  }

  /** Ends the lease. Does not wait if the member still runs something that its holder has given up. */
  async leave(): Promise<void> {
    await Promise.race([this.end(), this.#isStuck.promise]);
  }
}

/** Knows who holds which connection of a pool. */
export class Leases {
  readonly #reentrancy = new Reentrancy();
  readonly #options: ResolvedPoolOptions;
  readonly #writers: MemberGroup;
  readonly #maintenance: Maintenance;
  readonly #lent = new WeakMap<Connection, Lease>();

  constructor(options: ResolvedPoolOptions, writers: MemberGroup, maintenance: Maintenance) {
    this.#options = options;
    this.#writers = writers;
    this.#maintenance = maintenance;
  }

  /** Takes a member for one caller. `over` runs when the pool gets it back. */
  grant(member: Member, group: MemberGroup, what: string, place: CallSite, over: () => void): Lease {
    member.holder = {
      what,
      since: performance.now(),
      get place() {
        return placeOf(place.stack);
      },
    };
    const { leakWarning } = this.#options;
    const warn = (): void => {
      process.emitWarning(
        `${what} has held a connection for more than ${leakWarning} ms; it was called at ${placeOf(place.stack) ?? "an unknown place"}`,
        { type: "ResourceWarning", code: "SQLITE_AIO_LEAK" },
      );
    };
    const timer = leakWarning > 0 ? setTimeout(warn, leakWarning).unref() : undefined;
    return new Lease(member, group, () => {
      clearTimeout(timer);
      if (group === this.#writers) this.#maintenance.wrote();
      over();
    });
  }

  /** Gives the lease to the user, as a connection. */
  lend(lease: Lease): Connection {
    const connection = lease.member.face(lease.handle("lease"), async () => void (await lease.end()));
    this.#lent.set(connection, lease);
    return connection;
  }

  async giveBack(connection: Connection): Promise<void> {
    const lease = this.#lent.get(connection);
    if (lease === undefined) throw new ProgrammingError("release: the connection is not one of this pool's");
    await lease.end();
  }

  /** Runs a callback so that the pool recognises calls from inside it. */
  inside<T>(work: () => T | Promise<T>): Promise<T> {
    return this.#reentrancy.inside(work);
  }

  /** Throws if it is called from inside such a callback. */
  refuseInside(): void {
    this.#reentrancy.refuseInside();
  }
}

/** The first line of a stack, `at f (file:line:column)`, without its `at`. */
function placeOf(stack: string | undefined): string | undefined {
  return stack
    ?.split("\n")
    .find((line) => line.startsWith("    at "))
    ?.slice("    at ".length);
}
