import { skipBlank, tokenEnd } from "@sqlite-aio/worker/sql";

/** A statement that begins or ends a transaction or one of its savepoints. */
export type TransactionStatement =
  | { readonly verb: "begin"; readonly mode: "deferred" | "immediate" | "exclusive" }
  | { readonly verb: "commit" | "rollback" }
  | { readonly verb: "savepoint" | "release"; readonly name: string };

const MODES: Readonly<Record<string, "immediate" | "exclusive">> = {
  IMMEDIATE: "immediate",
  EXCLUSIVE: "exclusive",
};

/** What a statement does to the transaction; null if it leaves that open or closed, as ROLLBACK TO does. */
export function transactionStatement(sql: string): TransactionStatement | null {
  const [verb = "", ...rest] = firstTokens(sql, 5);
  const words = rest.map((token) => token.toUpperCase());
  switch (verb.toUpperCase()) {
    case "BEGIN":
      return { verb: "begin", mode: MODES[words[0] ?? ""] ?? "deferred" };
    case "COMMIT":
    case "END":
      return { verb: "commit" };
    case "ROLLBACK":
      return words.slice(0, 2).includes("TO") ? null : { verb: "rollback" };
    case "SAVEPOINT":
      return { verb: "savepoint", name: unquoted(rest[0] ?? "") };
    case "RELEASE":
      return { verb: "release", name: unquoted(rest[words[0] === "SAVEPOINT" ? 1 : 0] ?? "") };
    default:
      return null;
  }
}

function firstTokens(sql: string, count: number): string[] {
  const tokens: string[] = [];
  for (let at = skipBlank(sql, 0); at < sql.length && tokens.length < count; ) {
    const end = tokenEnd(sql, at);
    tokens.push(sql.slice(at, end));
    at = skipBlank(sql, end);
  }
  return tokens;
}

/** A name as SQLite compares it: without its quotes, and in any case. */
function unquoted(token: string): string {
  const quote = token[0] ?? "";
  const bare =
    quote === "["
      ? token.slice(1, -1)
      : /["'`]/.test(quote)
        ? token.slice(1, -1).replaceAll(quote + quote, quote)
        : token;
  return bare.toLowerCase();
}
