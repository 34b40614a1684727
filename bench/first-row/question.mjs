import { writeSync } from "node:fs";

export const [, , file] = process.argv;
export const SQL = "select id, name, price, stock from items where id = ?";

/** Reports the row to the parent process at once. */
export function said(name) {
  writeSync(1, `${name}\n`);
}
