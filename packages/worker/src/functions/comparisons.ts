/** Errors of collations. A collation cannot tell SQLite that it failed, so the statement runs to its end, and then fails. */
export class Comparisons {
  #possible = false;
  #failure: Error | null = null;
  /** 1 while there is a failure, for the companion. */
  readonly flag = new Int32Array(1);

  /** A collation was defined, so that comparisons can fail. */
  get possible(): boolean {
    return this.#possible;
  }

  /** Call it when a collation is defined. */
  expect(): void {
    this.#possible = true;
  }

  /** A comparison of the running statement has failed. */
  get failed(): boolean {
    return this.#failure !== null;
  }

  /** Call it before a statement: forgets the failure of an earlier one. */
  begin(): void {
    this.#failure = null;
    this.flag[0] = 0;
  }

  /** Keeps the first failure. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.flag[0] = 1;
  }

  /** Throws the failure since {@link begin}, if there is one. */
  check(): void {
    const failure = this.#failure;
    if (failure === null) return;
    this.begin();
    throw failure;
  }
}
