// A SQL function that collects the garbage of the thread it runs in.
export function collect() {
  globalThis.gc({ type: "major", execution: "sync", flavor: "last-resort" });
  return 0;
}
