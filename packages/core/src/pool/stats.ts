import { statSync } from "node:fs";
import type { MemberGroup } from "./member-group.js";
import type { ResolvedPoolOptions } from "./options.js";

/** One thread of a pool. */
export interface ThreadStats {
  /** What it is there for. */
  role: "reader" | "writer";
  /** Calls under way. */
  queued: number;
  /** Calls answered since it was opened. */
  executed: number;
  /** `transaction()`, `read()`, `iterate()` or `acquire()` while it is leased. */
  heldBy: string | null;
  /** It runs a statement that its caller gave up. */
  stuck: boolean;
}

/** What a pool is doing. */
export interface PoolStats {
  /** Connections that write and are open. */
  writers: number;
  /** Connections that only read and are open. */
  readers: number;
  /** Connections of both kinds that have nothing to do. */
  idle: number;
  /** Connections of both kinds that have something to do, or are leased. */
  busy: number;
  /** Calls that wait for a connection. */
  waiting: number;
  /** Calls that a connection has and has not answered. */
  queued: number;
  /** Calls that are not over, leases included. */
  pending: number;
  /** Calls answered by the connections that are open. */
  executed: number;
  /** What those connections have answered for the pool itself, checkpoints above all; no other number here counts it. */
  housekeeping: number;
  /** Threads that died and were replaced. */
  respawned: number;
  /** Size of the write-ahead log in bytes; 0 if there is none. */
  walBytes: number;
  /** Each of them. */
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
