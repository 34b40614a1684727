import { spawnSync } from "node:child_process";

const NAME = "SQLITE_AIO_TIME_FACTOR";

/** Milliseconds that Node needs to start and end on an idle machine. */
const QUIET_START_MS = 45;

/**
 * The factor for all time limits of the tests, compared with an idle machine: the variable `SQLITE_AIO_TIME_FACTOR`, or
 * else measured by how long a process takes to start now. The load may grow while the tests run, so it is doubled.
 */
export function timeFactor(): number {
  const given = process.env[NAME];
  if (given === undefined) return calibrated();
  const factor = Number(given);
  if (!(factor >= 1)) throw new RangeError(`${NAME} must be a number of at least 1, not "${given}"`);
  return factor;
}

function calibrated(): number {
  const times = [1, 2, 3].map(() => {
    const began = performance.now();
    spawnSync(process.execPath, ["-e", "0"]);
    return performance.now() - began;
  });
  const ratio = Math.min(...times) / QUIET_START_MS;
  return Math.min(20, Math.max(1, Math.ceil(2 * ratio)));
}
