import type { NativeStatement, NativeStatements } from "../handle/native-statements.js";
import type { Operation } from "../handle/operation.js";
import type { ReplyWriter } from "../handle/reply-writer.js";
import { Taint } from "../sql/taint.js";
import { Flag, Mode, type SqlValue } from "../wire/protocol.js";

/** Reads of one call of the companion's. */
const MAX_READS = 64;
/** Of a result of more rows than that a packet is made. */
const MAX_ROWS = 64;

const INPUT = 4096;
const INPUT_BYTES = 64 * 1024;
const CELLS = 16 * 1024;
const TEXT_BYTES = 256 * 1024;

/** What the companion's `src/points.h` calls them. */
const Tag = { NULL: 0, NUMBER: 1, INT64: 2, TEXT: 3, BLOB: 4, UTF8: 5 } as const;
const HEAD = 3;
const NEW_ROWS = 1;
const INTEGERS = { auto: 0, bigint: 1, number: 2 } as const;

/** Buffer's methods that need no name of an encoding. */
interface Text extends Buffer {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
  utf8Write(text: string, offset: number): number;
}

/**
 * Small reads that wait behind each other, run in one call of the native companion's: half of what one takes in the thread
 * is otherwise its way into C++ and back.
 */
export class PointReads {
  readonly #statements: NativeStatements;
  readonly #out: ReplyWriter;
  readonly #input = new Float64Array(INPUT);
  readonly #inputIntegers = new BigInt64Array(this.#input.buffer);
  readonly #bytes = Buffer.alloc(INPUT_BYTES) as Text;
  readonly #cells = new Float64Array(CELLS);
  readonly #cellIntegers = new BigInt64Array(this.#cells.buffer);
  readonly #tags = new Uint8Array(CELLS);
  readonly #text = Buffer.alloc(TEXT_BYTES) as Text;
  /** What is to be run in another way: its result was larger than thought, or it has failed. */
  readonly #refused = new WeakSet<Operation>();
  #operations: Operation[] = [];
  #compiled: NativeStatement[] = [];
  #at = 0;
  #byteAt = 0;
  /** Of the answers. */
  #cell = 0;
  #textAt = 0;

  constructor(statements: NativeStatements, out: ReplyWriter) {
    this.#statements = statements;
    this.#out = out;
  }

  /** Takes a read to the others that {@link run} runs, if it is one for this. */
  add(operation: Operation): boolean {
    const { statement, mode, limit, flags, values, timed } = operation;
    if (timed || operation.skipped || this.#operations.length === MAX_READS || this.#refused.has(operation))
      return false;
    if (statement!.taint !== Taint.NONE) return false;
    // A small result may turn out to be larger, which is noticed; what is known to be large is not tried.
    if (mode !== Mode.GET && (statement!.lastRows > MAX_ROWS || (mode === Mode.CURSOR && limit < 2)))
      return false;
    const compiled = this.#statements.idle(statement!);
    if (compiled === null || this.#at + 4 + 2 * values.length > INPUT) return false;
    const [at, byteAt] = [this.#at, this.#byteAt];
    const most = mode === Mode.GET ? 1 : mode === Mode.ALL ? MAX_ROWS : Math.min(limit, MAX_ROWS);
    const integers = (flags & Flag.BIGINT) !== 0 ? "bigint" : this.#out.integers;
    this.#input[this.#at++] = compiled.id;
    this.#input[this.#at++] = most;
    this.#input[this.#at++] = INTEGERS[integers];
    this.#input[this.#at++] = values.length;
    for (const value of values) {
      if (this.#put(value)) continue;
      this.#at = at;
      this.#byteAt = byteAt;
      return false;
    }
    this.#operations.push(operation);
    this.#compiled.push(compiled);
    return true;
  }

  /** One parameter; false where there is no room for it. */
  #put(value: SqlValue): boolean {
    const at = this.#at;
    this.#at += 2;
    switch (typeof value) {
      case "number":
        this.#input[at] = Tag.NUMBER;
        this.#input[at + 1] = value;
        return true;
      case "bigint":
        this.#input[at] = Tag.INT64;
        this.#inputIntegers[at + 1] = value;
        return true;
      case "string": {
        if (value.length * 3 > INPUT_BYTES - this.#byteAt) return false;
        const length = this.#bytes.utf8Write(value, this.#byteAt);
        this.#input[at] = Tag.TEXT;
        this.#input[at + 1] = length;
        this.#byteAt += length;
        return true;
      }
      default:
        if (value === null) {
          this.#input[at] = Tag.NULL;
          this.#input[at + 1] = 0;
          return true;
        }
        if (value.byteLength > INPUT_BYTES - this.#byteAt) return false;
        this.#bytes.set(value, this.#byteAt);
        this.#input[at] = Tag.BLOB;
        this.#input[at + 1] = value.byteLength;
        this.#byteAt += value.byteLength;
        return true;
    }
  }

  /**
   * Runs what was taken, and answers it. Gives the operations that were answered and those that were not, which are to
   * be run in another way, or later.
   */
  run(): { done: Operation[]; rest: Operation[] } {
    const [operations, compiled] = [this.#operations, this.#compiled];
    const bytes = this.#bytes.subarray(0, this.#byteAt);
    this.#operations = [];
    this.#compiled = [];
    this.#at = 0;
    this.#byteAt = 0;
    try {
      const first = operations[0]!.sequence;
      const { cells, tags, text } = { cells: this.#cells, tags: this.#tags, text: this.#text };
      this.#statements.runPoints(operations.length, this.#input, bytes, cells, tags, text, first);
    } catch {
      // It says so again when it is run by itself.
    }
    const done = this.#cells[0]!;
    this.#cell = HEAD;
    this.#textAt = 0;
    for (let i = 0; i < done; i++) this.#answer(operations[i]!, compiled[i]!);
    const rest = operations.splice(done);
    if (rest.length > 0) this.#refused.add(rest[0]!);
    return { done: operations, rest };
  }

  #answer({ statement, mode }: Operation, compiled: NativeStatement): void {
    const renamed = this.#cells[this.#cell] === NEW_ROWS;
    const rows = this.#cells[this.#cell + 1]!;
    const columns = this.#cells[this.#cell + 2]!;
    this.#cell += HEAD;
    this.#out.gaveRows(statement!, this.#statements.columns(compiled, renamed));
    this.#out.cells(rows, rows === 0 ? 0 : columns, this.#value);
    if (mode !== Mode.GET) statement!.lastRows = rows;
  }

  /** The next value of the answers. */
  readonly #value = (): SqlValue => {
    const cell = this.#cell++;
    const value = this.#cells[cell]!;
    switch (this.#tags[cell]) {
      case Tag.NULL:
        return null;
      case Tag.NUMBER:
        return value;
      case Tag.INT64:
        return this.#cellIntegers[cell]!;
      case Tag.TEXT:
        return this.#text.latin1Slice(this.#textAt, (this.#textAt += value));
      case Tag.UTF8:
        return this.#text.utf8Slice(this.#textAt, (this.#textAt += value));
      default: {
        const blob = new Uint8Array(value);
        blob.set(this.#text.subarray(this.#textAt, (this.#textAt += value)));
        return blob;
      }
    }
  };
}
