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
  /** What takes it away again; null if SQLite cannot. */
  removal(): PoolFunction | null;
}

/** The functions, collations and tables of a pool, by key. */
export class PoolFunctions {
  /** The last one holds. The first one may be settled; the others are being applied. */
  readonly #byKey = new Map<string, PoolFunction[]>();
  readonly #settled = new WeakSet<PoolFunction>();

  /** A definition that is not among `known`, nor among those that were `refused`. */
  lacking(
    known: ReadonlyMap<string, PoolFunction>,
    refused?: ReadonlySet<PoolFunction>,
  ): [key: string, definition: PoolFunction] | undefined {
    for (const [key, definitions] of this.#byKey) {
      const definition = definitions.at(-1)!;
      if (known.get(key) !== definition && refused?.has(definition) !== true) return [key, definition];
    }
    return undefined;
  }

  /** It is still being applied, and may turn out to be wrong. */
  isTried(definition: PoolFunction): boolean {
    return !this.#settled.has(definition);
  }

  /** Adds a definition and applies it to all members. If one member refuses it, the pool keeps what it had before. */
  async create(definition: PoolFunction, members: () => Member[], advance: () => void): Promise<void> {
    const key = definitionKey(definition.called);
    const definitions = this.#byKey.get(key) ?? [];
    definitions.push(definition);
    this.#byKey.set(key, definitions);
    try {
      await apply(key, definition, members, advance);
      this.#settled.add(definition);
      // Those before it do not come back, even if this one is replaced by one that fails.
      definitions.splice(0, Math.max(0, definitions.indexOf(definition)));
    } catch (error) {
      const at = definitions.indexOf(definition);
      if (at >= 0) definitions.splice(at, 1);
      if (definitions.length === 0) this.#byKey.delete(key);
      await this.#takeBack(key, definition, members, advance);
      throw error;
    }
  }

  /** Some members have accepted a definition that another one has refused. */
  async #takeBack(
    key: string,
    definition: PoolFunction,
    members: () => Member[],
    advance: () => void,
  ): Promise<void> {
    const former = this.#byKey.get(key)?.at(-1) ?? definition.removal();
    if (former === null) return;
    const having = (): Member[] => members().filter((member) => member.has(key, definition));
    // The error that led here says more than one from here would.
    await apply(key, former, having, advance).catch(() => {});
  }
}

/** Defines it on each member. Members may be added meanwhile; those that are opened later get it when prepared. */
async function apply(
  key: string,
  definition: PoolFunction,
  members: () => Member[],
  advance: () => void,
): Promise<void> {
  const asked = new Set<Member>();
  const lacksIt = (member: Member): boolean => !asked.has(member) && !member.has(key, definition);
  for (let member = members().find(lacksIt); member !== undefined; member = members().find(lacksIt)) {
    asked.add(member);
    try {
      await define(member, key, definition);
    } finally {
      advance();
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
  checkFunction(kind, name, parameters, given, options);
  const fn = copied(given);
  const own = { ...options };
  return {
    called: { kind, name, parameters: parameters ?? -1 },
    make: (closures) => functionSpec(kind, name, parameters, fn, own, closures),
    removal: () => poolFunction(kind, name, parameters, null, {}),
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
    removal: () => poolCollation(name, null, {}),
  };
}

/** A module's table for every connection. Throws for wrong arguments. */
export function poolTable(name: string, module: URL, options: ExportOptions): PoolFunction {
  const table = tableSpec(name, module, options);
  return { called: { kind: "table", name }, make: () => table, removal: () => null };
}

function copied<T>(given: T): T {
  return Object.prototype.toString.call(given) === "[object URL]"
    ? (new URL((given as URL).href) as T)
    : given;
}
