import {
  type EngineColumn,
  type EngineDatabase,
  type EngineStatement,
  prepareOwn,
} from "../engine/engine-api.js";
import { codeOf, UsageError } from "../wire/fault.js";
import { messageOf } from "../wire/thrown.js";
import { StatementFacts } from "../sql/statement-facts.js";
import type { SqlValue, Origins, StatementInfo } from "../wire/protocol.js";
import { toBinding } from "../wire/integers.js";

const NO_BINDINGS: unknown[] = [];

/** Below this many milliseconds a statement is not worth an answer of its own to those before it. */
const QUICK_MS = 0.25;

/** From this many milliseconds on a write would hold up those that share its transaction. */
const SLOW_MS = 10;

/** The same of a write that was committed by itself, most of which may have been a slow disk. */
const SLOW_ALONE_MS = 250;

/** What the engine has read of the schema, perhaps too long ago. */
interface StaleSchema {
  refresh(): void;
}

/** A statement the main side has given a number; prepared when first used. */
export class Statement {
  readonly id: number;
  readonly sql: string;
  readonly #names: readonly (string | null)[] | null;
  #handle: EngineStatement | null = null;
  /** The handle of the last execution. */
  #latest: EngineStatement | null = null;
  /** The handle is being stepped by an open cursor, so that another use needs a handle of its own. */
  #lent = false;
  #cost = Number.POSITIVE_INFINITY;
  /** Milliseconds that it has run at the most of late, the commit not counted; 0 if that is not known. */
  #work = 0;

  reader = false;
  readonly = false;
  /** What its text tells, known before it is compiled. */
  readonly facts: StatementFacts;
  // Of the facts those that every run asks for.
  readonly dml: boolean;
  readonly keepsSchema: boolean;
  readonly taint: number;
  /** Whether it writes rows of the temp schema, and the schema epoch that this belongs to. */
  #writesTemp = false;
  #writesTempIn = -1;
  /** It has called a function that was created through the main side. */
  callsOut = false;
  /** It has run to its end among others. */
  proven = false;
  /** It has failed with an error after which its rows up to there are left, where it does not stand alone. */
  leavesRows = false;
  /** The statement has no text to run: only white space and comments. */
  empty = false;

  /** Column names and declared types as last sent, and the schema epoch they belong to. */
  names: readonly string[] | null = null;
  types: readonly (string | null)[] | null = null;
  origins: Origins | null = null;
  epoch = -1;
  /** Tables it may write of which change tracking says nothing, and the schema they were found in. */
  untracked: readonly (readonly [database: string, table: string])[] = [];
  untrackedIn = "";
  /** How many rows it gave last. */
  lastRows = Number.POSITIVE_INFINITY;

  constructor(id: number, sql: string, names: readonly (string | null)[] | null) {
    this.id = id;
    this.sql = sql;
    this.#names = names;
    this.facts = new StatementFacts(sql);
    this.dml = this.facts.writes;
    this.keepsSchema = this.facts.keepsSchema;
    this.taint = this.facts.taint;
  }

  /** It may have written rows of temporary tables, by triggers too. */
  writesTemp(db: EngineDatabase, epoch: number): boolean {
    if (this.#writesTempIn !== epoch) {
      this.#writesTemp = writesTemp(db, this.facts);
      this.#writesTempIn = epoch;
    }
    return this.#writesTemp;
  }

  /** It writes rows, and its effect does not depend on what else its transaction holds. */
  get groupable(): boolean {
    return this.dml && !this.facts.reachesOut;
  }

  get prepared(): boolean {
    return this.#handle !== null || this.empty;
  }

  /** Whether it has always ended soon, of late. What alters the schema waits: column names go with the reply before. */
  get quick(): boolean {
    return this.#cost < QUICK_MS && this.keepsSchema;
  }

  /** It has been slow of late, so that others had better not wait for it. */
  get slow(): boolean {
    return this.#work > SLOW_MS;
  }

  /** A failure could leave something behind, and whatever came before it in its transaction would have to be done again. */
  get needsGuard(): boolean {
    return !this.proven || this.leavesRows || this.callsOut;
  }

  /** It has run by itself for so long. */
  spent(ms: number): void {
    this.#cost = this.#cost === Number.POSITIVE_INFINITY ? ms : Math.max(ms, this.#cost * 0.9);
    this.#work = ms > SLOW_ALONE_MS ? Math.max(ms, this.#work) : this.#work * 0.9;
  }

  /** It has run in the transaction of others for so long. */
  ranInGroup(ms: number): void {
    this.#work = Math.max(ms, this.#work * 0.9);
  }

  /** Columns of the last execution. */
  columns(): EngineColumn[] {
    return this.#latest!.columns();
  }

  /** What a compiled statement would give. */
  describe(): StatementInfo {
    const columns = this.reader ? this.#handle!.columns() : [];
    return {
      names: columns.map(({ name }) => name),
      types: columns.map(({ type }) => type),
      origins: originsOf(columns),
      readonly: this.empty || this.readonly,
    };
  }

  /** Compiles the text, unless that is done; what is refused is tried again when `schema` is fresh. */
  prepare(db: EngineDatabase, schema?: StaleSchema): void {
    if (this.prepared) return;
    const handle = this.#compile(db, schema);
    if (handle === null) {
      this.empty = true;
      return;
    }
    this.reader = handle.reader;
    this.readonly = handle.readonly;
    this.#handle = handle;
  }

  /**
   * For a text that is not empty: a handle that nobody is stepping; the caller that keeps stepping it says so with
   * {@link lend}.
   */
  handle(db: EngineDatabase): EngineStatement {
    this.prepare(db);
    const handle = this.#lent ? this.#compile(db) : this.#handle;
    this.#latest = handle;
    return handle!;
  }

  lend(handle: EngineStatement): void {
    if (handle === this.#handle) this.#lent = true;
  }

  giveBack(handle: EngineStatement): void {
    if (handle === this.#handle) this.#lent = false;
  }

  /** Prepare again at the next use. */
  reset(): void {
    this.#handle = null;
    this.#latest = null;
    this.#lent = false;
    this.epoch = -1;
  }

  #compile(db: EngineDatabase, schema?: StaleSchema): EngineStatement | null {
    const handle = prepareOne(db, this.sql, schema);
    // Also where no rows are read: lastInsertRowid is as wide as they are.
    handle?.safeIntegers();
    if (handle?.reader) handle.raw();
    return handle;
  }

  /** The engine's arguments for parameters given in index order. */
  bindings(values: SqlValue[]): unknown[] {
    if (values.length === 0) return NO_BINDINGS;
    if (this.#names === null) {
      // In place: the array came off the wire and is nobody else's, and a second time changes nothing.
      for (let i = 0; i < values.length; i++) values[i] = toBinding(values[i]!);
      return [values];
    }
    const anonymous: SqlValue[] = [];
    const named: Record<string, SqlValue> = Object.create(null);
    for (let i = 0; i < values.length; i++) {
      const name = this.#names[i] ?? null;
      if (name === null) anonymous.push(toBinding(values[i]!));
      else named[name.slice(1)] = toBinding(values[i]!);
    }
    return anonymous.length === 0 ? [named] : [anonymous, named];
  }

  /** The text with the parameters filled in. */
  expanded(db: EngineDatabase, values: SqlValue[]): string {
    if (values.length === 0) return this.sql;
    return db
      .prepare(this.sql)
      .bind(...this.bindings(values))
      .toString();
  }
}

/** None where all are expressions. */
export function originsOf(columns: readonly EngineColumn[]): Origins {
  if (columns.every(({ column }) => column === undefined || column === null)) return NO_ORIGINS;
  return columns.flatMap(({ database = null, table = null, column = null }) => [database, table, column]);
}

const NO_ORIGINS: Origins = [];

/** Whether the program of a statement opens a write transaction on the temp schema, the second of a connection's. */
export function writesTemp(db: EngineDatabase, { sql, parameters }: StatementFacts): boolean {
  const { count, names } = parameters;
  const explain = new Statement(0, `EXPLAIN ${sql}`, names);
  // The engine wants a value for each; which one makes no difference to the tables.
  const bindings = explain.bindings(Array.from({ length: count }, () => null));
  try {
    const program = prepareOwn(db, explain.sql).all(...bindings) as unknown[] as ExplainedStep[];
    return program.some(({ opcode, p1, p2 }) => opcode === "Transaction" && p1 === 1 && p2 !== 0);
  } catch {
    // Not known: as if it did.
    return true;
  }
}

interface ExplainedStep {
  readonly opcode: string;
  readonly p1: number;
  readonly p2: number;
}

/** Null if `sql` has no statement; its own error if it has several. */
function prepareOne(
  db: EngineDatabase,
  sql: string,
  schema: StaleSchema | undefined,
): EngineStatement | null {
  try {
    return db.prepare(sql);
  } catch (error) {
    if (messageOf(error).includes("no statements")) return null;
    if (messageOf(error).includes("more than one")) {
      throw new UsageError("MULTIPLE", "You can only execute one statement at a time.");
    }
    if (codeOf(error) !== "SQLITE_ERROR" || schema === undefined) throw error;
    schema.refresh();
    return prepareOne(db, sql, undefined);
  }
}
