import type { Fault } from "./fault.js";

/** The data for starting a thread that keeps a replica. */
export interface ReplicaData {
  readonly replica: ReplicaSpec;
}

/** A replica's file, and its primary. */
export interface ReplicaSpec {
  /** Absolute path of the file. */
  readonly path: string;
  /** URL of the libsql module, which was found already. */
  readonly engine: string;
  readonly url: string;
  /** Empty if the server requires none. */
  readonly authToken: string;
}

/** Requests come one at a time. `claim` comes first and opens nothing yet; `close` comes last. */
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
