import type { EngineDatabase } from "../engine/engine-api.js";
import { type ColumnOf, native, type Native } from "../engine/native.js";
import type { Control } from "../wire/control-block.js";
import type { IntegerMode } from "../wire/integers.js";
import { Flag, type SqlValue } from "../wire/protocol.js";
import type { Slot } from "../wire/rows/block-slots.js";
import {
  appendBlock,
  BLOCK_END,
  BLOCK_REPREPARED,
  blockFlags,
  type RowBlock,
} from "../wire/rows/row-block.js";
import type { Packet } from "../wire/rows/row-encode.js";
import type { Statement } from "./statement.js";

/** Length of a text, in characters, above which compiling it a second time does not pay. */
const LONG_TEXT = 1_000_000;

const MODES: Readonly<Record<IntegerMode, 0 | 1 | 2>> = { auto: 0, bigint: 1, number: 2 };
const RAW_TEXT = 4;

/** How the companion reads the values of an operation with these flags. */
export function valueMode(integers: IntegerMode, flags: number): number {
  const wanted = (flags & Flag.BIGINT) !== 0 ? "bigint" : integers;
  return MODES[wanted] | ((flags & Flag.RAW_TEXT) !== 0 ? RAW_TEXT : 0);
}

/** Limits of a block where all rows are read at once. */
const ALL_ROWS = 2048;
const ALL_BYTES = 256 * 1024;

/** The progress of a batch. */
export interface BatchProgress {
  /** Index of the next set; after an error, of the failed one. */
  at: number;
  changes: number;
}

/** What the companion has left of the savepoint of a set that failed. */
export const SavepointLeft = {
  NONE: 0,
  /** It is open, with what the statement left when it failed. */
  KEEP: 1,
  /** It is open, and to be undone. */
  UNDO: 2,
} as const;

/** A savepoint for each set of a batch. */
export interface SetSavepoints {
  /** The companion's numbers of the statements that begin and release it. */
  readonly begin: number;
  readonly keep: number;
  /** The first is not 0 once the running set is to be undone. */
  readonly undo: Int32Array;
  left: number;
}

/**
 * Statements that the native companion compiles, binds and steps on the engine's own handle. Rows then need neither
 * calls into C++ nor objects. There are none without the companion, or while it must not be used.
 */
export class NativeStatements {
  readonly #control: Control;
  /** Gives the number of the running operation. */
  readonly #sequence: () => number;
  #native: Native | null = null;
  #db: EngineDatabase | null = null;
  #token = 0;
  #guarded = false;
  #allowed = true;
  readonly #compiled = new Map<Statement, NativeStatement>();
  readonly #progress = new Float64Array(3);
  #savepoints: readonly [begin: number, keep: number] | null = null;

  constructor(control: Control, sequence: () => number) {
    this.#control = control;
    this.#sequence = sequence;
  }

  /** Call it when a handle was opened. `token` is 0 without the companion. Old versions of the companion lack this. */
  attached(db: EngineDatabase, token: number): void {
    if (token === 0 || native?.capabilities?.statements !== true) return;
    this.#native = native;
    this.#db = db;
    this.#token = token;
    this.#guarded = false;
  }

  /** Call it before the handle closes. */
  detached(): void {
    this.#compiled.clear();
    this.#savepoints = null;
    this.#native?.finalize(this.#token);
    this.#native = null;
    this.#db = null;
  }

  /** From now on statements may call JavaScript functions. The engine must know that it is busy while they run. */
  guard(): void {
    if (this.#native === null || this.#guarded) return;
    this.#native.guard(this.#db!, this.#token, true);
    this.#guarded = true;
  }

  /** Off while there is an authorizer: it would be called twice if statements were compiled twice. */
  allow(allowed: boolean): void {
    this.#allowed = allowed;
    if (!allowed) for (const statement of this.#compiled.keys()) this.forget(statement);
  }

  /**
   * A compiled statement for exclusive use; return it with {@link giveBack}. Null if the engine's own functions have to
   * run it.
   */
  take(statement: Statement): NativeStatement | null {
    if (this.#native === null || !this.#allowed || isLong(statement)) return null;
    const known = this.#compiled.get(statement);
    if (known?.lent === true) return this.#compile(statement);
    const compiled = known ?? this.#compile(statement);
    if (compiled === null) return null;
    this.#compiled.set(statement, compiled);
    compiled.lent = true;
    return compiled;
  }

  /** Whether {@link idle} can return a statement. */
  get anyIdle(): boolean {
    return this.#native !== null && this.#allowed && !this.#guarded;
  }

  /**
   * A compiled statement for a call that runs it to its end. Null if it is being stepped, or if a JavaScript function
   * may run.
   */
  idle(statement: Statement): NativeStatement | null {
    if (!this.anyIdle || isLong(statement)) return null;
    const known = this.#compiled.get(statement);
    if (known !== undefined) return known.lent ? null : known;
    try {
      const compiled = this.#compile(statement);
      if (compiled !== null) this.#compiled.set(statement, compiled);
      return compiled;
    } catch {
      // The error is reported when the statement runs by itself.
      return null;
    }
  }

  /** Resets the statement, so that it holds no lock. */
  giveBack(statement: Statement, compiled: NativeStatement): void {
    if (this.#compiled.get(statement) === compiled) {
      compiled.lent = false;
      this.#native?.reset(this.#token, compiled.id);
    } else this.#native?.finalize(this.#token, compiled.id);
  }

  forget(statement: Statement): void {
    const compiled = this.#compiled.get(statement);
    this.#compiled.delete(statement);
    // If it is being stepped, giveBack() finalizes it.
    if (compiled?.lent === false) this.#native?.finalize(this.#token, compiled.id);
  }

  #compile(statement: Statement): NativeStatement | null {
    const prepared = this.#native!.prepare(this.#token, statement.sql);
    return prepared === null ? null : { id: prepared.id, lent: false, columns: null };
  }

  bind(compiled: NativeStatement, values: SqlValue[]): void {
    this.#native!.bind(this.#token, compiled.id, values);
  }

  /**
   * Reads rows, into `slot` if there is one and they fit. `mode` is a {@link valueMode}. With `only`, these are the last
   * ones.
   */
  rows(
    compiled: NativeStatement,
    limit: number,
    bytes: number,
    mode: number,
    slot: Slot | null,
    only = false,
  ): RowBlock {
    const { block } = this.#control;
    const packed = this.#native!.rows(
      this.#token,
      compiled.id,
      limit,
      bytes,
      mode,
      only,
      block,
      this.#sequence(),
      slot ?? undefined,
    );
    return packed ?? slot!;
  }

  /**
   * Runs a statement to its end, and gives all its rows. Null if the engine's own functions have to run it. It cannot be
   * cancelled between two rows: a statement that writes has written by then.
   */
  all(
    statement: Statement,
    values: SqlValue[],
    mode: number,
  ): { rows: SqlValue[][]; columns: readonly ColumnOf[] } | null {
    const compiled = this.take(statement);
    if (compiled === null) return null;
    const rows: SqlValue[][] = [];
    try {
      this.bind(compiled, values);
      for (let flags = 0, seen = 0; ; ) {
        const block = this.#native!.rows(this.#token, compiled.id, ALL_ROWS, ALL_BYTES, mode, false)!;
        flags = blockFlags(block);
        seen |= flags;
        appendBlock(rows, block, null);
        if ((flags & BLOCK_END) !== 0)
          return { rows, columns: this.columns(compiled, (seen & BLOCK_REPREPARED) !== 0) };
      }
    } finally {
      this.giveBack(statement, compiled);
    }
  }

  /** The columns of the last rows; `renamed` if SQLite has recompiled the statement for them. */
  columns(compiled: NativeStatement, renamed: boolean): readonly ColumnOf[] {
    if (renamed) compiled.columns = null;
    return (compiled.columns ??= this.#native!.columns(this.#token, compiled.id));
  }

  /**
   * Runs small statements; see Points. `sequence` is the number of the first; the others follow it. Stops after `ms`.
   */
  runPoints(
    count: number,
    input: Float64Array,
    from: number,
    bytes: Uint8Array,
    byteFrom: number,
    cells: Float64Array,
    tags: Uint8Array,
    text: Uint8Array,
    sequence: number,
    ms: number,
  ): void {
    const { block } = this.#control;
    cells.fill(0, 0, 6);
    this.#native!.runPoints(
      this.#token,
      count,
      input,
      from,
      bytes,
      byteFrom,
      cells,
      tags,
      text,
      block,
      sequence,
      ms,
    );
  }

  /** The companion's numbers of two statements that it keeps. */
  savepoints(begin: string, keep: string): readonly [begin: number, keep: number] {
    const compiled = (sql: string): number => this.#native!.prepare(this.#token, sql)!.id;
    return (this.#savepoints ??= [compiled(begin), compiled(keep)]);
  }

  /** Runs the statement for the sets of `packet` from `progress.at` on. Returns the last rowid. */
  runMany(
    compiled: NativeStatement,
    packet: Packet,
    progress: BatchProgress,
    savepoints: SetSavepoints | null,
  ): bigint {
    this.#progress.set([progress.at, 0, 0]);
    try {
      return this.#native!.runMany(
        this.#token,
        compiled.id,
        packet,
        progress.at,
        this.#progress,
        this.#control.block,
        this.#sequence(),
        savepoints?.begin,
        savepoints?.keep,
        savepoints?.undo,
      );
    } finally {
      const [at, changes, left] = this.#progress;
      progress.at = at!;
      progress.changes += changes!;
      if (savepoints !== null) savepoints.left = left!;
    }
  }
}

/** A statement that the native companion has compiled. */
export interface NativeStatement {
  readonly id: number;
  /** It is in use. */
  lent: boolean;
  columns: readonly ColumnOf[] | null;
}

/** Compiling it a second time would take longer than the companion saves. */
function isLong({ sql }: Statement): boolean {
  return sql.length > LONG_TEXT;
}
