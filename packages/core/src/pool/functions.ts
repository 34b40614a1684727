import { functionKey } from "@sqlite-aio/worker/wire";
import { OperationalError } from "../errors/errors.js";
import type { FunctionOptions, SqlFunction } from "../connection/sql-functions.js";
import type { Member } from "./member.js";

/** A SQL function that every connection of a pool has. */
export interface PoolFunction {
  readonly name: string;
  readonly parameters: number;
  readonly fn: SqlFunction | URL;
  readonly options: FunctionOptions;
}

/** The functions of a pool, by name and number of parameters. */
export class PoolFunctions {
  readonly #byKey = new Map<string, PoolFunction>();

  /** One that is not among the `known`. */
  lacking(known: ReadonlyMap<string, PoolFunction>): [key: string, definition: PoolFunction] | undefined {
    for (const [key, definition] of this.#byKey) if (known.get(key) !== definition) return [key, definition];
    return undefined;
  }

  /** Adds a function and defines it on all members; if one of them refuses it, the pool has what it had before. */
  async create(definition: PoolFunction, members: () => Member[], advance: () => void): Promise<void> {
    const key = functionKey(definition);
    const before = this.#byKey.get(key);
    this.#byKey.set(key, definition);
    try {
      const asked = new Set<Member>();
      const lacksIt = (member: Member): boolean => !asked.has(member) && !member.has(key, definition);
      // Some may come while others are asked; those that are opened after that have it from the start.
      for (let member = members().find(lacksIt); member !== undefined; member = members().find(lacksIt)) {
        asked.add(member);
        try {
          await define(member, key, definition);
        } finally {
          advance();
        }
      }
    } catch (error) {
      if (this.#byKey.get(key) === definition) {
        if (before === undefined) this.#byKey.delete(key);
        else this.#byKey.set(key, before);
      }
      throw error;
    }
  }
}

async function define(member: Member, key: string, definition: PoolFunction): Promise<void> {
  try {
    if (member.holder === null) await member.alone(() => member.define(key, definition));
    else await member.define(key, definition);
  } catch (error) {
    // Where the thread has died another takes its place, which has it from the start; where the pool has ended it none.
    if (!member.channel.alive && !member.runner.closed) return;
    // One that is held may have a cursor half read; it gets the function when it is given back.
    const busy = error instanceof OperationalError && error.code.startsWith("SQLITE_BUSY");
    if (member.holder === null || !busy) throw error;
  }
}
