import {
  fromEngine,
  Hook,
  HookEvent,
  type HookEvents,
  type IntegerMode,
  messageOf,
} from "@sqlite-aio/worker/wire";

/** Told of each row: SQLITE_INSERT, SQLITE_UPDATE or SQLITE_DELETE, then where it is. */
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

/** Who is told what SQLite's hooks tell. */
export class HookListeners {
  readonly #integers: IntegerMode;
  readonly #hooks: HookFunctions = { update: null, commit: null, rollback: null };

  constructor(integers: IntegerMode) {
    this.#integers = integers;
  }

  set<K extends HookKind>(kind: K, hook: HookFunctions[K]): void {
    this.#hooks[kind] = hook;
  }

  /** Bits of what the thread is to record, were there a hook of this kind, or none. */
  wantedWith(kind: HookKind, there: boolean): number {
    let wanted = there ? BITS[kind] : 0;
    for (const other of Object.keys(BITS) as HookKind[])
      if (other !== kind && this.#hooks[other] !== null) wanted |= BITS[other];
    return wanted;
  }

  /** In the order in which it happened. A hook that throws is not the statement's error, whose answer comes next. */
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
