import { PrimaryError, SqliteError } from "../../errors/errors.js";
import { isInstance } from "../../errors/is-instance.js";
import type { Deadline } from "../../options/deadline.js";
import type { Primary } from "./primary.js";
import type { PrimaryStream } from "./primary-stream.js";

/** Runs `work` between BEGIN and COMMIT on a connection of its own. */
export async function runTransaction<T>(
  primary: Primary,
  mode: "deferred" | "immediate" | "exclusive",
  deadline: Deadline,
  work: (stream: PrimaryStream) => Promise<T>,
): Promise<T> {
  const stream = await deadline.race(primary.open());
  try {
    await deadline.race(stream.begin(mode));
    const result = await deadline.race(work(stream));
    await deadline.race(stream.commit());
    return result;
  } catch (error) {
    // In the background where the caller has given up.
    const undone = stream.rollback().catch(() => {});
    if (!deadline.over) await undone;
    throw error;
  } finally {
    stream.close();
  }
}

/** Whether a transaction has failed without a trace of it, for a reason that may have passed. */
export function isUndone(error: unknown): boolean {
  if (isInstance(error, PrimaryError)) return error.outcome === "not-started";
  return (
    isInstance(error, SqliteError) &&
    (error.code.startsWith("SQLITE_BUSY") || error.code === "SQLITE_ABORT_ROLLBACK")
  );
}
