import type { Trial } from "./trial.ts";
import { aggregate } from "./trials/aggregate.ts";
import { batches } from "./trials/batch.ts";
import { blobStreams } from "./trials/blob.ts";
import { csvFiles } from "./trials/csv.ts";
import { fetch } from "./trials/fetch.ts";
import { firstRow } from "./trials/first-row.ts";
import { idle } from "./trials/idle.ts";
import { inserts } from "./trials/insert.ts";
import { iterate } from "./trials/iterate.ts";
import { million } from "./trials/million.ts";
import { mixed } from "./trials/mixed.ts";
import { nodeSqlite3 } from "./trials/node-sqlite3.ts";
import { opening } from "./trials/open.ts";
import { pointReads } from "./trials/point-read.ts";
import { prismaClients } from "./trials/prisma.ts";
import { reopening } from "./trials/reopen.ts";
import { tenants } from "./trials/tenants.ts";
import { transaction } from "./trials/transaction.ts";
import { uniqueInserts } from "./trials/unique.ts";

export const TRIALS: readonly Trial[] = [
  ...pointReads,
  batches,
  fetch,
  iterate,
  ...inserts,
  ...uniqueInserts,
  transaction,
  ...csvFiles,
  ...blobStreams,
  aggregate,
  mixed,
  firstRow,
  opening,
  reopening,
  tenants,
  idle,
  million,
  ...nodeSqlite3,
  ...prismaClients,
];
