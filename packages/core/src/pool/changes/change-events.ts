import { EventEmitter } from "node:events";
import { type ChangeReport, fromEngine, type IntegerMode, Op } from "@sqlite-aio/worker/wire";
import { Call } from "../../thread/call.js";
import { capabilities, needsNative } from "../../capabilities.js";
import type { WorkerThread } from "../../thread/worker-thread.js";
import { ForeignCommits } from "./foreign-commits.js";
import { toError } from "../../connection/handle.js";

/** What was committed, of one or several transactions. */
export interface Change {
  /** Tables of which rows were inserted, updated or deleted: `note`, or `extra.note` outside of the main database. */
  readonly tables: readonly string[];
  /** Those rows, by table; a table is missing where they are not known or more than 1000. */
  readonly rowids: Readonly<Record<string, readonly (number | bigint)[]>>;
  /** Something was created, altered or dropped. */
  readonly schema: boolean;
  /** Another process, or another connection of this one, has committed: which tables it changed is not known. */
  readonly external: boolean;
  /** Tables that are not listed may have changed, too; always with `external`. */
  readonly any: boolean;
}

/** Told after each COMMIT what it has changed. */
export type ChangeListener = (change: Change) => void;

/** Told of each report as it comes, and of the end. */
export interface ChangeSubscriber {
  changed(report: ChangeReport): void;
  closed(): void;
}

/** The pools that are listened to. */
const kept = new Map<ChangeEvents, object>();

/** Where reports come from. */
export interface ChangeSource {
  /** Fulfilled when nothing goes unreported that is begun from then on. Rejects where the engine cannot report. */
  readonly ready: Promise<unknown>;
  readonly closed: boolean;
  /** Tells `subscriber` until the function that it gives is called. Throws NotSupportedError. */
  subscribe(subscriber: ChangeSubscriber): () => void;
}

const ANYTHING: ChangeReport = { tables: [], schema: false, anything: true };

/** Gathers what the writers of a pool report, while somebody listens. */
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
  /** All writers there are have answered that they report. */
  #ready: Promise<unknown> = Promise.resolve();
  /** What is told at the end of this turn, and whether some of it came from outside. */
  #gathered: ChangeReport[] = [];
  #external = false;

  /** `interval`: milliseconds between looks for commits of others, 0 for none. */
  constructor(interval: number, integers: IntegerMode) {
    this.#interval = interval;
    this.#integers = integers;
  }

  /** As long as somebody listens, `owner` is in use. */
  on(event: "change", listener: ChangeListener, owner: object): void {
    this.#check(event);
    kept.set(this, owner);
    this.#emitter.on(event, listener);
    this.#adjust();
  }

  once(event: "change", listener: ChangeListener, owner: object): void {
    this.#check(event);
    kept.set(this, owner);
    this.#emitter.once(event, listener);
    this.#adjust();
  }

  off(event: "change", listener: ChangeListener): void {
    this.#emitter.off(event, listener);
    this.#adjust();
  }

  /** Tells `subscriber` until the function that it gives is called. Throws NotSupportedError. */
  subscribe(subscriber: ChangeSubscriber): () => void {
    this.#check("change");
    this.#subscribers.add(subscriber);
    this.#adjust();
    return () => {
      if (this.#subscribers.delete(subscriber)) this.#adjust();
    };
  }

  /** Fulfilled when nothing goes unreported that is begun from then on. Rejects where the engine cannot report. */
  get ready(): Promise<unknown> {
    return this.#ready;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** A writer was opened. */
  adopt(channel: WorkerThread): void {
    this.#outlook.add(channel);
    channel.onChange = (report) => {
      this.#outlook.committed(channel);
      this.#gather(report);
    };
    void channel.exited.then(() => {
      this.#outlook.delete(channel);
      // Of what it has committed last, nobody was told.
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

  #check(event: string): void {
    if (event !== "change") throw new TypeError(`a pool has no event "${event}", only "change"`);
    if (!capabilities.changes) throw needsNative('the event "change"');
  }

  /** Reports are asked for while somebody listens, and cost nothing else. */
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
      // One that has died is replaced.
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
    const change = { ...merge(this.#gathered, this.#integers), external: this.#external };
    this.#gathered = [];
    this.#external = false;
    for (const listener of this.#emitter.rawListeners("change")) {
      try {
        listener(change);
      } catch (error) {
        // As an EventTarget does: the others hear of it all the same.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    // It may have been for once.
    this.#adjust();
  }
}

/** Besides the queue of the connection: a lease may be longer than anybody wants to wait. */
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
