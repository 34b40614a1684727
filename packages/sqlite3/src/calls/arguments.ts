/** A caller's function. The method that takes it decides about its arguments. */
// oxlint-disable-next-line typescript/no-explicit-any -- any function is one
export type Callback = (this: any, ...args: any[]) => unknown;

/** A list of arguments, and the callback at its end if there is one. */
export interface Split {
  readonly values: readonly unknown[];
  readonly callback: Callback | undefined;
}

/** Splits the callback off the end of a list of arguments. */
export function split(given: readonly unknown[]): Split {
  const last = given.at(-1);
  return isCallback(last)
    ? { values: given.slice(0, -1), callback: last }
    : { values: given, callback: undefined };
}

/**
 * The arguments of `each()`. If there are two functions at the end, the first is called for rows, and the second at the
 * end.
 */
export function splitEach(given: readonly unknown[]): Split & { readonly complete: Callback | undefined } {
  const complete = given.at(-1);
  if (given.length < 2 || !isCallback(complete) || !isCallback(given.at(-2)))
    return { ...split(given), complete: undefined };
  return { ...split(given.slice(0, -1)), complete };
}

/** Throws TypeError for an argument that is given and is no function. */
export function optionalCallback(value: unknown, position = 0): Callback | undefined {
  if (value === undefined || isCallback(value)) return value;
  throw new TypeError(`Argument ${position} must be a function`);
}

export function requiredString(value: unknown, position = 0): string {
  if (typeof value === "string") return value;
  throw new TypeError(`Argument ${position} must be a string`);
}

function isCallback(value: unknown): value is Callback {
  return typeof value === "function";
}
