/** Ways to write; each of them is acknowledged in its own way. */
export const KINDS = ["autocommit", "transaction", "many", "commit"] as const;
export type Kind = (typeof KINDS)[number];

/** Writes that are in flight at a time. */
export const IN_FLIGHT = 16;

export const TABLE = "CREATE TABLE written (id INTEGER, part INTEGER, body TEXT, PRIMARY KEY (id, part))";
export const INSERT = "INSERT INTO written (id, part, body) VALUES (?, ?, ?)";

/** Rows that one write is made of: all of them are stored, or none. */
export function partsOf(kind: Kind): number {
  return kind === "transaction" ? 3 : kind === "many" ? 10 : 1;
}

/** What a row holds: of a length that makes some rows share pages, and others take several. */
export function bodyOf(id: number, part: number): string {
  return `${id}/${part}:`.padEnd(20 + ((id * 37 + part) % 700), String(id % 10));
}
