/** Something that users rely on, and what is done to break it. */
export interface PromiseKept {
  /** The first argument of `figure()`. */
  readonly key: string;
  readonly promise: string;
  /** What is done for real, not simulated. */
  readonly fault: string;
  /** In this folder. */
  readonly file: string;
}

/** All that docs/reliability.md promises, in its order. */
export const promises: readonly PromiseKept[] = [
  {
    key: "kill",
    promise: "An acknowledged write survives the process.",
    fault: "`kill -9` of a process with 16 writes in flight",
    file: "kill.test.ts",
  },
  {
    key: "pools",
    promise:
      "Of many databases, each is open once, and an acknowledged write to any of them survives the process.",
    fault: "`kill -9` of a process that opens and closes 10,000 databases, 64 at a time",
    file: "pools-kill.test.ts",
  },
  {
    key: "power",
    promise: "An acknowledged write was on the disk before.",
    fault: "a power cut at each acknowledgement, from a trace of the system calls",
    file: "power.test.ts",
  },
  {
    key: "thread-death",
    promise: "A thread that dies loses only what it was doing.",
    fault: "`process.exit()` inside SQL, heap limit, `terminate()`, at random moments",
    file: "thread-death.test.ts",
  },
  {
    key: "isolation",
    promise: "No caller sees or enters another's transaction.",
    fault: "concurrent histories of transactions, checked against a serial order",
    file: "isolation.test.ts",
  },
  {
    key: "locks",
    promise: "Locks of other processes are waited for, and nothing hangs on them.",
    fault: "processes that write to the same file, and some that die with the lock",
    file: "locks.test.ts",
  },
  {
    key: "disk",
    promise:
      "A disk that fails is an error with a class and a code, and costs nothing that was acknowledged.",
    fault: "full disk, file size limit, read-only and missing folders, corrupt, junk and deleted files",
    file: "disk.test.ts",
  },
  {
    key: "abort",
    promise: "An aborted call either did its work or did nothing, and says which.",
    fault: "aborts at random moments",
    file: "abort.test.ts",
  },
  {
    key: "close",
    promise: "Closing and exiting end in their time, whatever is going on.",
    fault: "close and exit while idle, busy, crashed, opening, closing, inside a transaction",
    file: "close.test.ts",
  },
  {
    key: "memory",
    promise: "Memory is bounded by what is in flight, not by what was done.",
    fault: "a million operations, callers that do not wait, slow consumers, forgotten connections",
    file: "memory.test.ts",
  },
  {
    key: "fair",
    promise: "Callers are served in order, and none starves.",
    fault: "callers that hold and flood a pool",
    file: "fair.test.ts",
  },
  {
    key: "values",
    promise: "A value comes back as it was stored, or is refused.",
    fault: "random and extreme values of every type, both ways",
    file: "values.test.ts",
  },
  {
    key: "hostile",
    promise: "Hostile input fails only its own call.",
    fault: "hostile SQL, names, parameters and options",
    file: "hostile.test.ts",
  },
  {
    key: "wire",
    promise: "Frames and replies say the same on both sides.",
    fault: "random frames and packets, well-formed and not",
    file: "wire.test.ts",
  },
];
