import { EventEmitter } from "node:events";
import { type ChangeReport, fromEngine, type IntegerMode, Op } from "@sqlite-aio/worker/wire";
import { Call } from "../../thread/call.js";
import { capabilities, needsNative } from "../../capabilities.js";
import type { WorkerThread } from "../../thread/worker-thread.js";
import { ForeignCommits } from "./foreign-commits.js";
import { toError } from "../../connection/handle.js";

/** What one or several transactions have committed. */
export interface Change {
  /** Tables whose rows were inserted, updated or deleted: `note`, or `extra.note` outside the main database. */
  readonly tables: readonly string[];
  /** The rowids by table. A table is missing if its rows are unknown or more than 1000. */
  readonly rowids: Readonly<Record<string, readonly (number | bigint)[]>>;
  /** A schema object was created, altered or dropped. */
  readonly schema: boolean;
  /** Another process, or another connection of this process, has committed. Which tables it changed is unknown. */
  readonly external: boolean;
  /** Other tables may have changed, too; always true with `external`. */
  readonly any: boolean;
}

/** Called after each COMMIT with its changes. */
export type ChangeListener = (change: Change) => void;

/** Receives each report, and the end. */
export interface ChangeSubscriber {
  changed(report: ChangeReport): void;
  closed(): void;
}

/** Keeps pools reachable while somebody listens to them. */
const kept = new Map<ChangeEvents, object>();

/** The source of change reports. */
export interface ChangeSource {
  /** Fulfilled when all transactions that begin from then on are reported. Rejects if SQLite cannot report. */
  readonly ready: Promise<unknown>;
  readonly closed: boolean;
  /** Sends reports to `subscriber` until the returned function is called. Throws NotSupportedError. */
  subscribe(subscriber: ChangeSubscriber): () => void;
}

const ANYTHING: ChangeReport = { tables: [], schema: false, anything: true };

/** Collects the reports of a pool's writers while somebody listens. */
export class ChangeEvents implements ChangeSource {
  readonly #interval: number;
  readonly #integers: IntegerMode;
  readonly #emitter = new EventEmitter();
  readonly #subscribers = new Set<ChangeSubscriber>();
  readonly #outlook = new ForeignCommits<WorkerThread>();
  #on = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  /** Fulfilled when all writers have confirmed that they report. */
  #ready: Promise<unknown> = Promise.resolve();
  /** The reports for the event at the end of this tick, and whether one came from outside. */
  #gathered: ChangeReport[] = [];
  #external = false;

  /** `interval`: milliseconds between checks for foreign commits, 0 for none. */
  constructor(interval: number, integers: IntegerMode) {
    this.#interval = interval;
    this.#integers = integers;
  }

  /** Keeps `owner` reachable as long as somebody listens. */
  on(event: "change", listener: ChangeListener, owner: object): void {
    this.#check(event, listener);
    kept.set(this, owner);
    this.#emitter.on(event, listener);
    this.#adjust();
  }

  once(event: "change", listener: ChangeListener, owner: object): void {
    this.#check(event, listener);
    kept.set(this, owner);
    this.#emitter.once(event, listener);
    this.#adjust();
  }

  off(event: "change", listener: ChangeListener): void {
    this.#emitter.off(event, listener);
    this.#adjust();
  }

  /** Sends reports to `subscriber` until the returned function is called. Throws NotSupportedError. */
  subscribe(subscriber: ChangeSubscriber): () => void {
    requireChanges();
    this.#subscribers.add(subscriber);
    this.#adjust();
    return () => {
      if (this.#subscribers.delete(subscriber)) this.#adjust();
    };
  }

  /** Fulfilled when all transactions that begin from then on are reported. Rejects if SQLite cannot report. */
  get ready(): Promise<unknown> {
    return this.#ready;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Adds a new writer. */
  adopt(channel: WorkerThread): void {
    this.#outlook.add(channel);
    channel.onChange = (report) => {
      this.#outlook.committed(channel);
      this.#gather(report);
    };
    void channel.exited.then(() => {
      this.#outlook.delete(channel);
      // Its last commits may be unreported.
      if (this.#on && !this.#closed) this.#gather(ANYTHING);
    });
    if (!this.#on) return;
    const switched = this.#switch(channel, true);
    switched.catch(warn);
    this.#ready = Promise.all([this.#ready, switched]);
    this.#ready.catch(() => {});
  }

  /** The pool takes no further calls. */
  close(): void {
    this.#closed = true;
    kept.delete(this);
    clearInterval(this.#timer);
    for (const subscriber of this.#subscribers) subscriber.closed();
  }

  #check(event: string, listener: unknown): void {
    if (event !== "change") throw new TypeError(`a pool has no event "${event}", only "change"`);
    if (typeof listener !== "function") throw new TypeError('the listener of "change" must be a function');
    requireChanges();
  }

  /** Turns reports on only while somebody listens, so that they cost nothing otherwise. */
  #adjust(): void {
    const wanted = this.#subscribers.size > 0 || this.#emitter.listenerCount("change") > 0;
    if (!wanted) kept.delete(this);
    if (wanted === this.#on || this.#closed) return;
    this.#on = wanted;
    const switched = this.#outlook.members.map((channel) => this.#switch(channel, wanted));
    this.#ready = Promise.all(switched);
    this.#ready.catch(warn);
    clearInterval(this.#timer);
    if (wanted && this.#interval > 0)
      this.#timer = setInterval(() => void this.#look(), this.#interval).unref();
  }

  async #switch(channel: WorkerThread, on: boolean): Promise<void> {
    try {
      await ask(channel, "trackChanges", on);
    } catch (error) {
      // A dead writer is replaced.
      if (channel.alive) throw error;
    }
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const looks = this.#outlook.members.map(async (channel) => {
        const seen = await ask(channel, "lookOutside").catch(() => null);
        return [channel, seen as boolean | null] as const;
      });
      if (this.#outlook.looked(await Promise.all(looks)) && this.#on) this.#gather(ANYTHING, true);
    } finally {
      this.#looking = false;
    }
  }

  #gather(report: ChangeReport, external = false): void {
    for (const subscriber of this.#subscribers) subscriber.changed(report);
    if (this.#emitter.listenerCount("change") === 0) return;
    if (this.#gathered.length === 0) queueMicrotask(() => this.#tell());
    this.#gathered.push(report);
    this.#external ||= external;
  }

  #tell(): void {
    const reports = this.#gathered;
    const external = this.#external;
    this.#gathered = [];
    this.#external = false;
    for (const listener of this.#emitter.rawListeners("change")) {
      try {
        // An object of its own: no listener can change what those after it are told.
        listener({ ...merge(reports, this.#integers), external });
      } catch (error) {
        // Like EventTarget: a listener that throws does not stop the others.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    // A once() listener is gone now.
    this.#adjust();
  }
}

/** Bypasses the connection's queue: a lease may last too long. */
async function ask(channel: WorkerThread, method: string, ...args: unknown[]): Promise<unknown> {
  const call = new Call(Op.CALL, null, [method, args, 0], { essential: true });
  channel.send(call);
  try {
    return (await call.promise).value;
  } catch (reason) {
    throw toError(reason, call);
  }
}

function merge(reports: readonly ChangeReport[], integers: IntegerMode): Omit<Change, "external"> {
  const rows = new Map<string, Set<bigint> | null>();
  for (const { database, table, rowids } of reports.flatMap(({ tables }) => tables)) {
    const name = database === "main" ? table : `${database}.${table}`;
    const known = rows.get(name);
    if (rowids === null || known === null) rows.set(name, null);
    else rows.set(name, new Set([...(known ?? []), ...rowids]));
  }
  const rowids: Record<string, (number | bigint)[]> = Object.create(null);
  for (const [name, known] of rows) {
    if (known !== null) rowids[name] = Array.from(known, (rowid) => fromEngine(rowid, integers) as number);
  }
  return {
    tables: [...rows.keys()],
    rowids,
    schema: reports.some(({ schema }) => schema),
    any: reports.some(({ anything }) => anything),
  };
}

function warn(error: Error): void {
  process.emitWarning(`there will be no change events: ${error.message}`);
}

function requireChanges(): void {
  if (!capabilities.changes) throw needsNative('the event "change"');
}
