import { isUtf8 } from "node:buffer";
import { messageOf } from "../wire/thrown.js";
import { quoteName } from "../sql/quote.js";
import { skipBlank, tokenEnd } from "../sql/tokens.js";

/** The part of a better-sqlite3 database that a dump needs. */
export interface DumpSource {
  prepare(sql: string): {
    raw(): {
      all(...parameters: unknown[]): unknown[][];
      iterate(...parameters: unknown[]): Iterable<unknown[]>;
    };
  };
}

/**
 * How a virtual table is restored: from its rows; by rebuilding its index from the table that it indexes; from its
 * declaration, because it stores nothing; or from a copy of its shadow tables.
 */
type Restore = "rows" | "rebuild" | "declaration" | "copy";

interface VirtualTable {
  readonly name: string;
  readonly sql: string;
  readonly module: string;
  readonly options: ReadonlyMap<string, string>;
  readonly restore: Restore;
}

/**
 * The SQL lines that restore the database, with the text of CPython's `Connection.iterdump()`. Rows are read one at a
 * time. Without an open transaction, concurrent writes of other connections may be included. `filter` is a LIKE pattern
 * for the names of dumped objects, as in CPython 3.13.
 *
 * Where CPython's text loses data or does not restore, this goes its own way:
 * - Virtual tables. CPython writes their declarations into `sqlite_master` and copies the shadow tables, which a
 *   connection in defensive mode (better-sqlite3's default) refuses and others notice only when they reopen the file;
 *   and it inserts the rows as well, which fails. Here the built-in ones are declared after everything else and get
 *   their rows, with the rowid; CPython's way remains for contentless indexes and for modules unknown here, whose data
 *   can be had in no other way.
 * - Text with a NUL, which `quote()` cuts off; text that is no UTF-8, at which CPython fails; table names with an
 *   apostrophe; a comment at the end of a declaration; sequences when no table with AUTOINCREMENT is left; temporary
 *   tables that hide one of the database's.
 *
 * `PRAGMA foreign_keys=OFF;` stands first where keys are violated, as from CPython 3.13 on, and nowhere else: tables
 * come in the order of their names, so where rows precede those they refer to, the text restores only on a connection
 * that does not enforce keys, which is CPython's default and not the engine's.
 */
export function* dump(db: DumpSource, filter: string | null = null): Generator<string> {
  const clause = filter === null ? "" : " AND name LIKE ?";
  const pattern = filter === null ? [] : [filter];
  const tables = all(
    db,
    `SELECT name, sql FROM main.sqlite_master WHERE sql NOT NULL AND type = 'table'${clause} ORDER BY name`,
    ...pattern,
  ) as [name: string, sql: string][];
  const virtual = virtualTables(db, tables);
  const owned = shadowsRestoredByOwner(db, virtual);
  const copied = [...virtual.values()].some(({ restore }) => restore === "copy");

  if (violatesForeignKeys(db)) yield "PRAGMA foreign_keys=OFF;";
  yield "BEGIN TRANSACTION;";
  let writable = false;
  for (const [name, sql] of tables) {
    const module = virtual.get(name);
    if (module?.restore === "copy") {
      if (!writable) yield "PRAGMA writable_schema=ON;";
      writable = true;
      const quoted = quoteText(name);
      yield `INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql)VALUES('table',${quoted},${quoted},0,${quoteText(sql)});`;
    } else if (name === "sqlite_stat1") {
      yield 'ANALYZE "sqlite_master";';
      yield* inserts(db, name);
    } else if (module === undefined && !name.startsWith("sqlite_") && !owned.has(name)) {
      yield terminated(sql);
      yield* inserts(db, name);
    }
  }
  const others = `SELECT sql FROM main.sqlite_master
    WHERE sql NOT NULL AND type IN ('index', 'trigger', 'view')${clause}`;
  for (const [sql] of all(db, others, ...pattern)) yield terminated(sql as string);
  // RESET, not OFF as in CPython: only then does the connection see the tables it has just declared.
  if (copied) yield "PRAGMA writable_schema=RESET;";
  for (const table of virtual.values()) if (table.restore !== "copy") yield* declaration(db, table);
  if (tables.some(([name]) => name === "sqlite_sequence") && tables.some(([, sql]) => isAutoincrement(sql))) {
    yield 'DELETE FROM "sqlite_sequence";';
    yield* inserts(db, "sqlite_sequence");
  }
  yield "COMMIT;";
}

function all(db: DumpSource, sql: string, ...parameters: unknown[]): unknown[][] {
  return db
    .prepare(sql)
    .raw()
    .all(...parameters);
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Adds the semicolon to a declaration whose text may end in a comment. */
function terminated(sql: string): string {
  let end = 0;
  for (let at = skipBlank(sql, 0); at < sql.length; at = skipBlank(sql, end)) end = tokenEnd(sql, at);
  const tail = sql.slice(end);
  for (const ending of [";", "\n;"]) {
    if (skipBlank(tail + ending, 0) === tail.length + ending.length - 1) return sql + ending;
  }
  return `${sql}*/;`;
}

function* inserts(db: DumpSource, table: string): Generator<string> {
  const columns = visibleColumns(db, table);
  yield* rows(db, table, columns.map(quoteName), `INSERT INTO ${quoteName(table)}`);
}

/** All columns except generated and hidden ones: what an INSERT without column names expects. */
function visibleColumns(db: DumpSource, table: string): string[] {
  return all(db, "SELECT name FROM pragma_table_info(?, 'main')", table).map(([name]) => name as string);
}

/** A pattern that SQL gives: for texts with a byte that is not ASCII, which may be no UTF-8. */
const BEYOND_ASCII = "'*[^' || char(1) || '-' || char(127) || ']*'";

// One result column per table column, not one concatenation: 2,000 columns would exceed SQLite's expression depth.
function* rows(db: DumpSource, table: string, columns: string[], insert: string): Generator<string> {
  // quote() ends a text at its first NUL, and the engine decodes one that is no UTF-8 with a loss: their bytes are read.
  const literals = columns.map((column) => {
    const special = `instr(${column}, char(0)) OR ${column} GLOB (${BEYOND_ASCII})`;
    return `CASE WHEN typeof(${column}) = 'text' AND (${special}) THEN CAST(${column} AS BLOB) ELSE quote(${column}) END`;
  });
  const encoding = all(db, "PRAGMA main.encoding")[0]?.[0] as string | undefined;
  const select = `SELECT ${literals.join(", ")} FROM main.${quoteName(table)}`;
  for (const values of db.prepare(select).raw().iterate()) {
    for (let i = 0; i < values.length; i++)
      if (typeof values[i] !== "string") values[i] = textLiteral(values[i] as Buffer, encoding);
    yield `${insert} VALUES(${values.join(",")});`;
  }
}

/** An expression that gives the text whose bytes are these, in the encoding of its database. */
function textLiteral(bytes: Buffer, encoding: string | undefined): string {
  if (encoding === "UTF-16le" || encoding === "UTF-16be") {
    const units = bytes.subarray(0, bytes.length & ~1);
    const text = (encoding === "UTF-16le" ? units : units.swap16()).toString("utf16le");
    // Not its bytes: the restored database need not have the encoding of this one.
    return joined(text.split("\0").map(quoteText));
  }
  if (isUtf8(bytes) && !bytes.includes(0)) return quoteText(bytes.toString());
  return `CAST(X'${bytes.toString("hex").toUpperCase()}' AS TEXT)`;
}

/** A NUL between each two. In halves: SQLite limits how deep an expression is. */
function joined(texts: string[]): string {
  if (texts.length === 1) return texts[0]!;
  const half = texts.length >> 1;
  return `(${joined(texts.slice(0, half))}||char(0)||${joined(texts.slice(half))})`;
}

function violatesForeignKeys(db: DumpSource): boolean {
  try {
    const [violation] = db.prepare("PRAGMA main.foreign_key_check").raw().iterate();
    if (violation !== undefined) return true;
  } catch (error) {
    // A foreign key that refers to no unique column cannot be checked, and no row can be inserted while keys are
    // enforced.
    if (messageOf(error).includes("foreign key mismatch")) return true;
    throw error;
  }
  return false;
}

function tokens(sql: string): string[] {
  const found: string[] = [];
  for (let at = skipBlank(sql, 0); at < sql.length; ) {
    const end = tokenEnd(sql, at);
    found.push(sql.slice(at, end));
    at = skipBlank(sql, end);
  }
  return found;
}

function unquoted(token: string): string {
  const quote = token.charAt(0);
  if (quote === "[") return token.slice(1, -1);
  return "'\"`".includes(quote) ? token.slice(1, -1).replaceAll(quote + quote, quote) : token;
}

function isAutoincrement(sql: string): boolean {
  return /autoincrement/i.test(sql) && tokens(sql).some((token) => token.toUpperCase() === "AUTOINCREMENT");
}

function virtualTables(db: DumpSource, tables: [name: string, sql: string][]): Map<string, VirtualTable> {
  const found = new Map<string, VirtualTable>();
  // SQLite itself writes these words, always in capitals.
  const declared = tables.filter(([, sql]) => sql.startsWith("CREATE VIRTUAL TABLE"));
  if (declared.length === 0) return found;
  const modules = new Set(all(db, "SELECT lower(name) FROM pragma_module_list").map(([name]) => name));
  const owners = new Set(
    shadows(
      db,
      declared.map(([name]) => name),
    ).values(),
  );
  for (const [name, sql] of declared) {
    const words = tokens(sql);
    const module = unquoted(words[5]!).toLowerCase();
    const options = moduleOptions(words.slice(6));
    const restore = modules.has(module) ? restoreOf(module, options, owners.has(name)) : "copy";
    found.set(name, { name, sql, module, options, restore });
  }
  return found;
}

function restoreOf(module: string, options: ReadonlyMap<string, string>, hasShadows: boolean): Restore {
  switch (module) {
    case "rtree":
    case "rtree_i32":
    case "geopoly":
    case "fts3":
      return "rows";
    case "fts4":
    case "fts5": {
      const content = options.get("content");
      // The locale of a value cannot be read back, and neither can a contentless index.
      if (content === "" || options.has("locale")) return "copy";
      return content === undefined ? "rows" : "rebuild";
    }
    default:
      return hasShadows ? "copy" : "declaration";
  }
}

/** The `name=value` arguments of a module. */
function moduleOptions(words: string[]): Map<string, string> {
  const options = new Map<string, string>();
  let depth = 0;
  for (const [index, word] of words.entries()) {
    if (word === "(") depth++;
    if (word === ")") depth--;
    if (depth !== 1 || (word !== "(" && word !== ",") || words[index + 2] !== "=") continue;
    const key = unquoted(words[index + 1]!).toLowerCase();
    const value = words[index + 3]!;
    // FTS5 accepts abbreviated option names.
    const option = ["content", "locale"].find((name) => name.startsWith(key)) ?? key;
    options.set(option, value === "," || value === ")" ? "" : unquoted(value));
  }
  return options;
}

/** Maps each shadow table to its virtual table. */
function shadows(db: DumpSource, owners: string[]): Map<string, string> {
  const found = new Map<string, string>();
  const longestFirst = owners.toSorted((a, b) => b.length - a.length);
  for (const [name] of all(
    db,
    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'",
  )) {
    const shadow = name as string;
    const owner = longestFirst.find((other) => shadow.toLowerCase().startsWith(`${other.toLowerCase()}_`));
    if (owner !== undefined) found.set(shadow, owner);
  }
  return found;
}

function shadowsRestoredByOwner(db: DumpSource, virtual: ReadonlyMap<string, VirtualTable>): Set<string> {
  if (virtual.size === 0) return new Set();
  const found = [...shadows(db, [...virtual.keys()])];
  return new Set(
    found.filter(([, owner]) => virtual.get(owner)?.restore !== "copy").map(([shadow]) => shadow),
  );
}

/** Declares a virtual table, and fills it through its module. */
function* declaration(
  db: DumpSource,
  { name, sql, module, options, restore }: VirtualTable,
): Generator<string> {
  const table = quoteName(name);
  yield terminated(sql);
  if (module === "fts5") {
    const config = `SELECT quote(k), quote(v) FROM main.${quoteName(`${name}_config`)} WHERE k <> 'version'`;
    for (const [key, value] of all(db, config) as [string, string][])
      yield `INSERT INTO ${table}(${table},rank) VALUES(${key},${value});`;
  }
  if (restore === "rebuild") {
    yield `INSERT INTO ${table}(${table}) VALUES('rebuild');`;
  } else if (restore === "rows") {
    const columns = visibleColumns(db, name).map(quoteName);
    if (module.startsWith("rtree")) {
      yield* rows(db, name, columns, `INSERT INTO ${table}`);
    } else {
      const language = options.get("languageid");
      const hidden = module === "fts4" && language !== undefined ? [quoteName(language)] : [];
      const listed = ["rowid", ...columns, ...hidden];
      yield* rows(db, name, listed, `INSERT INTO ${table}(${listed.join(",")})`);
    }
  }
}
