import { quoteName } from "@sqlite-aio/worker/sql";
import { capabilities } from "../../capabilities.js";
import { SQLITE_DBCONFIG_ENABLE_FKEY } from "../../dbconfig-codes.js";
import { IntegrityError, NotSupportedError } from "../../errors/errors.js";
import type { BuilderConnection } from "../builder-connection.js";

/** The part of Knex's object for rebuilding tables that is used here. */
export interface TableRebuild {
  readonly connection: BuilderConnection;
  tableName(): string;
  alter(...args: unknown[]): Promise<void>;
  generateAlterCommands(...args: unknown[]): Promise<RebuildCommands>;
}

/** The statements of a rebuild, and those before and after them. */
interface RebuildCommands {
  readonly pre: readonly string[];
  readonly sql: readonly string[];
  readonly check: string | null;
  readonly post: readonly string[];
}

/**
 * Lets a table be rebuilt inside a transaction. Knex copies the table, drops it, and renames the copy. With foreign
 * keys on, the DROP would delete the rows that refer to the table, and inside a transaction the pragma that turns them
 * off has no effect. Knex's own clients lose those rows.
 */
export function insideTransaction(rebuild: TableRebuild): TableRebuild {
  const alter = rebuild.alter.bind(rebuild);
  const generate = rebuild.generateAlterCommands.bind(rebuild);
  return Object.assign(rebuild, {
    alter: async (...args: unknown[]) => {
      const { connection } = rebuild;
      if (!(await areOn(connection))) return await alter(...args);
      if (!capabilities.limits) {
        await refuseLoss(connection, rebuild.tableName());
        return await alter(...args);
      }
      const before = await violations(connection);
      await switchForeignKeys(connection, false);
      try {
        await alter(...args);
      } finally {
        await switchForeignKeys(connection, true);
      }
      const broken = [...(await violations(connection))].filter((one) => !before.has(one));
      if (broken.length > 0) {
        throw new IntegrityError("FOREIGN KEY constraint failed", { code: "SQLITE_CONSTRAINT_FOREIGNKEY" });
      }
    },
    generateAlterCommands: async (...args: unknown[]) => {
      const commands = await generate(...args);
      if (commands.pre.length === 0 || capabilities.limits) return commands;
      await refuseLoss(rebuild.connection, rebuild.tableName());
      return { ...commands, pre: [], post: [] };
    },
  });
}

/** Does the same as `PRAGMA foreign_keys`, but also inside a transaction. */
export async function switchForeignKeys(connection: BuilderConnection, on: boolean): Promise<void> {
  await connection.configure(SQLITE_DBCONFIG_ENABLE_FKEY, on);
}

async function areOn(connection: BuilderConnection): Promise<boolean> {
  const [row] = await rowsOf<{ foreign_keys: number | bigint }>(connection, "PRAGMA foreign_keys");
  return Number(row?.foreign_keys) === 1;
}

async function violations(connection: BuilderConnection): Promise<Set<string>> {
  const rows = await rowsOf<object>(connection, "PRAGMA foreign_key_check");
  return new Set(rows.map((row) => Object.values(row).map(String).join(" ")));
}

/** Throws if rows of other tables refer to the table. */
async function refuseLoss(connection: BuilderConnection, table: string): Promise<void> {
  const keys = await rowsOf<{ child: string; column: string }>(
    connection,
    `SELECT m.name AS child, f."from" AS "column" FROM sqlite_schema AS m, pragma_foreign_key_list(m.name) AS f
     WHERE m.type = 'table' AND lower(f."table") = lower(?)`,
    [table],
  );
  for (const { child, column } of keys) {
    const referring = `SELECT 1 FROM ${quoteName(child)} WHERE ${quoteName(column)} IS NOT NULL LIMIT 1`;
    if ((await rowsOf(connection, referring)).length === 0) continue;
    throw new NotSupportedError(
      `"${table}" cannot be rebuilt inside a transaction, since rows of "${child}" refer to it and would be deleted or refused: ` +
        "run the migration outside of one (config = { transaction: false }), or install @sqlite-aio/native",
      { code: "SQLITE_AIO_NATIVE" },
    );
  }
}

async function rowsOf<R>(
  connection: BuilderConnection,
  sql: string,
  parameters: string[] = [],
): Promise<R[]> {
  const { rows } = await connection.execute<R>(sql, parameters, {});
  return rows ?? [];
}
