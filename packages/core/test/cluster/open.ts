import { createPool, type ClusterPool, type PrimaryOptions, type ReplicaOptions } from "@sqlite-aio/core";
import { onTestFinished } from "vitest";
import { temporaryPath } from "../support/database.ts";
import type { Server } from "./server.ts";

/** A pool over a replica of a server, in a file of its own unless told otherwise, that is closed when the test is over. */
export async function openReplica(
  primary: { readonly url: string },
  settings: Omit<PrimaryOptions, "url"> = {},
  path?: string,
  options: Omit<ReplicaOptions, "engine" | "primary"> = {},
): Promise<ClusterPool> {
  const pool = await createPool(path ?? (await temporaryPath("replica.db")), {
    engine: "libsql",
    primary: { url: primary.url, syncInterval: 50, ...settings },
    ...options,
  });
  onTestFinished(() => pool.close({ timeout: 1000 }));
  return pool;
}

/** A pool over a server without a replica. */
export async function openRemote(primary: Pick<Server, "url">, authToken?: string): Promise<ClusterPool> {
  const pool = await createPool(primary.url as `http://${string}`, { engine: "libsql", authToken });
  onTestFinished(() => pool.close({ timeout: 1000 }));
  return pool;
}
