/** What is known of the texts used of late; what is forgotten is made again. */
export class RememberedTexts<V> {
  readonly #make: (sql: string) => V;
  readonly #capacity: number;
  readonly #maxLength: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  /** Characters of the young texts together. */
  #length = 0;

  /** `capacity` texts, of `maxLength` characters together, make one of two generations. */
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
