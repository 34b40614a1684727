import type { Fault } from "./fault.js";

/** What a thread is started with that keeps a replica. */
export interface ReplicaData {
  readonly replica: ReplicaSpec;
}

/** A file, and the server that it is a copy of. */
export interface ReplicaSpec {
  /** Absolute path of the file. */
  readonly path: string;
  /** URL of the module libsql, which has been found already. */
  readonly engine: string;
  readonly url: string;
  /** Empty where the server asks for none. */
  readonly authToken: string;
}

/** One at a time: `claim` comes first and opens nothing yet, `close` last. */
export type ReplicaRequest = "claim" | "sync" | "close";

export type ReplicaAnswer =
  | {
      readonly ok: true;
      /** Frames of the log that have arrived. */
      readonly frames: number;
      /** Number of the newest frame in the file; null if there is none. */
      readonly newest: number | null;
    }
  | { readonly ok: false; readonly fault: Fault };
