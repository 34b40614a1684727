/** The writer's lines, and when they arrived. */
export class Journal {
  /** Number of a write, with its place among all lines. */
  readonly begun = new Map<number, number>();
  /** Number of an acknowledged write, with its place among all lines and the moment in ms. */
  readonly done = new Map<number, { readonly line: number; readonly at: number }>();
  readonly #waiting: { condition: () => boolean; resolve: () => void; reject: (error: Error) => void }[] = [];
  readonly #words = new Set<string>();
  #failure: Error | null = null;
  #lines = 0;
  #rest = "";

  /** Takes in a piece of the writer's output. */
  hear(piece: string): void {
    const at = performance.now();
    const lines = (this.#rest + piece).split("\n");
    // A line that a kill has cut off does not count.
    this.#rest = lines.pop() ?? "";
    for (const text of lines) {
      const line = ++this.#lines;
      const [word = "", id] = text.split(" ");
      if (word === "begin") this.begun.set(Number(id), line);
      else if (word === "done") this.done.set(Number(id), { line, at });
      else this.#words.add(word);
    }
    for (const waiting of this.#waiting.filter(({ condition }) => condition())) {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.resolve();
    }
  }

  /** The awaited lines will not come any more. */
  fail(error: Error): void {
    this.#failure = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  /** Throws if a process has ended too early. */
  check(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** Resolves when the writer has said this word. */
  said(word: string): Promise<void> {
    return this.#until(() => this.#words.has(word));
  }

  /** Resolves when this many writes were acknowledged. */
  acknowledged(count: number): Promise<void> {
    return this.#until(() => this.done.size >= count);
  }

  /** The number that no write has had. */
  get next(): number {
    return Math.max(-1, ...this.begun.keys()) + 1;
  }

  /** Forgets writes that were lost with a machine. */
  forget(ids: readonly number[]): void {
    for (const id of ids) this.done.delete(id);
  }

  #until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ condition, resolve, reject }));
  }
}
