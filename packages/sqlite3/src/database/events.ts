import type { EventEmitter } from "node:events";
import { SQLITE_DELETE, SQLITE_INSERT, SQLITE_UPDATE } from "@sqlite-aio/core";
import { type Handle, OWN } from "../connection/handle.js";

/** Events that cost something while somebody listens. */
const WATCHABLE = ["trace", "profile", "change"] as const;

/** What happened to a row. */
const ACTIONS: Readonly<Record<number, string>> = {
  [SQLITE_INSERT]: "insert",
  [SQLITE_UPDATE]: "update",
  [SQLITE_DELETE]: "delete",
};

export type Watchable = (typeof WATCHABLE)[number];

export function isWatchable(type: string): type is Watchable {
  return (WATCHABLE as readonly string[]).includes(type);
}

/** The events `trace`, `profile` and `change` of a Database. */
export class Watching {
  readonly #owner: EventEmitter;

  constructor(owner: EventEmitter) {
    this.#owner = owner;
  }

  /** Turns an event on or off. */
  async watch(handle: Handle, type: Watchable, on: boolean): Promise<void> {
    if (type === "trace") {
      const tell = (sql: string): void => {
        if (!sql.startsWith(OWN)) this.#emit("trace", sql);
      };
      await handle.connection.setTraceCallback(on ? tell : null);
    } else if (type === "profile") {
      handle.profile(on ? (sql, ms) => this.#emit("profile", sql, ms) : null);
    } else {
      await handle.connection.setUpdateHook(
        on
          ? (action, database, table, rowid) =>
              this.#emit("change", ACTIONS[action] ?? "", database, table, Number(rowid))
          : null,
      );
    }
  }

  /** An error that a listener throws is an uncaught exception. */
  #emit(type: Watchable, ...args: readonly unknown[]): void {
    queueMicrotask(() => void this.#owner.emit(type, ...args));
  }
}
