import { firstTokens, nameOf, upperCase } from "./tokens.js";

/** The effect of a statement on the transaction or a savepoint. */
export type TransactionStatement =
  | { readonly verb: "begin"; readonly mode: "deferred" | "immediate" | "exclusive" }
  | { readonly verb: "commit" | "rollback" }
  | { readonly verb: "savepoint" | "release" | "rollback to"; readonly name: string };

const MODES: Readonly<Record<string, "immediate" | "exclusive">> = {
  IMMEDIATE: "immediate",
  EXCLUSIVE: "exclusive",
};

/** Parses a transaction statement; null for any other. */
export function transactionStatement(sql: string): TransactionStatement | null {
  const [verb = "", ...rest] = firstTokens(sql, 6);
  const words = rest.map(upperCase);
  switch (upperCase(verb)) {
    case "BEGIN":
      return { verb: "begin", mode: MODES[words[0] ?? ""] ?? "deferred" };
    case "COMMIT":
    case "END":
      return { verb: "commit" };
    case "ROLLBACK": {
      const to = words.indexOf("TO");
      if (to < 0) return { verb: "rollback" };
      return {
        verb: "rollback to",
        name: nameOf(rest[words[to + 1] === "SAVEPOINT" ? to + 2 : to + 1] ?? ""),
      };
    }
    case "SAVEPOINT":
      return { verb: "savepoint", name: nameOf(rest[0] ?? "") };
    case "RELEASE":
      return { verb: "release", name: nameOf(rest[words[0] === "SAVEPOINT" ? 1 : 0] ?? "") };
    default:
      return null;
  }
}
