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

/** libsql's second class, whose methods return promises. */
interface Asynchronous {
  readonly prototype: { sync(this: Handle): Promise<SyncResult> };
}

/**
 * Writes into the file of a replica. It runs no SQL: libsql would send writes to the server outside their transaction,
 * and its `get()` returns wrong rows.
 */
export class Replica {
  readonly #spec: ReplicaSpec;
  readonly #Libsql: Libsql;
  readonly #sync: (this: Handle) => Promise<SyncResult>;
  /** Locked as long as this thread may write into the file, even while a `sync()` hangs. */
  #lock: Handle | null = null;
  #handle: Handle | null = null;

  constructor(spec: ReplicaSpec) {
    this.#spec = spec;
    const engine = fileURLToPath(spec.engine);
    this.#Libsql = requireHere(engine) as Libsql;
    // The class itself passes its options in the wrong places, so only its `sync()` is used: it does not block this
    // thread, and so the end of the process, while a server hangs.
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

  /** Takes SQLite's lock on a second file. The lock works between processes, and ends with its process. */
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
