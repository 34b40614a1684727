import { existsSync } from "node:fs";
import type { EngineConstructor, EngineDatabase, EngineStatement } from "./engine-api.js";
import { splitScript } from "../sql/script.js";
import { UsageError } from "../wire/fault.js";
import { factsOf } from "../sql/statement-facts.js";
import type { SqlValue } from "../wire/protocol.js";

/** The part of libsql's Statement that is used here. */
interface LibsqlStatement {
  readonly reader: boolean;
  raw(on: boolean): this;
  safeIntegers(on: boolean): this;
  all(values: SqlValue[]): SqlValue[][];
  get(values: SqlValue[]): SqlValue[] | undefined;
  run(values: SqlValue[]): { changes: number; lastInsertRowid: number };
  iterate(values: SqlValue[]): { next(): { done: boolean; value: SqlValue[] } };
  columns(): { name: string; type: string | null }[];
}

interface LibsqlDatabase {
  readonly inTransaction: boolean;
  readonly open: boolean;
  memory: boolean;
  prepare(sql: string): unknown;
  exec(sql: string): unknown;
  pragma(source: string, options?: { simple?: boolean }): unknown;
  loadExtension(path: string): unknown;
  close(): unknown;
}

type LibsqlConstructor = new (path: string, options: { timeout: number }) => LibsqlDatabase;

/** Whether `Database` is libsql's class, or derived from it. */
export function isLibsql(Database: Function): Database is LibsqlConstructor {
  return typeof (Database.prototype as { syncUntil?: unknown }).syncUntil === "function";
}

/** Adapts libsql's Database to better-sqlite3's interface, as far as possible. */
export function adaptLibsql(Libsql: LibsqlConstructor): EngineConstructor {
  return class extends Libsql {
    readonly serializes = false;
    readonly readsUris = true;

    constructor(path: string | Buffer, options: ConstructorParameters<EngineConstructor>[1]) {
      if (typeof path !== "string") throw missing("way to open a database from its bytes");
      const anonymous = path === ":memory:" || path === "";
      // libsql would create the file.
      if ((options.readonly || options.fileMustExist) && !anonymous && !existsSync(path)) throw cannotOpen();
      try {
        super(path, { timeout: options.timeout });
      } catch {
        // libsql's message has no further reason.
        throw cannotOpen();
      }
      this.memory = anonymous;
      if (options.readonly) this.exec("PRAGMA query_only = ON");
    }

    override prepare(sql: string): EngineStatement {
      const pieces = splitScript(sql);
      if (pieces.next().done === true) throw new RangeError("there are no statements in the text");
      if (pieces.next().done !== true) throw new RangeError("there is more than one statement in the text");
      const prepare = (text: string): LibsqlStatement => super.prepare(text) as LibsqlStatement;
      return new Statement(sql, prepare);
    }

    override exec(sql: string): this {
      super.exec(sql);
      return this;
    }

    override loadExtension(path: string, entryPoint?: string): this {
      // libsql would abort the process: "not yet implemented".
      if (entryPoint !== undefined) throw missing("way to load an extension by its entry point");
      super.loadExtension(path);
      return this;
    }

    override close(): this {
      super.close();
      return this;
    }

    /** libsql always allows writes beside an open iterator. */
    unsafeMode(): this {
      return this;
    }

    function(): never {
      throw missing("createFunction()");
    }

    aggregate(): never {
      throw missing("createAggregate()");
    }

    backup(): never {
      throw missing("backup()");
    }

    serialize(): never {
      throw missing("serialize()");
    }
  } satisfies new (
    ...args: ConstructorParameters<EngineConstructor>
  ) => EngineDatabase;
}

class Statement implements EngineStatement {
  readonly reader: boolean;
  readonly readonly: boolean;
  readonly #sql: string;
  readonly #names: readonly (string | null)[] | null;
  readonly #native: LibsqlStatement;
  readonly #prepare: (sql: string) => LibsqlStatement;
  #pluck = false;

  constructor(sql: string, prepare: (sql: string) => LibsqlStatement) {
    this.#native = prepare(sql);
    this.#prepare = prepare;
    this.#sql = sql;
    const facts = factsOf(sql);
    this.#names = facts.parameters.names;
    this.reader = this.#native.reader;
    this.readonly = facts.onlyReads;
  }

  raw(on = true): this {
    this.#native.raw(on);
    return this;
  }

  pluck(on = true): this {
    this.#pluck = on;
    return this.raw(on);
  }

  safeIntegers(on = true): this {
    this.#native.safeIntegers(on);
    return this;
  }

  bind(): this {
    return this;
  }

  /** The text without its parameters: libsql cannot fill them in. */
  toString(): string {
    return this.#sql;
  }

  columns(): { name: string; type: string | null }[] {
    return this.#native.columns();
  }

  all(...args: unknown[]): SqlValue[][] {
    const rows = this.#native.all(this.#values(args));
    return this.#pluck ? (rows.map(([value]) => value) as unknown as SqlValue[][]) : rows;
  }

  get(...args: unknown[]): unknown {
    const row = this.#native.get(this.#values(args));
    return this.#pluck ? row?.[0] : row;
  }

  run(...args: unknown[]): { changes: number; lastInsertRowid: bigint } {
    const { changes, lastInsertRowid } = this.#native.run(this.#values(args));
    if (Number.isSafeInteger(lastInsertRowid)) return { changes, lastInsertRowid: BigInt(lastInsertRowid) };
    // libsql has converted it to a double, so it is not exact.
    const exact = this.#prepare("SELECT last_insert_rowid()").raw(true).safeIntegers(true);
    return { changes, lastInsertRowid: exact.get([])?.[0] as bigint };
  }

  *iterate(...args: unknown[]): IterableIterator<SqlValue[]> {
    const values = this.#values(args);
    const rows = this.#native.iterate(values);
    let over = false;
    try {
      for (;;) {
        over = true;
        const { done, value } = rows.next();
        if (done) return;
        over = false;
        yield value;
      }
    } finally {
      if (!over) this.#reset(values);
    }
  }

  /** libsql has no reset, without which the statement keeps its lock. But a run to its first row ends with one. */
  #reset(values: SqlValue[]): void {
    try {
      this.#native.get(values);
    } catch {
      // An error resets the statement, too.
    }
  }

  /** The values by index, the only form that allows named and anonymous parameters together. */
  #values(args: unknown[]): SqlValue[] {
    const named = args.find(isRecord);
    const others = args.filter((arg) => arg !== named).flat() as SqlValue[];
    if (named === undefined || this.#names === null) return others;
    let next = 0;
    return this.#names.map((name) => (name === null ? others[next++]! : named[name.slice(1)]!));
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, SqlValue>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

function missing(what: string): UsageError {
  return new UsageError("NOT_SUPPORTED", `the engine libsql has no ${what}`);
}

function cannotOpen(): UsageError {
  return new UsageError("SQLITE_CANTOPEN", "unable to open database file");
}
