import { factsOf, type ParameterList, type StatementFacts } from "@sqlite-aio/worker/sql";
import type { Shape } from "../values/shape.js";
import { ProgrammingError } from "../errors/errors.js";

/** A SQL text with the number that the thread knows it by, or will. */
export interface CachedStatement {
  readonly id: number;
  readonly sql: string;
  readonly parameters: ParameterList;
  readonly facts: StatementFacts;
  shape: Shape | null;
  /** The thread has received its text. */
  defined: boolean;
  /** It has run without an error. */
  proven: boolean;
  /** Number of unsettled calls. */
  pending: number;
  evicted: boolean;
}

/** Maximum total length of cached texts, in characters. The thread has a copy of each, and SQLite another. */
const MAX_LENGTH = 4 * 1024 * 1024;

/**
 * A cache of statements by text, evicting the least recently used. The thread forgets an evicted statement once no call
 * waits for it.
 */
export class StatementCache {
  readonly #byText = new Map<string, CachedStatement>();
  readonly #byId = new Map<number, CachedStatement>();
  readonly #capacity: number;
  #forgotten: number[] = [];
  #lastId = 0;
  /** Total length of all texts. */
  #length = 0;

  constructor(capacity: number) {
    this.#capacity = Math.max(1, capacity);
  }

  /** Throws if `sql` cannot be a statement. */
  get(sql: string): CachedStatement {
    const known = this.#byText.get(sql);
    if (known !== undefined) {
      if (this.#byText.size >= this.#capacity >> 1 || this.#length >= MAX_LENGTH >> 1) {
        // Move to the end. Below half of the limits nothing will soon be evicted, so the order does not matter yet.
        this.#byText.delete(sql);
        this.#byText.set(sql, known);
      }
      return known;
    }
    checkSql(sql);
    const facts = factsOf(sql);
    const statement: CachedStatement = {
      id: ++this.#lastId,
      sql,
      parameters: facts.parameters,
      facts,
      shape: null,
      defined: false,
      proven: false,
      pending: 0,
      evicted: false,
    };
    this.#byText.set(sql, statement);
    this.#byId.set(statement.id, statement);
    this.#length += sql.length;
    while (this.#byText.size > this.#capacity || (this.#length > MAX_LENGTH && this.#byText.size > 1))
      this.#evict();
    return statement;
  }

  byId(id: number): CachedStatement | undefined {
    return this.#byId.get(id);
  }

  /** Notes a call that uses the statement. The statement may have been evicted while the call waited. */
  sent(statement: CachedStatement): void {
    statement.pending++;
    this.#byId.set(statement.id, statement);
  }

  settled(statement: CachedStatement): void {
    statement.pending--;
    if (statement.evicted && statement.pending === 0) this.#forget(statement);
  }

  /** Takes the numbers that the thread can forget. */
  takeForgotten(): readonly number[] {
    if (this.#forgotten.length === 0) return NONE;
    const taken = this.#forgotten;
    this.#forgotten = [];
    return taken;
  }

  #evict(): void {
    const oldest = this.#byText.values().next().value!;
    this.#byText.delete(oldest.sql);
    this.#length -= oldest.sql.length;
    oldest.evicted = true;
    if (oldest.pending === 0) this.#forget(oldest);
  }

  #forget(statement: CachedStatement): void {
    this.#byId.delete(statement.id);
    if (statement.defined) this.#forgotten.push(statement.id);
    // If a call still uses it, the thread gets its text again.
    statement.defined = false;
  }
}

const NONE: readonly number[] = [];

/** Throws unless `sql` is a text that reaches SQLite unchanged. */
export function checkSql(sql: string): void {
  if (typeof sql !== "string") throw new TypeError(`the SQL text must be a string, not ${typeof sql}`);
  if (sql.includes("\0")) {
    throw new ProgrammingError("the query contains a null character", { code: "SQLITE_MISUSE" });
  }
  if (!sql.isWellFormed()) {
    throw new ProgrammingError("the query holds a lone surrogate and has no UTF-8 form", {
      code: "SQLITE_MISUSE",
    });
  }
}
