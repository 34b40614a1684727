/** The state of one connection that checks for commits. */
interface View<T> {
  readonly member: T;
  /**
   * The connections that committed since this one's last check (young), and between that and the check before (old).
   */
  young: Set<T>;
  old: Set<T>;
  /** The result of the last check, kept until the next one: committers may report late. */
  verdict: { readonly changed: boolean; readonly committers: Set<T> } | null;
}

/**
 * Tells foreign commits from those of the pool's own connections. `PRAGMA data_version` changes for every connection
 * but the one that commits, and a commit's report may arrive after another connection has seen the change. So each
 * change is judged one check later. It is explained if exactly one other connection has committed meanwhile. If several
 * have, each one explains what the others see, and a foreign commit could hide behind them. Then it counts as foreign,
 * because a foreign commit must never be missed.
 */
export class ForeignCommits<T> {
  readonly #views = new Map<T, View<T>>();

  get members(): T[] {
    return [...this.#views.keys()];
  }

  add(member: T): void {
    this.#views.set(member, { member, young: new Set(), old: new Set(), verdict: null });
  }

  delete(member: T): void {
    this.#views.delete(member);
  }

  committed(member: T): void {
    if (this.#views.size === 1) return;
    for (const view of this.#views.values()) {
      view.young.add(member);
      view.verdict?.committers.add(member);
    }
  }

  /** Takes what each connection has seen, null if it could not check. True if there was a foreign commit. */
  looked(looks: readonly (readonly [member: T, changed: boolean | null])[]): boolean {
    if (this.#views.size === 1)
      return looks.some(([member, changed]) => this.#views.has(member) && changed === true);
    let outside = false;
    for (const { member, verdict } of this.#views.values()) {
      if (verdict?.changed === true && (verdict.committers.size !== 1 || verdict.committers.has(member)))
        outside = true;
    }
    for (const view of this.#views.values()) view.verdict = null;
    for (const [member, changed] of looks) {
      const view = this.#views.get(member);
      if (view === undefined || changed === null) continue;
      view.verdict = { changed, committers: new Set([...view.old, ...view.young]) };
      view.old = view.young;
      view.young = new Set();
    }
    return outside;
  }
}
