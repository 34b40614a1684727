import { vi } from "vitest";
import { timeFactor } from "./time-factor.ts";

/** Waits until `assertion` no longer throws; if it does for too long, its last error is the test's. */
export async function eventually(assertion: () => unknown): Promise<void> {
  // By itself vitest gives up after a second, which a busy machine needs for anything.
  await vi.waitFor(async () => void (await assertion()), { timeout: 9000 * timeFactor(), interval: 5 });
}
