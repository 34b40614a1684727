import { getHeapStatistics } from "node:v8";

/** Several times the memory of a thread that has just served a connection, in bytes. */
const MAX_BYTES = 32 * 1024 * 1024;

/** Whether this thread's JavaScript uses too much memory to keep the thread for another connection. */
export function heapHasGrown(): boolean {
  const { total_heap_size: heap, external_memory: buffers } = getHeapStatistics();
  return heap + buffers > MAX_BYTES;
}
