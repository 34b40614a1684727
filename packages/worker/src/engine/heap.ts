import { getHeapStatistics } from "node:v8";

/** Bytes of a thread that has just served a connection, several times over. */
const MAX_BYTES = 32 * 1024 * 1024;

/** Whether this thread's JavaScript has taken more memory than it is worth keeping a thread for. */
export function heapHasGrown(): boolean {
  const { total_heap_size: heap, external_memory: buffers } = getHeapStatistics();
  return heap + buffers > MAX_BYTES;
}
