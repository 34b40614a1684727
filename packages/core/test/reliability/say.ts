import { writeSync } from "node:fs";

const clock = new Int32Array(new SharedArrayBuffer(4));

/** Writes a line to the parent synchronously, so that it arrives whatever happens to this process afterwards. */
export function say(text: string): void {
  let rest = Buffer.from(`${text}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      // The parent has not read what is there already.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(clock, 0, 0, 1);
    }
  }
}
