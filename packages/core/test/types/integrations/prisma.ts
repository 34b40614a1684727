// Compiled by the compilers of declarations.test.ts and never run.
import { createPool } from "@sqlite-aio/core";
import { PrismaSqliteAio } from "@sqlite-aio/core/prisma";
import type { SqlDriverAdapterFactory } from "@prisma/driver-adapter-utils";

export const byUrl: SqlDriverAdapterFactory = new PrismaSqliteAio({ url: "file:app.db" });

export async function byPool(): Promise<SqlDriverAdapterFactory> {
  return new PrismaSqliteAio({ pool: await createPool("app.db") });
}

// @ts-expect-error neither a file nor a pool
export const wrong = new PrismaSqliteAio({});
