/** The savepoints of a transaction that one of them began, by name, the outermost first. */
export class Savepoints {
  readonly #names: string[] = [];

  push(name: string): void {
    this.#names.push(name);
  }

  /** Whether the RELEASE of this name ends the transaction. */
  begunBy(name: string): boolean {
    return this.#names.lastIndexOf(name) === 0;
  }

  /** Forgets the named one and those behind it. */
  release(name: string): void {
    const at = this.#names.lastIndexOf(name);
    if (at >= 0) this.#names.length = at;
  }

  /** Forgets those behind the named one, which stays. */
  rollbackTo(name: string): void {
    const at = this.#names.lastIndexOf(name);
    if (at >= 0) this.#names.length = at + 1;
  }
}
