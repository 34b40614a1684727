// 0 is any other character: an operator, or one that SQLite does not know.
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

// SQLite treats a byte order mark as white space between tokens, and as a letter inside one.
const BYTE_ORDER_MARK = 0xfeff;

function classOf(code: number): number {
  return code < 128 ? (CLASS[code] as number) : ID;
}

// charCodeAt gives NaN past the end, which must not count as a letter.
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

// The suffixes `::` and `(...)` exist for TCL. Engines that are built without them, like better-sqlite3, reject such a
// text, so there it does not matter how it is read.
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

/** The tokens of `sql`, in order and unchanged. */
export function* tokensOf(sql: string): Generator<string, void, undefined> {
  for (let at = skipBlank(sql, 0); at < sql.length; ) {
    const end = tokenEnd(sql, at);
    yield sql.slice(at, end);
    at = skipBlank(sql, end);
  }
}

/** The first tokens of the first statement that is not empty, at most `most`. */
export function firstTokens(sql: string, most: number): string[] {
  const found: string[] = [];
  for (const token of tokensOf(sql)) {
    if (token === ";") {
      if (found.length > 0) break;
    } else if (found.push(token) === most) break;
  }
  return found;
}

/**
 * A token in upper case, to compare it with keywords. Only ASCII letters change: the upper case of a dotless i would be
 * I.
 */
export function upperCase(token: string): string {
  return token.replaceAll(/[a-z]+/g, (letters) => letters.toUpperCase());
}

/** A token without its quotes; the second one may be missing. */
export function withoutQuotes(token: string): string {
  const quote = token.charAt(0);
  if (quote === "[") return token.slice(1).replace(/\]$/, "");
  if (quote !== "'" && quote !== '"' && quote !== "`") return token;
  const inner = token.length > 1 && token.endsWith(quote) ? token.slice(1, -1) : token.slice(1);
  return inner.replaceAll(quote + quote, quote);
}

/** A name in the form in which SQLite compares it: without quotes, in lower case. */
export function nameOf(token: string): string {
  return withoutQuotes(token).toLowerCase();
}
