import { types } from "node:util";
import type { EngineColumn } from "../engine/engine-api.js";
import { BlockSlots, type Slot } from "../wire/rows/block-slots.js";
import { appendBlock, blockColumns, blockRows, type RowBlock } from "../wire/rows/row-block.js";
import { originsOf, type Statement } from "./statement.js";
import type { ChangeReport } from "../wire/change-report.js";
import type { HookEvents } from "../wire/hook-events.js";
import { type Fault, toFault } from "../wire/fault.js";
import { encodePacket, pushTransfer } from "../wire/rows/row-encode.js";
import { Answer, Flag, type Reply, type SqlValue, type Origins } from "../wire/protocol.js";
import { fromEngine, type IntegerMode } from "../wire/integers.js";

/** Up to this many cells, rows are sent inside the reply: a packet's arrays would cost more than they save. */
const FLAT_CELLS = 256;

/**
 * After a block of this many bytes, the next blocks use slots. For smaller blocks, allocating the slots takes longer
 * than transferring.
 */
const SLOTS_FROM_BYTES = 32 * 1024;

const NOTHING: readonly string[] = [];

/** Collects answers until the next reply leaves. */
export class ReplyWriter {
  integers: IntegerMode = "auto";
  #answers: unknown[] = [];
  #transfer: ArrayBuffer[] = [];
  /** Created after the first large block, because only readers of large results need its memory. */
  #slots: BlockSlots | null = null;
  /** The main side has received its memory. */
  #slotsKnown = false;
  /** The slots that the present answers use, each with the position of its answer. */
  #slotsUsed: { readonly slot: number; readonly place: number }[] = [];
  /** The texts for the trace callback, each with its position. */
  #traced: { readonly sql: string; readonly place: number }[] = [];
  /** Statements that returned rows, and their columns if known. */
  readonly #shapes = new Map<Statement, readonly EngineColumn[] | null>();
  /** Statements whose rows come from an earlier snapshot, and the schema version of that time; null if unknown. */
  readonly #sealed = new Set<Statement>();
  #sealedVersion: unknown = null;

  get empty(): boolean {
    return this.#answers.length === 0;
  }

  /** A position for {@link rewind}, which removes an operation's answers before a retry. */
  get mark(): number {
    return this.#answers.length;
  }

  /** Gives the texts that were traced since: what has run has run, whatever comes of the rest. */
  rewind(mark: number): readonly string[] {
    this.#answers.length = mark;
    while (this.#slotsUsed.length > 0 && this.#slotsUsed.at(-1)!.place >= mark)
      this.#slots!.giveBack(this.#slotsUsed.pop()!.slot);
    if (this.#traced.length === 0) return NOTHING;
    const from = this.#traced.findIndex(({ place }) => place >= mark);
    return from < 0 ? NOTHING : this.#traced.splice(from).map(({ sql }) => sql);
  }

  done(changes: number, lastInsertRowid: number | bigint): void {
    const rowid =
      typeof lastInsertRowid === "bigint" ? fromEngine(lastInsertRowid, this.integers) : lastInsertRowid;
    this.#answers.push(Answer.DONE, changes, rowid);
  }

  counts(changes: number, lastInsertRowid: bigint): void {
    this.#answers.push(Answer.COUNTS, changes, fromEngine(lastInsertRowid, this.integers));
  }

  rows(rows: SqlValue[][], columns: number, more: number, flags: number): void {
    const mode = (flags & Flag.BIGINT) !== 0 ? "bigint" : this.integers;
    if ((flags & Flag.RAW_TEXT) !== 0) for (const row of rows) toRawText(row);
    if (rows.length * columns > FLAT_CELLS) {
      this.#answers.push(Answer.PACKET, more, encodePacket(rows, columns, mode, this.#transfer));
      return;
    }
    const answers = this.#answers;
    answers.push(Answer.ROWS, more, rows.length, columns);
    for (const row of rows) {
      for (let c = 0; c < columns; c++) {
        const value = fromEngine(row[c]!, mode);
        if (types.isUint8Array(value)) pushTransfer(value, this.#transfer);
        answers.push(value);
      }
    }
  }

  /** Writes the rows of a small read, value by value. */
  cells(rows: number, columns: number, next: () => SqlValue): void {
    const answers = this.#answers;
    answers.push(Answer.ROWS, 0, rows, columns);
    for (let left = rows * columns; left > 0; left--) {
      const value = next();
      if (types.isUint8Array(value)) pushTransfer(value, this.#transfer);
      answers.push(value);
    }
  }

  /** A slot for the next {@link block}; null if all are taken, or none exist. */
  freeSlot(): Slot | null {
    return this.#slots?.free() ?? null;
  }

  /** Writes rows that the companion has packed. A few rows are sent like any others. */
  block(block: RowBlock, more: number): void {
    const columns = blockColumns(block);
    const answers = this.#answers;
    if (blockRows(block) * columns > FLAT_CELLS) {
      const slot = this.#slots?.take(block) ?? -1;
      if (slot >= 0) this.#slotsUsed.push({ slot, place: answers.length });
      else {
        this.#transfer.push(block as ArrayBuffer);
        if (block.byteLength >= SLOTS_FROM_BYTES) this.#slots ??= new BlockSlots();
      }
      answers.push(Answer.BLOCK, more, slot >= 0 ? slot : block);
      return;
    }
    const rows: SqlValue[][] = [];
    appendBlock(rows, block, null);
    answers.push(Answer.ROWS, more, rows.length, columns);
    for (const row of rows) {
      for (const value of row) {
        if (types.isUint8Array(value)) pushTransfer(value, this.#transfer);
        answers.push(value);
      }
    }
  }

  value(value: unknown, transfer: readonly ArrayBuffer[] = []): void {
    this.#transfer.push(...transfer);
    this.#answers.push(Answer.VALUE, value);
  }

  fault(error: unknown, more?: Partial<Fault>): void {
    this.#answers.push(Answer.FAULT, more === undefined ? toFault(error) : { ...toFault(error), ...more });
  }

  skipped(): void {
    this.#answers.push(Answer.SKIPPED);
  }

  /** Not an answer: the operation `from` places ahead is answered `to` places ahead. */
  postponed(from: number, to: number): void {
    this.#answers.push(Answer.POSTPONED, from, to);
  }

  /** Not an answer: the text of a statement that is about to run, for the trace callback. */
  trace(sql: string): void {
    this.#traced.push({ sql, place: this.#answers.length });
    this.#answers.push(Answer.TRACE, sql);
  }

  /** Not an answer: the changes committed so far. */
  changed(report: ChangeReport): void {
    this.#answers.push(Answer.CHANGES, report);
  }

  /** Not an answer: the events of hooks so far. */
  hooked(events: HookEvents): void {
    this.#answers.push(Answer.HOOKS, events);
  }

  /** Not an answer: the start of an operation, and a place for its duration, which {@link ran} fills. */
  timing(begun: number): number {
    return this.#answers.push(Answer.TIMING, begun, 0) - 1;
  }

  ran(place: number, ms: number): void {
    this.#answers[place] = ms;
  }

  refused(): void {
    this.#answers.push(Answer.REFUSED);
  }

  /** Notes that the statement returned rows: the main side must know its column names before it reads this reply. */
  gaveRows(statement: Statement, columns: readonly EngineColumn[] | null = null): void {
    this.#shapes.set(statement, columns);
  }

  get anyRows(): boolean {
    return this.#shapes.size > 0;
  }

  /** Some rows came without their columns. A schema change of another connection may have given them others. */
  get anyUnsureColumns(): boolean {
    for (const columns of this.#shapes.values()) if (columns === null) return true;
    return false;
  }

  /** Ends a snapshot: rows so far have this schema version. */
  seal(version: unknown): void {
    if (this.#shapes.size === 0) return;
    this.#sealedVersion = this.#sealed.size === 0 || this.#sealedVersion === version ? version : null;
    for (const statement of this.#shapes.keys()) this.#sealed.add(statement);
  }

  /** Begins a snapshot with this schema version. */
  reopen(version: unknown): void {
    if (version !== null && version === this.#sealedVersion) this.#sealed.clear();
  }

  /**
   * The statement has rows from an earlier snapshot in this reply. Another connection may have altered its tables
   * since, but column names are sent only once per reply.
   */
  isSealed(statement: Statement | null): boolean {
    return statement !== null && this.#sealed.has(statement);
  }

  /**
   * Returns the reply: head, new shapes, answers. Columns are checked only if `epoch` has changed, or if the companion
   * gave others with the rows.
   */
  take(state: number, totalChanges: number, epoch: number): { reply: Reply; transfer: ArrayBuffer[] } {
    const reply: Reply = [state, totalChanges, 0];
    for (const [statement, known] of this.#shapes) {
      if (known === null ? statement.epoch === epoch : statement.columnsSent === known) continue;
      statement.epoch = known === null ? epoch : -1;
      statement.columnsSent = known;
      const columns = known ?? statement.columns();
      const origins = originsOf(columns);
      if (sameShape(statement, columns, origins)) continue;
      statement.names = columns.map((column) => column.name);
      statement.types = columns.map((column) => column.type);
      statement.origins = origins;
      reply[2] = (reply[2] as number) + 1;
      reply.push(statement.id, statement.names, statement.types, origins);
    }
    this.#shapes.clear();
    this.#sealed.clear();
    if (this.#slotsUsed.length > 0) {
      if (!this.#slotsKnown) reply.push(Answer.MEMORY, this.#slots!.memory);
      this.#slotsKnown = true;
      this.#slotsUsed = [];
    }
    for (const answer of this.#answers) reply.push(answer);
    const transfer = this.#transfer;
    this.#answers = [];
    this.#transfer = [];
    this.#traced = [];
    return { reply, transfer };
  }
}

/** What {@link Flag.RAW_TEXT} asks for, of texts that the engine has decoded already. */
function toRawText(row: SqlValue[]): void {
  for (let c = 0; c < row.length; c++) {
    const value = row[c];
    if (typeof value === "string" && Buffer.byteLength(value) !== value.length)
      row[c] = Buffer.from(value, "utf8").toString("latin1");
  }
}

function sameShape(statement: Statement, columns: readonly EngineColumn[], now: Origins): boolean {
  const { names, types: declared, origins } = statement;
  if (names === null || declared === null || origins === null) return false;
  if (names.length !== columns.length || origins.length !== now.length) return false;
  return (
    columns.every((column, c) => column.name === names[c] && column.type === declared[c]) &&
    origins.every((origin, at) => origin === now[at])
  );
}
