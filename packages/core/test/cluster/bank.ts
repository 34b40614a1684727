import type { BatchStatement } from "@sqlite-aio/core";

/** Number of accounts, and their initial balance. */
export const ACCOUNTS = 20;
export const BALANCE = 1000;

export const SCHEMA: readonly BatchStatement[] = [
  "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
  "CREATE TABLE entry (transfer TEXT NOT NULL, account INTEGER NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (transfer, account))",
  `WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ${ACCOUNTS})
   INSERT INTO account SELECT id, ${BALANCE} FROM n`,
];

/** Moves an amount from one account to another, with an entry for each: four statements, all of them or none. */
export function transfer(
  name: string,
  from: number,
  to: number,
  amount: number,
): [sql: string, values: unknown[]][] {
  return [
    ["UPDATE account SET balance = balance - ? WHERE id = ?", [amount, from]],
    ["INSERT INTO entry VALUES (?, ?, ?)", [name, from, -amount]],
    ["UPDATE account SET balance = balance + ? WHERE id = ?", [amount, to]],
    ["INSERT INTO entry VALUES (?, ?, ?)", [name, to, amount]],
  ];
}

/** One row: all zero wherever no transfer is torn. */
export const AUDIT = `
  SELECT
    (SELECT sum(balance) FROM account) - ${ACCOUNTS * BALANCE} AS money,
    (SELECT count(*) FROM (SELECT 1 FROM entry GROUP BY transfer HAVING count(*) <> 2 OR sum(amount) <> 0)) AS halves,
    (SELECT count(*) FROM account WHERE balance <> ${BALANCE} + coalesce((SELECT sum(amount) FROM entry WHERE account = account.id), 0)) AS wrong`;

/** The result of AUDIT if all is well. */
export const SOUND = { money: 0, halves: 0, wrong: 0 };
