import { OperationalError, type Pool, ProgrammingError } from "@sqlite-aio/core";
import { beforeEach, describe, expect, it } from "vitest";
import { openEngine, rejection, temporaryPath } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";

let path: string;
let pool: Pool;

beforeEach(async () => {
  path = await temporaryPath();
  pool = await openPool({ readers: 1, pragmas: { cache_size: -4000 } }, path);
  await pool.exec("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
});

describe("pragma() of a pool", () => {
  it.each([
    "user_version",
    "table_info(note)",
    "journal_mode",
    "cache_size",
    "foreign_keys",
    "index_list(note)",
  ])("gives what better-sqlite3 gives for %j, as rows and as a single value", async (source) => {
    const engine = openEngine(path);
    engine.pragma("cache_size = -4000");
    expect(await pool.pragma(source)).toEqual(engine.pragma(source));
    expect(await pool.pragma(source, { simple: true })).toEqual(engine.pragma(source, { simple: true }));
    expect(await pool.pragma(source, { simple: false })).toEqual(engine.pragma(source));
  });

  it("sets what the file keeps", async () => {
    expect(await pool.pragma("user_version = 7")).toEqual([]);
    expect(await pool.pragma("user_version", { simple: true })).toBe(7);
    expect(openEngine(path).pragma("user_version", { simple: true })).toBe(7);
    expect(await pool.pragma("integrity_check", { simple: true })).toBe("ok");
    expect(await pool.pragma("wal_checkpoint(TRUNCATE)")).toEqual([{ busy: 0, log: 0, checkpointed: 0 }]);
    expect(await pool.pragma("user_version", { simple: true, integers: "bigint" })).toBe(7n);
  });

  it("refuses what would be set for one connection, and what is no pragma", async () => {
    for (const source of ["cache_size = 5", "cache_size(5)", "foreign_keys = OFF", "query_only = 1"]) {
      const error = await rejection(pool.pragma(source));
      expect(error).toBeInstanceOf(ProgrammingError);
      expect((error as Error).message).toContain("by the option pragmas for every connection");
    }
    expect(await pool.pragma("cache_size", { simple: true })).toBe(-4000);
    expect(await rejection(pool.pragma("user_version; DROP TABLE note"))).toBeInstanceOf(ProgrammingError);
    expect(await rejection(pool.pragma("="))).toBeInstanceOf(OperationalError);
    for (const wrong of [5, null, undefined, {}])
      expect(await rejection(pool.pragma(wrong as never))).toBeInstanceOf(TypeError);
    for (const options of [{ simple: 1 }, { smiple: true }, null, 5])
      expect(await rejection(pool.pragma("user_version", options as never))).toBeInstanceOf(TypeError);
    const reason = new Error("enough");
    expect(await rejection(pool.pragma("user_version", { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(await pool.all("SELECT name FROM sqlite_schema")).toEqual([{ name: "note" }]);
  });
});
