/** Caches a value for recently used texts. Forgotten values are made again. */
export class RememberedTexts<V> {
  readonly #make: (sql: string) => V;
  readonly #capacity: number;
  readonly #maxLength: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  /** Total length of the young texts. */
  #length = 0;

  /** One of two generations holds `capacity` texts, with `maxLength` characters together. */
  constructor(make: (sql: string) => V, capacity: number, maxLength: number) {
    this.#make = make;
    this.#capacity = capacity;
    this.#maxLength = maxLength;
  }

  get(sql: string): V {
    const known = this.#young.get(sql);
    if (known !== undefined) return known;
    const value = this.#old.get(sql) ?? this.#make(sql);
    // Two generations instead of an order: a look-up moves nothing.
    if (this.#young.size >= this.#capacity || this.#length + sql.length > this.#maxLength) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#length = 0;
    }
    this.#length += sql.length;
    this.#young.set(sql, value);
    return value;
  }
}
