import { expect } from "vitest";
import { start } from "./child.ts";

/**
 * Runs a script that writes "begin", and then a line for each write that was acknowledged, and kills it when there are more
 * than `wanted` lines. Gives the lines that were whole by then.
 */
export async function killedWriter(
  script: string,
  args: readonly string[],
  wanted: number,
): Promise<readonly string[]> {
  let lines = 0;
  const child = start(script, args, {
    limitMs: 60_000,
    onText: (text) => {
      lines += text.split("\n").length - 1;
      if (lines > wanted) child.kill("SIGKILL");
    },
  });
  const { signal, stdout, stderr } = await child.ended;
  expect({ signal, stderr }).toEqual({ signal: "SIGKILL", stderr: "" });
  const [begin, ...acknowledgements] = stdout.slice(0, stdout.lastIndexOf("\n")).split("\n");
  expect(begin).toBe("begin");
  return acknowledgements;
}
