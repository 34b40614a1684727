import {
  fromEngine,
  Hook,
  HookEvent,
  type HookEvents,
  type IntegerMode,
  messageOf,
} from "@sqlite-aio/worker/wire";

/** Called for each row with the action (SQLITE_INSERT, SQLITE_UPDATE or SQLITE_DELETE) and its location. */
export type UpdateHook = (action: number, database: string, table: string, rowid: number | bigint) => void;

/** The hooks by name. */
interface HookFunctions {
  update: UpdateHook | null;
  commit: (() => void) | null;
  rollback: (() => void) | null;
}

export type HookKind = keyof HookFunctions;

const BITS: Readonly<Record<HookKind, number>> = {
  update: Hook.UPDATE,
  commit: Hook.COMMIT,
  rollback: Hook.ROLLBACK,
};

/** The user's listeners of SQLite's hooks. */
export class HookListeners {
  readonly #integers: IntegerMode;
  readonly #hooks: HookFunctions = { update: null, commit: null, rollback: null };

  constructor(integers: IntegerMode) {
    this.#integers = integers;
  }

  set<K extends HookKind>(kind: K, hook: HookFunctions[K]): void {
    this.#hooks[kind] = hook;
  }

  /** Bits of the events that the thread has to record once this hook is set, or removed. */
  wantedWith(kind: HookKind, there: boolean): number {
    let wanted = there ? BITS[kind] : 0;
    for (const other of Object.keys(BITS) as HookKind[])
      if (other !== kind && this.#hooks[other] !== null) wanted |= BITS[other];
    return wanted;
  }

  /**
   * Calls the hooks in the order of events. A hook that throws gives a warning; the statement's own answer comes next.
   */
  tell({ tables, events, rowids }: HookEvents): void {
    for (let at = 0; at < events.length; at++) {
      const what = events[at]!;
      try {
        if (what === HookEvent.COMMIT) this.#hooks.commit?.();
        else if (what === HookEvent.ROLLBACK) this.#hooks.rollback?.();
        else {
          const [database, table] = tables[what >> 8] ?? ["", ""];
          this.#hooks.update?.(
            what & 0xff,
            database,
            table,
            fromEngine(rowids[at]!, this.#integers) as number | bigint,
          );
        }
      } catch (error) {
        process.emitWarning(`a hook threw: ${messageOf(error)}`, { code: "SQLITE_AIO_HOOK" });
      }
    }
  }
}
