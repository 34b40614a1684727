/** One of the connections that look. */
interface View<T> {
  readonly member: T;
  /** Who has committed since this one looked last, and between that look and the one before. */
  young: Set<T>;
  old: Set<T>;
  /** What the last look saw, until those who may have caused it have had time to say so. */
  verdict: { readonly changed: boolean; readonly committers: Set<T> } | null;
}

/**
 * Tells commits of others from those of a pool's own connections. `PRAGMA data_version` changes for every connection
 * but the one that commits, and one that has committed may say so later than another one sees it. So a change is judged
 * a look later: it is explained if exactly one other connection has committed meanwhile. If several have, each explains
 * what the others see, and one cannot know; then it counts as a change from outside, as one must not be missed.
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

  /** Takes what each has seen, null where it could not look. True if somebody else has committed. */
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
