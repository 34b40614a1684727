import type { Trial } from "./trial.ts";
import { aggregate } from "./trials/aggregate.ts";
import { fetch } from "./trials/fetch.ts";
import { idle } from "./trials/idle.ts";
import { inserts } from "./trials/insert.ts";
import { iterate } from "./trials/iterate.ts";
import { million } from "./trials/million.ts";
import { mixed } from "./trials/mixed.ts";
import { opening } from "./trials/open.ts";
import { pointReads } from "./trials/point-read.ts";
import { reopening } from "./trials/reopen.ts";
import { tenants } from "./trials/tenants.ts";
import { transaction } from "./trials/transaction.ts";

export const TRIALS: readonly Trial[] = [
  ...pointReads,
  fetch,
  iterate,
  ...inserts,
  transaction,
  aggregate,
  mixed,
  opening,
  reopening,
  tenants,
  idle,
  million,
];
