import type { Connection } from "@sqlite-aio/core";
import { quoteName } from "@sqlite-aio/worker/sql";
import { sqlite3Error } from "../calls/errors.js";
import { OWN } from "../connection/handle.js";

/** The file's name in the connection while it is copied. */
const SOURCE = '"sqlite-aio backup"';

interface SchemaRow {
  readonly type: "table" | "index" | "view" | "trigger";
  readonly name: string;
  readonly sql: string;
}

/**
 * Copies the main database of a file into the database `dest` of a connection, which has no file. SQLite's backup could
 * reach it only through the handle, which the engine does not offer.
 */
export async function copyAsSql(connection: Connection, filename: string, dest: string): Promise<void> {
  if (connection.inTransaction) throw sqlite3Error("BUSY", "destination database is in use");
  const target = quoteName(dest);
  await connection.executeFetchall(`${OWN}ATTACH ? AS ${SOURCE}`, [filename]);
  try {
    await connection.transaction(async (tx) => {
      const run = async <R = unknown>(sql: string): Promise<R[]> => await tx.executeFetchall<R>(OWN + sql);
      await empty(run, target);
      // Tables come first; objects that depend on them come when their rows are there.
      const objects = await run<SchemaRow>(
        `SELECT type, name, sql FROM ${SOURCE}.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type = 'table' DESC, rowid`,
      );
      for (const { type, name, sql } of objects) {
        await run(sql.replace(/^CREATE( UNIQUE)? (TABLE|INDEX|VIEW|TRIGGER) /, `CREATE$1 $2 ${target}.`));
        if (type === "table") await copyRows(run, name, target);
      }
      if ((await run(`SELECT 1 FROM ${SOURCE}.sqlite_schema WHERE name = 'sqlite_sequence'`)).length > 0) {
        await run(`DELETE FROM ${target}.sqlite_sequence`);
        await run(`INSERT INTO ${target}.sqlite_sequence SELECT * FROM ${SOURCE}.sqlite_sequence`);
      }
    });
  } finally {
    await connection.executeFetchall(`${OWN}DETACH ${SOURCE}`);
  }
}

type Run = <R = unknown>(sql: string) => Promise<R[]>;

async function empty(run: Run, target: string): Promise<void> {
  const objects = await run<SchemaRow>(
    `SELECT type, name FROM ${target}.sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`,
  );
  for (const { type, name } of objects) await run(`DROP ${type} ${target}.${quoteName(name)}`);
}

async function copyRows(run: Run, table: string, target: string): Promise<void> {
  const source = `${SOURCE}.${quoteName(table)}`;
  const columns = await run<{ name: string; hidden: number }>(
    `PRAGMA ${SOURCE}.table_xinfo(${quoteName(table)})`,
  );
  const [facts] = await run<{ wr: number }>(`PRAGMA ${SOURCE}.table_list(${quoteName(table)})`);
  // Generated columns are computed.
  const stored = columns.filter(({ hidden }) => hidden === 0).map(({ name }) => quoteName(name));
  const hidesRowid = columns.some(({ name }) => name.toLowerCase() === "rowid");
  if (facts?.wr === 0 && !hidesRowid) stored.unshift("rowid");
  const list = stored.join(", ");
  await run(`INSERT INTO ${target}.${quoteName(table)} (${list}) SELECT ${list} FROM ${source}`);
}
