import type { PoolOptions } from "@sqlite-aio/core";

/** A way to open the database. `plain` pools have equal connections that read and write. */
export interface Setup {
  readonly title: string;
  readonly options: PoolOptions;
}

/** The setup with which the others are compared. */
export const single: Setup = { title: "single connection", options: { readers: 0, writers: 1 } };

export const pools: readonly Setup[] = [
  { title: "pool of 2", options: { readers: 0, writers: 2 } },
  { title: "pool of 4", options: { readers: 0, writers: 4 } },
  { title: "pool of 8", options: { readers: 0, writers: 8 } },
  { title: "default pool", options: {} },
];

export const setups: readonly Setup[] = [single, ...pools];

export type Synchronous = "FULL" | "NORMAL";

export const synchronousModes: readonly Synchronous[] = ["FULL", "NORMAL"];
