// oxlint-disable-next-line typescript/no-explicit-any -- a constructor of any parameters
type Constructor = abstract new (...args: any[]) => { constructor: unknown };

/** `type` by the name that sqlite3 has it, which programs look at, and with its complaint if it is called without `new`. */
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
 * Makes methods enumerable. sqlite3 assigns these to its prototypes, and there are programs that go through them, to wrap
 * or to restore them.
 */
export function enumerable(prototype: object, names: readonly string[]): void {
  for (const name of names) Object.defineProperty(prototype, name, { enumerable: true });
}
