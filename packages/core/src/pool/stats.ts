import { statSync } from "node:fs";
import type { MemberGroup } from "./member-group.js";
import type { ResolvedPoolOptions } from "./options.js";

/** One thread of a pool. */
export interface ThreadStats {
  /** Whether it reads or writes. */
  role: "reader" | "writer";
  /** Calls under way. */
  queued: number;
  /** Calls answered since it was opened. */
  executed: number;
  /** `transaction()`, `read()`, `iterate()` or `acquire()` while it is leased. */
  heldBy: string | null;
  /** It runs a statement that its caller has given up. */
  stuck: boolean;
}

/** The state of a pool. */
export interface PoolStats {
  /** Open connections that write. */
  writers: number;
  /** Open connections that only read. */
  readers: number;
  /** Idle connections of both kinds. */
  idle: number;
  /** Connections of both kinds that run calls or are leased. */
  busy: number;
  /** Calls that wait for a connection. */
  waiting: number;
  /** Calls that were sent to a connection and are not answered. */
  queued: number;
  /** Calls that are not finished, including leases. */
  pending: number;
  /** Calls that the open connections have answered. */
  executed: number;
  /** Calls that they have answered for the pool itself, mainly checkpoints. No other number includes them. */
  housekeeping: number;
  /** Threads that died and were replaced. */
  respawned: number;
  /** Size of the write-ahead log in bytes; 0 if there is none. */
  walBytes: number;
  /** One entry per thread. */
  threads: ThreadStats[];
}

export function poolStats(
  options: ResolvedPoolOptions,
  writers: MemberGroup,
  readers: MemberGroup,
  pending: number,
): PoolStats {
  const groups = readers === writers ? [writers] : [writers, readers];
  const members = groups.flatMap((group) => group.members);
  const sum = (count: (group: MemberGroup) => number): number =>
    groups.reduce((total, group) => total + count(group), 0);
  const idle = members.filter((member) => member.unused).length;
  return {
    writers: writers.members.length,
    readers: readers === writers ? 0 : readers.members.length,
    idle,
    busy: members.length - idle,
    waiting: sum((group) => group.waiting),
    queued: members.reduce((total, member) => total + member.load - member.housekeeping, 0),
    pending,
    executed: members.reduce((total, member) => total + member.channel.executed, 0),
    housekeeping: members.reduce((total, member) => total + member.channel.housekeeping, 0),
    respawned: sum((group) => group.respawned),
    walBytes: options.wal ? sizeOf(`${options.connection.thread.open.path}-wal`) : 0,
    threads: members.map((member) => ({
      role: member.role,
      queued: member.load - member.housekeeping,
      executed: member.channel.executed,
      heldBy: member.holder?.what ?? null,
      stuck: member.stuck > 0,
    })),
  };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
