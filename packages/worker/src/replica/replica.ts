import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { requireHere } from "../engine/here.js";
import { codeOf, toFault, UsageError } from "../wire/fault.js";
import type { ReplicaAnswer, ReplicaRequest, ReplicaSpec } from "../wire/replica-api.js";
import { pairFiles } from "./replica-files.js";

interface Handle {
  exec(sql: string): unknown;
  close(): unknown;
}

interface SyncResult {
  readonly frames_synced: number;
  readonly frame_no: number | null;
}

type Libsql = new (
  path: string,
  options?: { syncUrl: string; authToken: string; readYourWrites: boolean },
) => Handle;

/** The other class of libsql, whose methods give promises. */
interface Asynchronous {
  readonly prototype: { sync(this: Handle): Promise<SyncResult> };
}

/**
 * The one that writes into the file of a replica. No SQL runs here: libsql would send writes to the server outside of
 * their transaction, and gives wrong rows from `get()`.
 */
export class Replica {
  readonly #spec: ReplicaSpec;
  readonly #Libsql: Libsql;
  readonly #sync: (this: Handle) => Promise<SyncResult>;
  /** Locked for as long as this thread may write into the file, a `sync()` that hangs included. */
  #lock: Handle | null = null;
  #handle: Handle | null = null;

  constructor(spec: ReplicaSpec) {
    this.#spec = spec;
    const engine = fileURLToPath(spec.engine);
    this.#Libsql = requireHere(engine) as Libsql;
    // Its class passes its options in the wrong places; its `sync()` is what keeps this thread from being blocked for as
    // long as a server hangs, and with it the end of the process.
    const { prototype } = requireHere(join(dirname(engine), "promise.js")) as Asynchronous;
    this.#sync = prototype.sync;
  }

  async answer(request: ReplicaRequest): Promise<ReplicaAnswer> {
    try {
      if (request === "sync") return await this.#pull();
      if (request === "claim") this.#claim();
      else this.#close();
      return { ok: true, frames: 0, newest: null };
    } catch (error) {
      return { ok: false, fault: toFault(error) };
    }
  }

  /** SQLite's own lock on a file beside: it holds between processes, and ends with the process that has it. */
  #claim(): void {
    const lock = new this.#Libsql(`${this.#spec.path}-replica-lock`);
    try {
      lock.exec("BEGIN EXCLUSIVE");
    } catch (error) {
      lock.close();
      if (!codeOf(error).startsWith("SQLITE_BUSY")) throw error;
      const message = `another pool, perhaps of another process, keeps the replica ${this.#spec.path}`;
      throw new UsageError("SQLITE_BUSY", message);
    }
    this.#lock = lock;
    pairFiles(this.#spec.path);
  }

  async #pull(): Promise<ReplicaAnswer> {
    const { path, url, authToken } = this.#spec;
    this.#handle ??= new this.#Libsql(path, { syncUrl: url, authToken, readYourWrites: false });
    const { frames_synced: frames, frame_no: newest } = await this.#sync.call(this.#handle);
    return { ok: true, frames, newest: newest ?? null };
  }

  #close(): void {
    this.#handle?.close();
    this.#lock?.close();
    this.#handle = this.#lock = null;
  }
}
