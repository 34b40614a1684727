import type { EngineDatabase } from "../engine/engine-api.js";
import { type Authorizer, native, needsNative } from "../engine/native.js";
import { loadAuthorizer } from "./authorizer.js";
import type { Callbacks } from "./callbacks.js";
import type { Comparisons } from "./comparisons.js";
import { Definer } from "./definer.js";
import { type Definition, definitionKey, type Source } from "../wire/definitions.js";
import type { IntegerMode } from "../wire/integers.js";

/** The handle that things are defined on. */
interface FunctionHost {
  readonly db: EngineDatabase;
  readonly token: number;
  readonly runsPrivately: boolean;
  privately<T>(work: () => T): T;
}

/** Statements that the companion has compiled by itself. */
interface CompiledStatements {
  guard(): void;
  allow(allowed: boolean): void;
}

/** What SQL may call and who is asked about statements, on this handle and on those that take its place. */
export class Definitions {
  readonly #host: FunctionHost;
  readonly #compiled: CompiledStatements;
  readonly #callbacks: Callbacks;
  readonly #definer: Definer;
  /** What is to be on every handle. */
  readonly #lasting = new Map<string, Definition>();
  #authorizer: Authorizer | null = null;

  /** `onFunctionCall` runs whenever SQL is about to call a function of the user's. */
  constructor(
    host: FunctionHost,
    compiled: CompiledStatements,
    callbacks: Callbacks,
    onFunctionCall: () => void,
    comparisons: Comparisons,
  ) {
    this.#host = host;
    this.#compiled = compiled;
    this.#callbacks = callbacks;
    this.#definer = new Definer(callbacks, onFunctionCall, comparisons);
  }

  get lasting(): readonly Definition[] {
    return [...this.#lasting.values()];
  }

  /** A handle is open. */
  attached(db: EngineDatabase, token: number): void {
    this.#definer.attached(db, token);
  }

  /** Defines what SQL may call, or takes it away; for good if `lasting`, else on this handle. */
  async define(definition: Definition, lasting: boolean, integers: IntegerMode): Promise<void> {
    this.#compiled.guard();
    await this.#definer.define(definition, integers);
    this.#host.privately(() => rereadSchema(this.#host.db));
    if (!lasting) return;
    const key = definitionKey(definition);
    if (definition.source === null) this.#lasting.delete(key);
    else this.#lasting.set(key, definition);
  }

  /** What is behind an error of SQLite's. */
  behind(error: unknown): unknown {
    return this.#definer.behind(error);
  }

  /** Asks `source`'s function about every statement that is prepared from now on; for good if `lasting`. */
  async authorize(source: Source | null, lasting: boolean): Promise<void> {
    if (native === null || this.#host.token === 0) throw needsNative("setAuthorizer()");
    const authorizer = source === null ? null : await loadAuthorizer(source, this.#callbacks);
    this.#install(authorizer);
    if (lasting) this.#authorizer = authorizer;
  }

  /** Last when a handle is opened: it is not asked about statements of our own. */
  installAuthorizer(): void {
    if (this.#authorizer !== null) this.#install(this.#authorizer);
  }

  #install(authorizer: Authorizer | null): void {
    this.#compiled.allow(authorizer === null);
    native?.setAuthorizer(
      this.#host.token,
      authorizer === null ? null : (...args) => (this.#host.runsPrivately ? 0 : authorizer(...args)),
    );
  }
}

/**
 * Lets the engine read the schema again: it judges what that may call (`trusted_schema`, `directOnly`) when it reads it,
 * and takes for harmless what is defined later.
 */
function rereadSchema(db: EngineDatabase): void {
  db.exec("PRAGMA writable_schema = RESET");
}
