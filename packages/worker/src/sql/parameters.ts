/** The bind parameters of one statement, as SQLite numbers them. */
export interface ParameterList {
  /** How many values the statement takes: the highest index in use. */
  readonly count: number;
  /** By index - 1 the full name (":a", "?5"), `null` where anonymous; `null` altogether when no parameter has a name. */
  readonly names: readonly (string | null)[] | null;
}

const NONE: ParameterList = { count: 0, names: null };

/** SQLITE_MAX_VARIABLE_NUMBER; the engine refuses a higher `?NNN`. */
const MAX_INDEX = 32766;

// 0 is any other character: an operator, or nothing the engine knows.
const SPACE = 1;
const ID = 2;
const DIGIT = 3;
const DOLLAR = 4;
const NAMED = 5;
const NUMBERED = 6;
const QUOTE = 7;
const BRACKET = 8;

const CLASS = new Uint8Array(128);
for (const [characters, kind] of [
  [" \t\n\f\r", SPACE],
  ["ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz", ID],
  ["0123456789", DIGIT],
  ["$", DOLLAR],
  [":@#", NAMED],
  ["?", NUMBERED],
  ["'\"`", QUOTE],
  ["[", BRACKET],
] as const) {
  for (const character of characters) CLASS[character.charCodeAt(0)] = kind;
}

// The engine takes a byte order mark for white space where a token may start, and for a letter inside one.
const BYTE_ORDER_MARK = 0xfeff;

function classOf(code: number): number {
  return code < 128 ? (CLASS[code] as number) : ID;
}

// NaN, which charCodeAt gives past the end, must not count as a letter.
function isIdentifier(code: number): boolean {
  if (code >= 128) return true;
  const kind = CLASS[code];
  return kind === ID || kind === DIGIT || kind === DOLLAR;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/**
 * Index of the first character at or after `at` that is neither white space nor part of a comment, or the length.
 * @internal
 */
export function skipBlank(sql: string, at: number): number {
  for (;;) {
    const code = sql.charCodeAt(at);
    if (code < 128 ? CLASS[code] === SPACE : code === BYTE_ORDER_MARK) {
      at++;
    } else if (code === 45 && sql.charCodeAt(at + 1) === 45) {
      const end = sql.indexOf("\n", at + 2);
      if (end < 0) return sql.length;
      at = end + 1;
    } else if (code === 47 && sql.charCodeAt(at + 1) === 42 && at + 2 < sql.length) {
      const end = sql.indexOf("*/", at + 2);
      if (end < 0) return sql.length;
      at = end + 2;
    } else {
      return at;
    }
  }
}

/**
 * End of the token that starts at `at`, where `skipBlank` stopped, by the rules of SQLite's tokenizer; operators are
 * taken one character at a time. An unterminated token runs to the end of the text.
 * @internal
 */
export function tokenEnd(sql: string, at: number): number {
  switch (classOf(sql.charCodeAt(at))) {
    case ID: {
      let end = at + 1;
      // A blob literal needs no case: x'..' ends where the quoted token after its letter ends.
      while (isIdentifier(sql.charCodeAt(end))) end++;
      return end;
    }
    case DIGIT: {
      let end = at + 1;
      for (let code = sql.charCodeAt(end); code === 46 || isIdentifier(code); code = sql.charCodeAt(end))
        end++;
      return end;
    }
    case QUOTE: {
      const quote = sql.charAt(at);
      for (let end = at + 1; ; end += 2) {
        end = sql.indexOf(quote, end);
        if (end < 0) return sql.length;
        if (sql.charAt(end + 1) !== quote) return end + 1;
      }
    }
    case BRACKET: {
      const end = sql.indexOf("]", at + 1);
      return end < 0 ? sql.length : end + 1;
    }
    case NUMBERED: {
      let end = at + 1;
      while (isDigit(sql.charCodeAt(end))) end++;
      return end;
    }
    case NAMED:
    case DOLLAR:
      return nameEnd(sql, at);
    default:
      return at + 1;
  }
}

// The suffixes `::` and `(...)` exist for TCL. better-sqlite3 is built without them and rejects such a text, other
// engines are not; where they are rejected it makes no difference how the text is read.
function nameEnd(sql: string, at: number): number {
  let end = at + 1;
  let letters = 0;
  for (; ; end++) {
    const code = sql.charCodeAt(end);
    if (isIdentifier(code)) {
      letters++;
    } else if (code === 58 && sql.charCodeAt(end + 1) === 58) {
      end++;
    } else if (code === 40 && letters > 0) {
      for (end++; end < sql.length; end++) {
        const inner = sql.charCodeAt(end);
        if (inner === 41) return end + 1;
        if (classOf(inner) === SPACE) break;
      }
      return end;
    } else {
      return end;
    }
  }
}

/**
 * Finds the bind parameters of one statement and numbers them as the engine does
 * (https://sqlite.org/lang_expr.html#varparam). Never throws: what the engine would reject is passed over.
 */
export function scanParameters(sql: string): ParameterList {
  if (!/[?:@$#]/.test(sql)) return NONE;
  let count = 0;
  let names: (string | null)[] | null = null;
  let seen: Set<string> | null = null;
  for (let at = skipBlank(sql, 0); at < sql.length; ) {
    const kind = classOf(sql.charCodeAt(at));
    const end = tokenEnd(sql, at);
    if (kind === NUMBERED && end === at + 1) {
      count++;
      names?.push(null);
    } else if (kind === NUMBERED) {
      const index = Number(sql.slice(at + 1, end));
      if (index >= 1 && index <= MAX_INDEX) {
        names ??= unnamed(count);
        while (count < index) count = names.push(null);
        // The first name an index gets stays: in ":a, ?1" both are ":a".
        names[index - 1] ??= sql.slice(at, end);
      }
    } else if ((kind === NAMED || kind === DOLLAR) && isName(sql, at, end)) {
      const name = sql.slice(at, end);
      seen ??= new Set();
      if (!seen.has(name)) {
        seen.add(name);
        names ??= unnamed(count);
        count = names.push(name);
      }
    }
    at = skipBlank(sql, end);
  }
  if (count === 0 || isVirtualTable(sql)) return NONE;
  return { count, names };
}

function unnamed(count: number): null[] {
  return Array.from({ length: count }, () => null);
}

// "#1" is the engine's own register syntax, an error in a user's text; "#a" is a parameter like ":a".
function isName(sql: string, at: number, end: number): boolean {
  let first = at + 1;
  while (sql.charCodeAt(first) === 58) first++;
  return first < end && !(sql.charCodeAt(at) === 35 && isDigit(sql.charCodeAt(at + 1)));
}

// A module's arguments are handed to it as text, so nothing in them is a parameter.
function isVirtualTable(sql: string): boolean {
  let at = 0;
  const next = (): string => {
    const start = skipBlank(sql, at);
    at = tokenEnd(sql, start);
    return sql.slice(start, at).toUpperCase();
  };
  let word = next();
  while (word === ";" || word === "EXPLAIN" || word === "QUERY" || word === "PLAN") word = next();
  return word === "CREATE" && next() === "VIRTUAL";
}

/**
 * The first keyword of a statement in upper case ("INSERT", "WITH", "BEGIN"), past white space, comments and empty
 * statements; "" when the text does not start with a word.
 */
export function statementKeyword(sql: string): string {
  let at = skipBlank(sql, 0);
  while (sql.charCodeAt(at) === 59) at = skipBlank(sql, at + 1);
  const word = sql.slice(at, tokenEnd(sql, at));
  // Only ASCII may be folded: the upper case of a dotless i is an I.
  return /^[A-Za-z_]+$/.test(word) ? word.toUpperCase() : "";
}
