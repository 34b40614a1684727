import { skipBlank, tokenEnd, withoutQuotes } from "./tokens.js";

/** Pragmas of encrypting engines whose value is a key. */
const KEY_PRAGMAS = new Set(["key", "rekey", "hexkey", "hexrekey", "textkey", "textrekey"]);

/** A key among the parameters of a URI file name. */
const URI_KEY = /[?&](?:hex|text)?key=([^&'"]*)/gi;

const HIDDEN = "***";

interface Span {
  readonly start: number;
  readonly end: number;
}

/** `sql` with `***` in place of every key, to show it to users. */
export function withoutKeys(sql: string): string {
  let shown = "";
  let from = 0;
  for (const { start, end } of keySpans(sql)) {
    shown += sql.slice(from, start) + HIDDEN;
    from = end;
  }
  return from === 0 ? sql : shown + sql.slice(from);
}

/** SQLite's message about `sql`; another text if it quotes a part of a key. */
export function messageWithoutKeys(message: string, sql: string): string {
  const quoted = message.slice(message.indexOf('"') + 1, Math.max(0, message.lastIndexOf('"')));
  for (const { start, end } of keySpans(sql)) {
    const parts = spansOf(sql, start, end).map((token) => plain(sql, token));
    const told = parts.some((part) => part !== "" && message.includes(part));
    if (told || (quoted !== "" && sql.slice(start, end).includes(quoted)))
      return "the message quotes a key and is withheld";
  }
  return message;
}

function keySpans(sql: string): Span[] {
  if (!/key/i.test(sql)) return [];
  const spans: Span[] = [];
  let statement: Span[] = [];
  const ended = (): void => {
    spans.push(...keysOf(sql, statement));
    statement = [];
  };
  for (const token of spansOf(sql, 0, sql.length)) {
    if (sql.charCodeAt(token.start) === 59) ended();
    else statement.push(token);
  }
  ended();
  return spans;
}

/** The keys of one statement. */
function keysOf(sql: string, tokens: readonly Span[]): Span[] {
  const word = (i: number): string => plain(sql, tokens[i]).toLowerCase();
  const rest = (i: number, last = tokens.at(-1)): Span[] =>
    tokens[i] === undefined || last === undefined ? [] : [{ start: tokens[i].start, end: last.end }];
  let at = 0;
  if (word(at) === "explain") at += word(at + 1) === "query" ? 3 : 1;
  if (word(at) === "pragma") {
    const name = word(at + 2) === "." ? at + 3 : at + 1;
    if (!KEY_PRAGMAS.has(word(name))) return [];
    if (word(name + 1) === "=") return rest(name + 2);
    if (word(name + 1) !== "(") return [];
    return rest(name + 2, word(tokens.length - 1) === ")" ? tokens.at(-2) : tokens.at(-1));
  }
  if (word(at) !== "attach" && word(at) !== "vacuum") return [];
  // KEY may also be the name of the schema.
  const key = tokens.findIndex(
    ({ start, end }, i) => sql.slice(start, end).toLowerCase() === "key" && word(i - 1) !== "as",
  );
  const names = tokens.slice(0, key < 0 ? tokens.length : key).flatMap((token) => uriKeys(sql, token));
  return key < 0 ? names : [...names, ...rest(key + 1)];
}

function uriKeys(sql: string, { start, end }: Span): Span[] {
  return [...sql.slice(start, end).matchAll(URI_KEY)].map(({ 0: found, 1: value = "", index }) => {
    const to = start + index + found.length;
    return { start: to - value.length, end: to };
  });
}

function spansOf(sql: string, from: number, to: number): Span[] {
  const tokens: Span[] = [];
  for (let start = skipBlank(sql, from); start < to; ) {
    const end = tokenEnd(sql, start);
    tokens.push({ start, end });
    start = skipBlank(sql, end);
  }
  return tokens;
}

/** A token without the quotes around it. */
function plain(sql: string, token: Span | undefined): string {
  return token === undefined ? "" : withoutQuotes(sql.slice(token.start, token.end));
}
