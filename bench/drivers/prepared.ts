/** Keeps one statement per SQL text, for drivers that leave reuse to their users. */
export function preparedOnce<Statement>(prepare: (sql: string) => Statement): (sql: string) => Statement {
  const statements = new Map<string, Statement>();
  return (sql) => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
}

/**
 * Lends a statement to one call at a time, and prepares another if none is free: for drivers whose statements cannot
 * serve two calls at once.
 */
export class StatementShelf<Statement> {
  readonly #shelves = new Map<string, Statement[]>();
  readonly #prepare: (sql: string) => Promise<Statement>;

  constructor(prepare: (sql: string) => Promise<Statement>) {
    this.#prepare = prepare;
  }

  async lend<Answer>(sql: string, use: (statement: Statement) => Answer | Promise<Answer>): Promise<Answer> {
    const shelf = this.#shelf(sql);
    const statement = shelf.pop() ?? (await this.#prepare(sql));
    try {
      return await use(statement);
    } finally {
      shelf.push(statement);
    }
  }

  all(): readonly Statement[] {
    return [...this.#shelves.values()].flat();
  }

  #shelf(sql: string): Statement[] {
    let shelf = this.#shelves.get(sql);
    if (!shelf) this.#shelves.set(sql, (shelf = []));
    return shelf;
  }
}
