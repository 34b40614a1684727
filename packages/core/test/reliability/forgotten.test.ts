import { expect, it } from "vitest";
import { start } from "./child.ts";
import { figure, times, within } from "./scale.ts";

const often = times(12, 1000);
/**
 * What the test program itself keeps of each: a WeakRef and its memory in the heap. A thread's channel is 12,500 bytes.
 */
const BYTES = 1500;

it("what is closed, replaced or defined again leaves no heap, no thread and no descriptor", {
  timeout: within(60_000, 20 * 60_000),
}, async () => {
  const child = start("forgotten-trial.ts", [String(often)], {
    nodeOptions: ["--expose-gc"],
    limitMs: within(55_000, 19 * 60_000),
  });
  const { code, stdout, stderr } = await child.ended;
  expect(`${code} ${stderr}`).toBe("0 ");
  const left = JSON.parse(stdout) as Record<
    string,
    Record<"kept" | "heap" | "threads" | "descriptors", number>
  >;
  for (const [name, { kept, heap, threads, descriptors }] of Object.entries(left)) {
    expect([name, kept, threads, descriptors]).toEqual([name, 0, 0, 0]);
    // With only a few, other allocations are larger.
    if (often >= 1000) expect([name, heap]).toEqual([name, Math.min(heap, BYTES)]);
  }
  const most = Math.max(...Object.values(left).map(({ heap }) => heap));
  figure(
    "memory",
    `${often} each of ${Object.keys(left).length} things closed, replaced and forgotten: nothing kept, ${most} bytes each at the most`,
  );
});
