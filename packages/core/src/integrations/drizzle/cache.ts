import { entityKind, getTableName } from "drizzle-orm";
import { Cache, type MutationOption } from "drizzle-orm/cache/core";

/**
 * The cache as a transaction sees it: empty, since what others may read is not what it reads, and told of changes only
 * when they are committed.
 */
export class TransactionCache extends Cache {
  static override readonly [entityKind]: string = "SqliteAioTransactionCache";
  readonly #outer: Cache;
  readonly #tables = new Set<string>();
  readonly #tags = new Set<string>();

  constructor(outer: Cache) {
    super();
    this.#outer = outer;
  }

  strategy(): "explicit" {
    return "explicit";
  }

  async get(): Promise<undefined> {
    return undefined;
  }

  async put(): Promise<void> {}

  async onMutate({ tables = [], tags = [] }: MutationOption): Promise<void> {
    for (const table of [tables].flat()) {
      this.#tables.add(typeof table === "string" ? table : getTableName(table));
    }
    for (const tag of [tags].flat()) this.#tags.add(tag);
  }

  /** Tells the cache outside what was changed. */
  async committed(): Promise<void> {
    if (this.#tables.size + this.#tags.size === 0) return;
    await this.#outer.onMutate({ tables: [...this.#tables], tags: [...this.#tags] });
  }
}
