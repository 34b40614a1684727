import type { Member } from "./member.js";

/** Which members will do. */
export interface Want {
  /**
   * Where there are several. `idle`: a member with nothing under way; `quick`: also one whose calls are all known to be quick; `any`: also one
   * whose calls are not, where there is no other to wait for; `lease`: an idle one that is held until it is given back.
   */
  readonly need: "idle" | "quick" | "any" | "lease";
  /** Milliseconds that it will take, as far as is known. */
  readonly cost: number;
}

/** What takes no time worth counting. */
export const ANY: Want = { need: "any", cost: 0 };

/** What waits for a member. */
export interface Request extends Want {
  readonly place: (member: Member) => void;
  readonly refuse: (reason: unknown) => void;
  timer?: NodeJS.Timeout | undefined;
}

/** How many members a group may have. */
export interface Bounds {
  /** For calls, and for leases where they are not counted apart. */
  readonly calls: number;
  /** As many more where all of them are busy with long statements. */
  readonly relief: number;
  /** Members that are leased at a time, besides those; 0 if leases take what there is for calls. */
  readonly leases: number;
}
