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

/** A definition for every connection of a pool, or the removal of one. */
export interface PoolFunction {
  readonly called: DefinitionName;
  /** Makes the definition for one connection and registers its closure there. */
  make(closures: Callbacks): Definition;
}

/** The functions, collations and tables of a pool, by key. */
export class PoolFunctions {
  readonly #byKey = new Map<string, PoolFunction>();

  /** A definition that is not among `known`. */
  lacking(known: ReadonlyMap<string, PoolFunction>): [key: string, definition: PoolFunction] | undefined {
    for (const [key, definition] of this.#byKey) if (known.get(key) !== definition) return [key, definition];
    return undefined;
  }

  /** Adds a definition and applies it to all members. If one member refuses it, the pool keeps what it had before. */
  async create(definition: PoolFunction, members: () => Member[], advance: () => void): Promise<void> {
    const key = definitionKey(definition.called);
    const before = this.#byKey.get(key);
    this.#byKey.set(key, definition);
    try {
      const asked = new Set<Member>();
      const lacksIt = (member: Member): boolean => !asked.has(member) && !member.has(key, definition);
      // Members may be added meanwhile: ask until each one has it. Members that are opened later get it when they are
      // prepared.
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
    // If the thread has died, its replacement gets the definition when it is prepared. If the pool ended it, there is
    // none.
    if (!member.channel.alive && !member.handle.closed) return;
    // A leased member may have a half-read cursor. It gets the function when it is given back.
    if (member.holder === null || !isBusy(error)) throw error;
  }
}

// The arguments are copied now, so that threads that start later get the same.

/** A function or an aggregate for every connection. Throws for wrong arguments. */
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

/** A collation for every connection. Throws for wrong arguments. */
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

/** A module's table for every connection. Throws for wrong arguments. */
export function poolTable(name: string, module: URL, options: ExportOptions): PoolFunction {
  const table = tableSpec(name, module, options);
  return { called: { kind: "table", name }, make: () => table };
}

function copied<T>(given: T): T {
  return Object.prototype.toString.call(given) === "[object URL]"
    ? (new URL((given as URL).href) as T)
    : given;
}
