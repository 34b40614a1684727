import { types } from "node:util";
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { EngineDatabase } from "../engine/engine-api.js";
import { awaitReply, type Control, repliesSeen } from "../wire/control-block.js";
import { CallbackError, FunctionError } from "../wire/fault.js";
import type { Authorizer } from "../engine/native.js";
import type { AuthorizerSpec, FunctionSpec } from "../wire/thread-api.js";
import type { SqlValue } from "../wire/protocol.js";
import { fromEngine, type IntegerMode, toBinding } from "../wire/integers.js";

/** An answer to a callback request. */
type CallbackReply = { ok: true; value: SqlValue } | { ok: false; error: number; message: string };

const SQLITE_DENY = 1;

/** How long the thread spins for the main side's answer before it parks: a wake-up costs more. */
const SPIN_MS = 0.1;

/** Calls of closures that live on the main side: the thread asks, and waits for the answer. */
export class Callbacks {
  readonly #port: MessagePort;
  readonly #control: Control;

  constructor(port: MessagePort, control: Control) {
    this.#port = port;
    this.#control = control;
  }

  /** The value that closure `number` gives for `args`. Throws a {@link CallbackError} if it throws. */
  call(number: number, args: readonly unknown[]): SqlValue {
    const seen = repliesSeen(this.#control);
    this.#port.postMessage([number, args]);
    awaitReply(this.#control, seen, SPIN_MS);
    // Announced after it was posted.
    const message = receiveMessageOnPort(this.#port)!.message as CallbackReply;
    if (!message.ok) throw new CallbackError(message.error, message.message);
    return message.value;
  }
}

/** Defines a SQL function on the handle; a module function is loaded into this thread first. `called` runs before each call. */
export async function defineFunction(
  db: EngineDatabase,
  spec: FunctionSpec,
  callbacks: Callbacks,
  integers: IntegerMode,
  called: () => void,
): Promise<void> {
  const { source } = spec;
  if ("closure" in source) {
    register(db, spec, (...args) => {
      called();
      return callbacks.call(
        source.closure,
        args.map((arg) => fromEngine(arg, integers)),
      );
    });
    return;
  }
  const fn = await importFunction(source);
  register(db, spec, (...args) => {
    called();
    try {
      return toResult(fn(...args.map((arg) => fromEngine(arg, integers))));
    } catch (error) {
      throw new FunctionError(error);
    }
  });
}

function register(db: EngineDatabase, spec: FunctionSpec, fn: (...args: SqlValue[]) => SqlValue): void {
  const call = (...args: SqlValue[]): SqlValue => toBinding(fn(...args));
  // better-sqlite3 reads the number of parameters off the function.
  if (spec.parameters >= 0) Object.defineProperty(call, "length", { value: spec.parameters });
  db.function(
    spec.name,
    {
      varargs: spec.parameters < 0,
      deterministic: spec.deterministic,
      directOnly: spec.directOnly,
      safeIntegers: true,
    },
    call,
  );
}

/**
 * Lets the engine read the schema again: it judges what that may call (`trusted_schema`, `directOnly`) when it reads it,
 * and takes for harmless what is defined later.
 */
export function rereadSchema(db: EngineDatabase): void {
  db.exec("PRAGMA writable_schema = RESET");
}

async function importFunction(source: {
  readonly module: string;
  readonly export: string;
}): Promise<(...args: unknown[]) => unknown> {
  const module = (await import(/* webpackIgnore: true */ source.module)) as Record<string, unknown>;
  const fn = module[source.export];
  if (typeof fn !== "function") {
    throw new TypeError(`the module ${source.module} has no function "${source.export}"`);
  }
  return fn as (...args: unknown[]) => unknown;
}

/** The function that `spec` names; one that throws, or a closure that cannot be asked, denies. */
export async function loadAuthorizer(spec: AuthorizerSpec, callbacks: Callbacks): Promise<Authorizer> {
  if ("closure" in spec) {
    return (...args) => {
      const answer = callbacks.call(spec.closure, args);
      return typeof answer === "number" ? answer : SQLITE_DENY;
    };
  }
  return (await importFunction(spec)) as Authorizer;
}

/** What a module function returned, in the forms that parameters take. Throws if it has none. */
function toResult(value: unknown): SqlValue {
  switch (typeof value) {
    case "undefined":
      return null;
    case "boolean":
      return value ? 1 : 0;
    case "number":
    case "string":
      return value;
    case "bigint":
      if (BigInt.asIntN(64, value) !== value)
        throw new RangeError("a SQL function returned a bigint out of the range of INTEGER");
      return value;
    default:
      break;
  }
  if (value === null) return null;
  if (types.isArrayBuffer(value)) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  // Nobody waits for it; left alone its rejection would end the thread.
  if (types.isPromise(value)) value.catch(() => {});
  const what = types.isPromise(value) ? "a promise" : typeof value;
  throw new TypeError(`a SQL function must return a value that binds, not ${what}`);
}
