import { type EngineDatabase, prepareOwn } from "../engine/engine-api.js";
import { native, needsNative } from "../engine/native.js";
import type { CollationSpec, Definition, FunctionSpec, TableSpec } from "../wire/definitions.js";
import { CallbackError, codeOf, FunctionError, UsageError } from "../wire/fault.js";
import { fromEngine, type IntegerMode, toBinding } from "../wire/integers.js";
import type { SqlValue } from "../wire/protocol.js";
import { messageOf } from "../wire/thrown.js";
import type { Callbacks } from "./callbacks.js";
import type { Comparisons } from "./comparisons.js";
import { type Group, type GroupMaker, localGroups, remoteGroups } from "./groups.js";
import { anyExport, moduleExport } from "./module-export.js";
import { toResult } from "./result.js";
import { wrapTable } from "./tables.js";

// https://sqlite.org/c3ref/c_deterministic.html
const SQLITE_DETERMINISTIC = 0x800;
const SQLITE_DIRECTONLY = 0x80000;
const SQLITE_INNOCUOUS = 0x200000;

/** Whether somebody has defined a function of this name with so many parameters. */
const DEFINED =
  "SELECT 1 FROM pragma_function_list WHERE name = ? COLLATE NOCASE AND narg = ? AND NOT builtin";

const KINDS = { function: 0, aggregate: 1, window: 2 } as const;
const MODES: Readonly<Record<IntegerMode, 0 | 1 | 2>> = { auto: 0, bigint: 1, number: 2 };
/** Requests of the companion to an aggregate. */
const STEP = 1;
const INVERSE = 2;
const VALUE = 3;

/** Defines functions, aggregates, collations and tables on a handle. */
export class Definer {
  readonly #callbacks: Callbacks;
  readonly #called: () => void;
  readonly #comparisons: Comparisons;
  #db: EngineDatabase | null = null;
  #token = 0;
  /** The error that a function threw; SQLite only knows that it failed. */
  #thrown: unknown = undefined;

  /** `called` runs before any user function. */
  constructor(callbacks: Callbacks, called: () => void, comparisons: Comparisons) {
    this.#callbacks = callbacks;
    this.#called = called;
    this.#comparisons = comparisons;
  }

  /** Call it when a handle was opened. `token` is 0 without the companion. */
  attached(db: EngineDatabase, token: number): void {
    this.#db = db;
    this.#token = token;
  }

  async define(definition: Definition, integers: IntegerMode): Promise<void> {
    switch (definition.kind) {
      case "collation":
        await this.#collation(definition);
        break;
      case "table":
        await this.#table(definition, integers);
        break;
      case "function":
        if (definition.source === null) this.#remove(definition);
        else await this.#function(definition, integers);
        break;
      default:
        if (definition.source === null) this.#remove(definition);
        else await this.#aggregate(definition, integers);
    }
  }

  /** The error that a function threw, if SQLite's error only says that the function failed. */
  behind(error: unknown): unknown {
    const thrown = this.#thrown;
    this.#thrown = undefined;
    if (thrown === undefined || codeOf(error) !== "SQLITE_ERROR") return error;
    return messageOf(error).startsWith("user-defined ") ? thrown : error;
  }

  async #function(spec: FunctionSpec, integers: IntegerMode): Promise<void> {
    const source = spec.source!;
    let fn: (args: SqlValue[]) => SqlValue;
    if ("closure" in source) fn = (args) => this.#callbacks.call(source.closure, args);
    else {
      const exported = await moduleExport(source);
      fn = (args) => {
        try {
          return toResult(exported(...args));
        } catch (error) {
          throw new FunctionError(error);
        }
      };
    }
    if (spec.innocuous) {
      this.#native(spec, integers, (...args) => fn(args as SqlValue[]));
      return;
    }
    const call = (...args: SqlValue[]): SqlValue => {
      this.#called();
      return toBinding(fn(args.map((arg) => fromEngine(arg, integers))));
    };
    this.#db!.function(spec.name, engineOptions(spec, call), call);
  }

  async #aggregate(spec: FunctionSpec, integers: IntegerMode): Promise<void> {
    const source = spec.source!;
    const make =
      "closure" in source
        ? remoteGroups(source.closure, this.#callbacks)
        : localGroups((await moduleExport(source)) as never);
    if (this.#token === 0) this.#engineAggregate(spec, make, integers);
    else this.#nativeAggregate(spec, make, integers);
  }

  #nativeAggregate(spec: FunctionSpec, make: GroupMaker, integers: IntegerMode): void {
    const groups = new Map<number, Group>();
    this.#native(spec, integers, (what, number, ...row) => {
      let group = groups.get(number as number);
      if (group === undefined) groups.set(number as number, (group = make()));
      switch (what) {
        case STEP:
          group.step(row as SqlValue[]);
          return null;
        case INVERSE:
          group.inverse(row as SqlValue[]);
          return null;
        case VALUE:
          return group.value();
        default:
          groups.delete(number as number);
          return group.finalize();
      }
    });
  }

  /** Through the engine: it does not say whether it asks for the value of a window or for the last one. */
  #engineAggregate(spec: FunctionSpec, make: GroupMaker, integers: IntegerMode): void {
    const values = (row: SqlValue[]): SqlValue[] => row.map((value) => fromEngine(value, integers));
    const step = (group: Group, ...row: SqlValue[]): void => {
      this.#called();
      group.step(values(row));
    };
    const inverse = (group: Group, ...row: SqlValue[]): void => {
      this.#called();
      group.inverse(values(row));
    };
    const result = (group: Group): SqlValue => {
      this.#called();
      return toBinding(spec.kind === "window" ? group.value() : group.finalize());
    };
    const options = engineOptions(spec, step, 1);
    const { length } = step;
    if (spec.kind === "window") Object.defineProperty(inverse, "length", { value: length });
    this.#db!.aggregate(spec.name, {
      ...options,
      start: make,
      step,
      result,
      ...(spec.kind === "window" ? { inverse } : {}),
    });
  }

  /** Registers the function through the companion, for features that the engine lacks. */
  #native(spec: FunctionSpec, integers: IntegerMode, fn: ((...args: unknown[]) => SqlValue) | null): void {
    if (native === null || this.#token === 0) throw needsNative('option "innocuous"');
    const flags =
      (spec.deterministic ? SQLITE_DETERMINISTIC : 0) |
      (spec.directOnly ? SQLITE_DIRECTONLY : 0) |
      (spec.innocuous ? SQLITE_INNOCUOUS : 0);
    const guarded =
      fn === null
        ? null
        : (...args: unknown[]): SqlValue | undefined => {
            this.#called();
            try {
              return fn(...args);
            } catch (error) {
              this.#thrown = error;
              return undefined;
            }
          };
    native.defineFunction(
      this.#token,
      spec.name,
      spec.parameters,
      flags,
      KINDS[spec.kind],
      MODES[integers],
      guarded,
    );
  }

  #remove(spec: FunctionSpec): void {
    // SQLite would take one of its own away.
    if (prepareOwn(this.#db!, DEFINED).get(spec.name, spec.parameters) === undefined) return;
    if (this.#token !== 0) {
      this.#native({ ...spec, innocuous: false }, "auto", null);
      return;
    }
    // The engine cannot remove functions. A replacement throws SQLite's error instead.
    const gone = (): never => {
      throw new UsageError("SQLITE_ERROR", `no such function: ${spec.name}`);
    };
    // Otherwise no statement on a table could be compiled if one of its indexes uses the function.
    this.#db!.function(spec.name, engineOptions({ ...spec, deterministic: true }, gone), gone);
  }

  async #collation({ name, source }: CollationSpec): Promise<void> {
    if (native === null || this.#token === 0) throw needsNative("createCollation()");
    let order: (left: string, right: string) => unknown;
    if (source === null) {
      native.defineCollation(this.#token, name, null);
      return;
    }
    if ("closure" in source) order = (...texts) => this.#callbacks.call(source.closure, texts);
    else order = await moduleExport(source);
    this.#comparisons.expect();
    native.defineCollation(this.#token, name, (left, right) => {
      if (this.#comparisons.failed) return 0;
      this.#called();
      try {
        return Number(order(left, right));
      } catch (error) {
        this.#comparisons.fail(
          error instanceof CallbackError
            ? error
            : new FunctionError(error, "user-defined collation raised exception"),
        );
        return 0;
      }
    });
  }

  async #table({ name, source }: TableSpec, integers: IntegerMode): Promise<void> {
    const from = source as { module: string; export: string };
    const definition = await anyExport(from);
    if (definition === undefined)
      throw new TypeError(`the module ${from.module} has no export "${from.export}"`);
    const { table } = this.#db!;
    if (table === undefined) throw new UsageError("NOT_SUPPORTED", "the engine has no createTable()");
    table.call(this.#db, name, wrapTable(name, definition, integers, this.#called) as never);
  }
}

/** better-sqlite3 reads the number of parameters from the function, which has `more` parameters of its own. */
function engineOptions(spec: FunctionSpec, fn: (...args: never[]) => unknown, more = 0): object {
  if (spec.parameters >= 0) Object.defineProperty(fn, "length", { value: spec.parameters + more });
  return {
    varargs: spec.parameters < 0,
    deterministic: spec.deterministic,
    directOnly: spec.directOnly,
    safeIntegers: true,
  };
}
