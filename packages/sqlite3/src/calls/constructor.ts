// oxlint-disable-next-line typescript/no-explicit-any -- a constructor of any parameters
type Constructor = abstract new (...args: any[]) => { constructor: unknown };

/** `type` with its name in sqlite3, which programs look at, and with sqlite3's error if it is called without `new`. */
export function nativeLike<T extends Constructor>(type: T, name: string): T {
  Object.defineProperty(type, "name", { value: name });
  const callable = new Proxy(type, {
    apply() {
      throw new TypeError("Class constructors cannot be invoked without 'new'");
    },
  });
  type.prototype.constructor = callable;
  return callable;
}

/**
 * Makes methods enumerable. sqlite3 assigns them to its prototypes, and some programs iterate over them, to wrap or to
 * restore them.
 */
export function enumerable(prototype: object, names: readonly string[]): void {
  for (const name of names) Object.defineProperty(prototype, name, { enumerable: true });
}
