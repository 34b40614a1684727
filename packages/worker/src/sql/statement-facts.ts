import { type ParameterList, scanParameters } from "./parameters.js";
import { type PragmaStatement, pragmaIn } from "./pragma.js";
import { RememberedTexts } from "./remembered-texts.js";
import { setsConnection, taintOf } from "./taint.js";
import { firstTokens, nameOf, skipBlank, tokenEnd, tokensOf, upperCase } from "./tokens.js";
import { type TransactionStatement, transactionStatement } from "./transaction-statement.js";

const READS = new Set(["SELECT", "VALUES", "EXPLAIN"]);
const INSERTS = new Set(["INSERT", "REPLACE"]);
const WRITES = new Set([...INSERTS, "UPDATE", "DELETE"]);
const ALTERS = new Set(["CREATE", "DROP", "ALTER", "REINDEX", "ANALYZE"]);
const CONTROLS = new Set(["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"]);

/**
 * Statements that change neither the schema nor the list of databases. A statement with WITH only reads or writes rows.
 */
const KEEPS_SCHEMA = new Set([...READS, ...WRITES, "WITH", "BEGIN", "COMMIT", "END", "SAVEPOINT", "RELEASE"]);

/** Functions that report what other statements of the connection have done. */
const REACHES_OUT = new Set(["changes", "total_changes", "last_insert_rowid"]);

/** What a statement sets on its own connection only. */
export type Setting = "ATTACH" | "TEMP" | "PRAGMA";

/** Facts about one statement that follow from its text, ignoring leading white space, comments and empty statements. */
export class StatementFacts {
  readonly sql: string;
  /** The first keyword in upper case: "INSERT", "WITH", "BEGIN"; "" if the text does not start with a word. */
  readonly keyword: string;
  /** INSERT, UPDATE, DELETE or REPLACE, also after WITH. */
  readonly writes: boolean;
  /** INSERT or REPLACE, also after WITH. */
  readonly inserts: boolean;
  /** {@link writes}, but not after WITH: CPython opens a transaction only before these. */
  readonly begins: boolean;
  /** It writes rows or alters the schema, and a rollback undoes all of it. */
  readonly undoable: boolean;
  /** A query, any EXPLAIN, or a pragma that only reads. It may still call a function that writes. */
  readonly onlyReads: boolean;
  /** ATTACH or VACUUM, which may name a file. */
  readonly opensFile: boolean;
  readonly keepsSchema: boolean;
  /** Its effect on the transaction; null for other statements. */
  readonly transaction: TransactionStatement | null;
  /** COMMIT, END, or a ROLLBACK without a savepoint. */
  readonly endsTransaction: boolean;
  /** The parts of a PRAGMA or of its EXPLAIN; null for other statements. */
  readonly pragma: PragmaStatement | null;
  /** It is `PRAGMA foreign_keys` with a value. */
  readonly setsForeignKeys: boolean;
  /** Whether it is a `PRAGMA busy_timeout` that reads or sets it. */
  readonly busyTimeout: "reads" | "sets" | null;
  /** It may read the busy timeout as a table. */
  readonly namesBusyTimeout: boolean;
  /** What it leaves behind on its connection besides its transaction; see {@link Taint}. */
  readonly taint: number;
  /** What it sets on its connection only. Reopening the connection undoes it. */
  readonly setting: Setting | null;
  #parameters: ParameterList | undefined;
  #returns: boolean | undefined;
  #reachesOut: boolean | undefined;

  constructor(sql: string) {
    const keyword = firstKeyword(sql);
    const verb = keyword === "WITH" ? verbAfterWith(sql) : keyword;
    const pragma = keyword === "PRAGMA" || keyword === "EXPLAIN" ? pragmaIn(sql) : null;
    const transaction = CONTROLS.has(keyword) ? transactionStatement(sql) : null;
    this.sql = sql;
    this.keyword = keyword;
    this.writes = WRITES.has(verb);
    this.inserts = INSERTS.has(verb);
    this.begins = WRITES.has(keyword);
    this.undoable = this.writes || ALTERS.has(keyword);
    this.onlyReads = READS.has(verb) || (keyword === "PRAGMA" && pragma!.asks);
    this.opensFile = keyword === "ATTACH" || keyword === "VACUUM";
    this.keepsSchema = KEEPS_SCHEMA.has(keyword);
    this.transaction = transaction;
    this.endsTransaction = transaction?.verb === "commit" || transaction?.verb === "rollback";
    this.pragma = pragma;
    this.setsForeignKeys = pragma?.name === "foreign_keys" && pragma.value !== null;
    this.busyTimeout = pragma?.name !== "busy_timeout" ? null : pragma.value === null ? "reads" : "sets";
    this.namesBusyTimeout = /pragma_busy_timeout/i.test(sql);
    this.taint = taintOf(keyword, pragma);
    this.setting = settingOf(keyword, pragma, sql);
  }

  get parameters(): ParameterList {
    return (this.#parameters ??= scanParameters(this.sql));
  }

  /** It writes and has a RETURNING clause, so it returns rows. */
  get returns(): boolean {
    return (this.#returns ??= this.writes && hasOutside(this.sql, "RETURNING"));
  }

  /** It may undo work of other statements in its transaction, or depend on it. */
  get reachesOut(): boolean {
    return (this.#reachesOut ??= reachesOut(this.sql));
  }

  /** It is `VACUUM INTO`, which does not change the database. */
  get vacuumsInto(): boolean {
    return this.keyword === "VACUUM" && hasOutside(this.sql, "INTO");
  }
}

const MAX_LENGTH = 1024 * 1024;
const known = new RememberedTexts((sql) => new StatementFacts(sql), 1000, MAX_LENGTH);

/** The facts of a text, cached for recently used texts. */
export function factsOf(sql: string): StatementFacts {
  return known.get(sql);
}

function firstKeyword(sql: string): string {
  let at = skipBlank(sql, 0);
  while (sql.charCodeAt(at) === 59) at = skipBlank(sql, at + 1);
  const word = sql.slice(at, tokenEnd(sql, at));
  return /^[A-Za-z_]+$/.test(word) ? upperCase(word) : "";
}

function settingOf(keyword: string, pragma: PragmaStatement | null, sql: string): Setting | null {
  if (keyword === "ATTACH" || keyword === "DETACH") return "ATTACH";
  if (keyword === "CREATE") return createsTemporary(sql) ? "TEMP" : null;
  return pragma !== null && setsConnection(pragma) ? "PRAGMA" : null;
}

/** Whether a CREATE makes a temporary object, by the word TEMP or by the schema before its name. */
function createsTemporary(sql: string): boolean {
  const [, ...words] = firstTokens(sql, 8).map(nameOf);
  if (words[0] === "temp" || words[0] === "temporary") return true;
  if (words[0] === "unique" || words[0] === "virtual") words.shift();
  const at = words[1] === "if" && words[2] === "not" ? 4 : 1;
  return words[at] === "temp" && words[at + 1] === ".";
}

/** The first verb outside parentheses that is not the name of a common table expression. */
function verbAfterWith(sql: string): string {
  let named = false;
  for (const word of outerWords(sql)) {
    if (word === "WITH" || word === "RECURSIVE" || word === ",") named = true;
    else if (named) named = false;
    else if (READS.has(word) || WRITES.has(word)) return word;
  }
  return "";
}

/** Whether the keyword occurs outside parentheses. */
function hasOutside(sql: string, keyword: string): boolean {
  // Most texts do not contain it, and this test is faster.
  if (!new RegExp(keyword, "i").test(sql)) return false;
  for (const word of outerWords(sql)) if (word === keyword) return true;
  return false;
}

/** The tokens outside parentheses, in upper case. */
function* outerWords(sql: string): Generator<string> {
  let depth = 0;
  for (const token of tokensOf(sql)) {
    if (token === "(") depth++;
    else if (token === ")") depth--;
    else if (depth === 0) yield upperCase(token);
  }
}

function reachesOut(sql: string): boolean {
  if (!/rollback|last_insert_rowid|changes/i.test(sql)) return false;
  let before = "";
  for (const token of tokensOf(sql)) {
    if (upperCase(token) === "ROLLBACK") return true;
    if (token === "(" && REACHES_OUT.has(nameOf(before))) return true;
    before = token;
  }
  return false;
}
