import { PARSE_COLNAMES, PARSE_DECLTYPES } from "../options/detect-types.js";

// biome-ignore lint: a class is known by its constructor, whatever its parameters.
type Constructor<T> = abstract new (...args: never[]) => T;

const PRIMITIVES = new Set<unknown>([String, Number, BigInt, Boolean]);

const adapters = new Map<unknown, (value: never) => unknown>();
const converters = new Map<string, (bytes: Buffer) => unknown>();

/** Whether there are adapters for strings, numbers and other primitives. Without them no look-up is needed. */
export let adaptsPrimitives = false;

/**
 * Lets instances of `type` be bound: `adapter` returns the value to store, which must be of a type that binds by
 * itself.
 *
 * @example
 * registerAdapter(Date, (date) => date.toISOString());
 */
export function registerAdapter<T>(type: Constructor<T>, adapter: (value: T) => unknown): void {
  if (typeof type !== "function") throw new TypeError("registerAdapter: the first argument must be a class");
  if (typeof adapter !== "function")
    throw new TypeError("registerAdapter: the second argument must be a function");
  adapters.set(type, adapter);
  adaptsPrimitives ||= PRIMITIVES.has(type);
}

/**
 * Converts columns declared as `typeName` (with `PARSE_DECLTYPES`) or selected `AS "name [typeName]"` (with
 * `PARSE_COLNAMES`): `converter` gets the bytes of a value that is not NULL. The case of the name does not matter.
 */
export function registerConverter(typeName: string, converter: (bytes: Buffer) => unknown): void {
  if (typeof typeName !== "string")
    throw new TypeError("registerConverter: the first argument must be a string");
  if (typeof converter !== "function")
    throw new TypeError("registerConverter: the second argument must be a function");
  converters.set(typeName.toUpperCase(), converter);
}

/** The result of the adapter of the value's class; undefined if there is none. */
export function adapt(
  value: object | string | number | bigint | boolean,
): { readonly value: unknown } | undefined {
  const adapter = adapters.get(value.constructor);
  return adapter === undefined ? undefined : { value: adapter(value as never) };
}

/** A column's name without the type that `PARSE_COLNAMES` reads from it. */
export function columnName(detectTypes: number, name: string): string {
  return (detectTypes & PARSE_COLNAMES) === 0 ? name : name.replace(/ ?\[[^]*$/, "");
}

/** The converter of a column, by its name and declared type, under the given flags. */
export function converterOf(
  detectTypes: number,
  name: string,
  declared: string | null,
): ((bytes: Buffer) => unknown) | undefined {
  if ((detectTypes & PARSE_COLNAMES) !== 0) {
    const typeName = /\[([^[\]]*)\]/.exec(name)?.[1];
    if (typeName !== undefined) {
      const found = converters.get(typeName.toUpperCase());
      if (found !== undefined) return found;
    }
  }
  if ((detectTypes & PARSE_DECLTYPES) === 0 || declared === null) return undefined;
  const [typeName] = declared.split(/[ (]/, 1) as [string];
  return converters.get(typeName.toUpperCase());
}
