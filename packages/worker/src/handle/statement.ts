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

/** A statement below this many milliseconds is quick: earlier answers wait for it. */
const QUICK_MS = 0.25;

/** From this many milliseconds on, a write would delay those that share its transaction. */
const SLOW_MS = 10;

/** The same for a write that was committed alone, because its time includes the disk. */
const SLOW_ALONE_MS = 250;

/** The schema that SQLite has read, which may be outdated. */
interface StaleSchema {
  refresh(): void;
}

/** A statement that the main side has given a number. Compiled on first use. */
export class Statement {
  readonly id: number;
  readonly sql: string;
  readonly #names: readonly (string | null)[] | null;
  #handle: EngineStatement | null = null;
  /** The handle of the last execution. */
  #latest: EngineStatement | null = null;
  /** An open cursor is stepping the handle, so another use needs its own. */
  #lent = false;
  #cost = Number.POSITIVE_INFINITY;
  /** Longest recent duration without the commit, in milliseconds; 0 if unknown. */
  #work = 0;

  reader = false;
  readonly = false;
  /** Facts from the text, known before it is compiled. */
  readonly facts: StatementFacts;
  // Copies of the facts that every run needs.
  readonly dml: boolean;
  readonly keepsSchema: boolean;
  readonly taint: number;
  /** Whether it writes rows of the temp schema, and the schema epoch of that answer. */
  #writesTemp = false;
  #writesTempIn = -1;
  /** It has called a user function. */
  callsOut = false;
  /** It has succeeded in a group. */
  proven = false;
  /** It has failed with an error after which its rows so far stay in the transaction. */
  leavesRows = false;
  /** The text has only white space and comments. */
  empty = false;

  /** Column names and declared types as last sent, and the schema epoch they belong to. */
  names: readonly string[] | null = null;
  types: readonly (string | null)[] | null = null;
  origins: Origins | null = null;
  epoch = -1;
  /** The companion's description of these columns; null if they were asked of the engine. */
  columnsSent: readonly EngineColumn[] | null = null;
  /** Tables that it may write and that change tracking does not see, and the schema of that answer. */
  untracked: readonly (readonly [database: string, table: string])[] = [];
  untrackedIn = "";
  /** Number of rows of the last run. */
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

  /** Whether it may write rows of temporary tables, also by triggers. */
  writesTemp(db: EngineDatabase, epoch: number): boolean {
    if (this.#writesTempIn !== epoch) {
      this.#writesTemp = writesTemp(db, this.facts);
      this.#writesTempIn = epoch;
    }
    return this.#writesTemp;
  }

  /** It writes rows, and its effect does not depend on its transaction's other statements. */
  get groupable(): boolean {
    return this.dml && !this.facts.reachesOut && !this.facts.namesBusyTimeout;
  }

  get prepared(): boolean {
    return this.#handle !== null || this.empty;
  }

  /**
   * Whether its recent runs were quick. Statements that alter the schema are not quick, so that earlier answers leave
   * with the old column names.
   */
  get quick(): boolean {
    return this.#cost < QUICK_MS && this.keepsSchema && !this.facts.namesBusyTimeout;
  }

  /** Its recent runs were slow, so others should not wait for it. */
  get slow(): boolean {
    return this.#work > SLOW_MS;
  }

  /** It needs a savepoint: a failure could leave rows behind, and then the whole group would have to run again. */
  get needsGuard(): boolean {
    return !this.proven || this.leavesRows || this.callsOut;
  }

  /** Notes the duration of a run by itself. */
  spent(ms: number): void {
    this.#cost = this.#cost === Number.POSITIVE_INFINITY ? ms : Math.max(ms, this.#cost * 0.9);
    this.#work = ms > SLOW_ALONE_MS ? Math.max(ms, this.#work) : this.#work * 0.9;
  }

  /** Notes the duration of a run in a group. */
  ranInGroup(ms: number): void {
    this.#work = Math.max(ms, this.#work * 0.9);
  }

  /** Columns of the last execution. */
  columns(): EngineColumn[] {
    return this.#latest!.columns();
  }

  /** Describes the compiled statement. */
  describe(): StatementInfo {
    const columns = this.reader ? this.#handle!.columns() : [];
    return {
      names: columns.map(({ name }) => name),
      types: columns.map(({ type }) => type),
      origins: originsOf(columns),
      readonly: this.empty || this.readonly,
    };
  }

  /** Compiles the text, unless that is done. If SQLite refuses it, retries once after refreshing `schema`. */
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
   * A handle that is not being stepped; the text must not be empty. A caller that goes on stepping it calls {@link
   * lend}.
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

  /** Drops the compiled statement; the next use compiles it again. */
  reset(): void {
    this.#handle = null;
    this.#latest = null;
    this.#lent = false;
    this.epoch = -1;
  }

  #compile(db: EngineDatabase, schema?: StaleSchema): EngineStatement | null {
    const handle = prepareOne(db, this.sql, schema);
    // Also without rows: it applies to lastInsertRowid.
    handle?.safeIntegers();
    if (handle?.reader) handle.raw();
    return handle;
  }

  /** The engine's arguments for parameters in index order. */
  bindings(values: SqlValue[]): unknown[] {
    if (values.length === 0) return NO_BINDINGS;
    if (this.#names === null) {
      // Converted in place: the array comes from the wire and belongs to this operation. Converting twice changes
      // nothing.
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

/** Empty if all columns are expressions. */
export function originsOf(columns: readonly EngineColumn[]): Origins {
  if (columns.every(({ column }) => column === undefined || column === null)) return NO_ORIGINS;
  return columns.flatMap(({ database = null, table = null, column = null }) => [database, table, column]);
}

const NO_ORIGINS: Origins = [];

/**
 * Whether the program of a statement opens a write transaction on the temp schema, which is database 1 of a connection.
 */
export function writesTemp(db: EngineDatabase, { sql, parameters }: StatementFacts): boolean {
  const { count, names } = parameters;
  const explain = new Statement(0, `EXPLAIN ${sql}`, names);
  // The engine requires a value for each parameter. The values do not change which tables are written.
  const bindings = explain.bindings(Array.from({ length: count }, () => null));
  try {
    const program = prepareOwn(db, explain.sql).all(...bindings) as unknown[] as ExplainedStep[];
    return program.some(({ opcode, p1, p2 }) => opcode === "Transaction" && p1 === 1 && p2 !== 0);
  } catch {
    // Unknown counts as true.
    return true;
  }
}

interface ExplainedStep {
  readonly opcode: string;
  readonly p1: number;
  readonly p2: number;
}

/** Null if `sql` has no statement. Throws MULTIPLE if it has several. */
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
