// Compiled by the compilers of declarations.test.ts and never run.
import { createDriver, type TypeormDriver } from "@sqlite-aio/core/typeorm";
import type { ExpoDataSourceOptions } from "typeorm/driver/expo/ExpoDataSourceOptions.js";

const driver: TypeormDriver = createDriver();

export const options: ExpoDataSourceOptions = { type: "expo", database: "app.db", driver };

// @ts-expect-error an option that there is not
export const wrong = createDriver({ reader: 2 });
