import type { Connection, Pool } from "@sqlite-aio/core";
import { until } from "./pool-support.ts";

/** A query that gives no row and never ends by itself. */
export const endless =
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS c FROM n";

/** Inserts rows into the table `t (x)` without end. */
export const endlessInsert =
  "INSERT INTO t (x) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";

/** Tells when a thread is in the midst of a statement. */
export interface Entrance {
  /** `sql`, which reads `n`, and says so when it has begun. */
  readonly within: (sql: string) => string;
  /** Resolves when that many statements have begun in all. */
  readonly entered: (statements: number) => Promise<void>;
}

export async function entrance(db: Pick<Pool | Connection, "createFunction">): Promise<Entrance> {
  let begun = 0;
  await db.createFunction("enter", 0, () => ++begun);
  return {
    within: (sql) => `${sql} WHERE i > 1 OR enter()`,
    entered: async (statements) => await until(() => begun >= statements),
  };
}
