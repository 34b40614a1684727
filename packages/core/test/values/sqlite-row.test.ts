import { inspect } from "node:util";
import { PARSE_COLNAMES, SqliteRow } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { open } from "../support/database.ts";
import { python } from "../support/python.ts";

const sql = "SELECT 1 AS Ab, 2 AS aB, 'three' AS c, x'04' AS \"Ä\", NULL AS length";

describe("a row of SqliteRow", () => {
  it("is read by index, by name in any case, and iterated, as CPython's", async () => {
    const theirs = python(`
db = sqlite3.connect(":memory:"); db.row_factory = sqlite3.Row
r = db.execute("""${sql}""").fetchone()
s = db.execute("""${sql}""").fetchone()
def error(f):
  try: f()
  except Exception as e: return str(e)
print(json.dumps([r[0], r[2], r[-3], r["ab"], r["AB"], r["C"], list(r["Ä"]), error(lambda: r["ä"]), error(lambda: r["x"]),
  r.keys(), len(r), r == s, r == tuple(s), [v for v in r][:3]]))`);
    const db = await open();
    db.rowFactory = SqliteRow;
    const row = (await db.get<SqliteRow>(sql))!;
    const again = (await db.get<SqliteRow>(sql))!;
    const message = (work: () => unknown): string => {
      try {
        work();
      } catch (error) {
        return (error as Error).message;
      }
      return "none";
    };
    expect([
      row[0],
      row[2],
      row.get(-3),
      row["ab"],
      row["AB"],
      row.get("C"),
      [...(row["Ä"] as Buffer)],
      message(() => row.get("ä")),
      message(() => row.get("x")),
      row.keys(),
      row.length,
      row.equals(again),
      row.equals([...again]),
      [...row].slice(0, 3),
    ]).toEqual(theirs);
  });

  it("gives undefined for what is no column, and is told from other objects", async () => {
    const db = await open();
    db.rowFactory = SqliteRow;
    const row = (await db.get<SqliteRow>(sql))!;
    expect([row["x"], row[9], "C" in row, "x" in row, 2 in row]).toEqual([
      undefined,
      undefined,
      true,
      false,
      true,
    ]);
    expect([row instanceof SqliteRow, {} instanceof SqliteRow, [] instanceof SqliteRow]).toEqual([
      true,
      false,
      false,
    ]);
    const [first, , third] = row;
    expect([first, third, Object.keys(row)]).toEqual([1, "three", ["0", "1", "2", "3", "4"]]);
    expect(JSON.parse(JSON.stringify(row))).toHaveLength(5);
    expect(inspect(await db.get("SELECT 1 AS a, 'b' AS b"))).toBe("{ a: 1, b: 'b' }");
    expect(() => row.get({} as never)).toThrow(TypeError);
    expect(() => row.get(5)).toThrow(RangeError);
    expect(() => row.get(1.5)).toThrow(RangeError);
    // A column that is called as a method is read by get().
    expect(row.get("LENGTH")).toBeNull();
  });

  it("comes from every way to read, with converted values and names, and compares blobs by their bytes", async () => {
    const db = await open(":memory:", { detectTypes: PARSE_COLNAMES });
    db.rowFactory = SqliteRow;
    const query = "SELECT 1 AS \"n [none]\", x'0102' AS b";
    const rows = [
      await db.get<SqliteRow>(query),
      (await db.executeFetchall<SqliteRow>(query))[0],
      await (await db.execute(query)).fetchone<SqliteRow>(),
      SqliteRow({ description: [["n"], ["b"]] }, [1, Buffer.from([1, 2])]),
    ];
    for await (const row of db.execute(query)) rows.push(row as SqliteRow);
    for (const row of rows) {
      expect(row!.keys()).toEqual(["n", "b"]);
      expect(row!.equals(rows[0])).toBe(true);
    }
    expect(rows[0]!.equals(await db.get("SELECT 1 AS n, x'0103' AS b"))).toBe(false);
    expect(rows[0]!.equals(await db.get("SELECT 1 AS n"))).toBe(false);
  });

  it("compares numbers as SQLite does: -0 is 0, and a bigint the number of its value", async () => {
    const db = await open();
    const wide = await open(":memory:", { integers: "bigint" });
    db.rowFactory = wide.rowFactory = SqliteRow;
    const row = (await db.get<SqliteRow>("SELECT 0.0 AS a, 7 AS b"))!;
    expect(row.equals(await db.get("SELECT -0.0 AS a, 7 AS b"))).toBe(true);
    expect(row.equals(await wide.get("SELECT 0.0 AS a, 7 AS b"))).toBe(true);
    expect(row.equals(await wide.get("SELECT 0.0 AS a, 8 AS b"))).toBe(false);
    expect(row.equals(await db.get("SELECT 0.0 AS a, '7' AS b"))).toBe(false);
  });
});
