import type { Mutant } from "../mutant.ts";
import { CONNECTION } from "./connection.ts";
import { NATIVE } from "./native.ts";
import { POOL } from "./pool.ts";
import { PROMISES } from "./promises.ts";
import { THREAD } from "./thread.ts";
import { WORKER_HANDLE } from "./worker-handle.ts";
import { WORKER_LOOP } from "./worker-loop.ts";
import { WORKER_WIRE } from "./worker-wire.ts";

export const MUTANTS: readonly Mutant[] = [
  ...POOL,
  ...CONNECTION,
  ...THREAD,
  ...WORKER_LOOP,
  ...WORKER_HANDLE,
  ...WORKER_WIRE,
  ...NATIVE,
  ...PROMISES,
];
