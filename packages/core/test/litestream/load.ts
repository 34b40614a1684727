import { createHash } from "node:crypto";

/** Callers that write at the same time. */
export const CALLERS = 8;

export const SCHEMA = `
  CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
  CREATE TABLE booking (id INTEGER NOT NULL, side TEXT NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (id, side));
`;

/** Every fourth write is a transaction of two rows, which belong together. */
export const isBooking = (id: number): boolean => id % 4 === 3;

export const amountOf = (id: number): number => (id * 7919) % 1000;

/** A text that only the write of this number can have written, of 64 to 1,984 characters. */
export function textOf(life: string, id: number): string {
  const digest = createHash("sha256").update(`${life} ${id}`).digest("hex");
  return digest.repeat(1 + (id % 31));
}
