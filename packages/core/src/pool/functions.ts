import {
  type Definition,
  definitionKey,
  type DefinitionName,
  type FunctionSpec,
} from "@sqlite-aio/worker/wire";
import type { AggregateClass } from "../functions/aggregate-groups.js";
import type { Collation } from "../functions/collation.js";
import {
  checkCollation,
  checkFunction,
  collationSpec,
  type ExportOptions,
  type FunctionOptions,
  functionSpec,
  type SqlFunction,
  tableSpec,
} from "../functions/definitions.js";
import { isBusy } from "../errors/is-busy.js";
import type { Callbacks } from "../thread/callbacks.js";
import type { Member } from "./member.js";

/** What SQL may call on every connection of a pool, or may no longer. */
export interface PoolFunction {
  readonly called: DefinitionName;
  /** For one connection, to whose closures its own is added. */
  make(closures: Callbacks): Definition;
}

/** The functions of a pool, and what else it defines, by key. */
export class PoolFunctions {
  readonly #byKey = new Map<string, PoolFunction>();

  /** One that is not among the `known`. */
  lacking(known: ReadonlyMap<string, PoolFunction>): [key: string, definition: PoolFunction] | undefined {
    for (const [key, definition] of this.#byKey) if (known.get(key) !== definition) return [key, definition];
    return undefined;
  }

  /** Adds a function and defines it on all members; if one of them refuses it, the pool has what it had before. */
  async create(definition: PoolFunction, members: () => Member[], advance: () => void): Promise<void> {
    const key = definitionKey(definition.called);
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
    if (!member.channel.alive && !member.handle.closed) return;
    // One that is held may have a cursor half read; it gets the function when it is given back.
    if (member.holder === null || !isBusy(error)) throw error;
  }
}

// What is given is taken as it is now: a thread that is started later is given the same.

/** A function or an aggregate for every connection. Throws what is wrong with it. */
export function poolFunction(
  kind: FunctionSpec["kind"],
  name: string,
  parameters: number,
  given: SqlFunction | AggregateClass | URL | null,
  options: FunctionOptions,
): PoolFunction {
  checkFunction(name, parameters, given, options);
  const fn = copied(given);
  const own = { ...options };
  return {
    called: { kind, name, parameters: parameters ?? -1 },
    make: (closures) => functionSpec(kind, name, parameters, fn, own, closures),
  };
}

/** A collation for every connection. Throws what is wrong with it. */
export function poolCollation(
  name: string,
  given: Collation | URL | null,
  options: ExportOptions,
): PoolFunction {
  checkCollation(name, given, options);
  const fn = copied(given);
  const own = { ...options };
  return {
    called: { kind: "collation", name },
    make: (closures) => collationSpec(name, fn, own, closures),
  };
}

/** A table of a module's for every connection. Throws what is wrong with it. */
export function poolTable(name: string, module: URL, options: ExportOptions): PoolFunction {
  const table = tableSpec(name, module, options);
  return { called: { kind: "table", name }, make: () => table };
}

function copied<T>(given: T): T {
  return Object.prototype.toString.call(given) === "[object URL]"
    ? (new URL((given as URL).href) as T)
    : given;
}
