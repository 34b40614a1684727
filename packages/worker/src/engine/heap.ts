import { getHeapStatistics } from "node:v8";

/** Three times what a thread uses that has served a few hundred short connections, in bytes. */
const MAX_BYTES = 32 * 1024 * 1024;

/**
 * Whether this thread's JavaScript uses too much memory to keep the thread for another connection. What counts is used,
 * not what V8 has reserved: in the middle of a scavenge that is twice the young generation, whatever the connection did.
 */
export function heapHasGrown(): boolean {
  const { used_heap_size: heap, external_memory: buffers } = getHeapStatistics();
  return heap + buffers > MAX_BYTES;
}
