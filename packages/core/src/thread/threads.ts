import { checkOptions, integer } from "../options/connect-options.js";
import { parked, startAhead } from "./start-thread.js";

/** How many threads are kept for later connections, and for how long. */
export interface ParkingOptions {
  /** Maximum number of threads. Default 4; 0: each connection has its own thread, which ends with it. */
  max?: number | undefined;
  /** Milliseconds after which an unused thread ends. Default 5000; 0: never. */
  idleTimeout?: number | undefined;
}

/**
 * Sets how many threads of closed connections this process keeps for later connections, and for how long. Omitted
 * options stay as they are. A thread that has run user code is never kept. Throws TypeError or RangeError.
 *
 * @example
 * parkThreads({ max: 0 }); // a new thread for every connection
 */
export function parkThreads(options: ParkingOptions): void {
  const { max, idleTimeout } = checkOptions(options, ["max", "idleTimeout"]);
  const before = parked.limits;
  parked.limits = {
    max: integer(max, "max", before.max, 0),
    idleTimeout: integer(idleTimeout, "idleTimeout", before.idleTimeout, 0),
  };
}

/**
 * Starts threads ahead until `count` wait for connections. Resolves when they are ready. Rejects with a RangeError if
 * {@link parkThreads} allows fewer, and with a WorkerCrashedError if one cannot start.
 *
 * @example
 * await startThreads(2); // while the program loads: opening a pool takes a millisecond then
 */
export async function startThreads(count: number): Promise<void> {
  const wanted = integer(count, "count", 1, 0);
  const { max } = parked.limits;
  if (wanted > max)
    throw new RangeError(`count must be at most ${max}, as parkThreads() says; it is ${wanted}`);
  await startAhead(wanted);
}
