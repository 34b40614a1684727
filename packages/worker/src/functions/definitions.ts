import type { EngineDatabase } from "../engine/engine-api.js";
import { type Authorizer, native, needsNative } from "../engine/native.js";
import { loadAuthorizer } from "./authorizer.js";
import type { Callbacks } from "./callbacks.js";
import type { Comparisons } from "./comparisons.js";
import { Definer } from "./definer.js";
import { type Definition, definitionKey, type Source } from "../wire/definitions.js";
import type { IntegerMode } from "../wire/integers.js";

/** The handle to define functions on. */
interface FunctionHost {
  readonly db: EngineDatabase;
  readonly token: number;
  readonly runsPrivately: boolean;
  privately<T>(work: () => T): T;
}

/** The statements that the companion has compiled. */
interface CompiledStatements {
  guard(): void;
  allow(allowed: boolean): void;
}

/** The functions and the authorizer of the handle, and of handles that replace it. */
export class Definitions {
  readonly #host: FunctionHost;
  readonly #compiled: CompiledStatements;
  readonly #callbacks: Callbacks;
  readonly #definer: Definer;
  /** The definitions for every later handle. */
  readonly #lasting = new Map<string, Definition>();
  /** A setup module runs for every later handle, and may define what was removed. */
  #setUp = false;
  #authorizer: Authorizer | null = null;

  /** `onFunctionCall` runs whenever SQL is about to call a user function. */
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

  /** Call it when a handle was opened. `setUp`: a setup module will define functions on it. */
  attached(db: EngineDatabase, token: number, setUp: boolean): void {
    this.#setUp = setUp;
    this.#definer.attached(db, token);
  }

  /** Adds or removes a definition; permanently if `lasting`, else on this handle only. */
  async define(definition: Definition, lasting: boolean, integers: IntegerMode): Promise<void> {
    this.#compiled.guard();
    await this.#definer.define(definition, integers);
    this.#host.privately(() => rereadSchema(this.#host.db));
    if (!lasting) return;
    const key = definitionKey(definition);
    if (definition.source === null && !this.#setUp) this.#lasting.delete(key);
    else this.#lasting.set(key, definition);
  }

  /** The error that a function threw, if SQLite's error only says that the function failed. */
  behind(error: unknown): unknown {
    return this.#definer.behind(error);
  }

  /** Sets the authorizer of statements compiled from now on; permanently if `lasting`. */
  async authorize(source: Source | null, lasting: boolean): Promise<void> {
    if (native === null || this.#host.token === 0) throw needsNative("setAuthorizer()");
    const authorizer = source === null ? null : await loadAuthorizer(source, this.#callbacks);
    this.#install(authorizer);
    if (lasting) this.#authorizer = authorizer;
  }

  /** Called last when a handle is opened, so that the driver's own statements do not reach the authorizer. */
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
 * Makes SQLite read the schema again. SQLite decides which functions the schema may call (`trusted_schema`,
 * `directOnly`) when it reads the schema. A function that is defined later would count as harmless.
 */
function rereadSchema(db: EngineDatabase): void {
  db.exec("PRAGMA writable_schema = RESET");
}
