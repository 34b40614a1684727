import { vi } from "vitest";
import { timeFactor } from "./time-factor.ts";

/** Waits until `assertion` no longer throws. After too long, its last error fails the test. */
export async function eventually(assertion: () => unknown): Promise<void> {
  // vitest's default limit is a second, which is too short on a busy machine.
  await vi.waitFor(async () => void (await assertion()), { timeout: 9000 * timeFactor(), interval: 5 });
}
