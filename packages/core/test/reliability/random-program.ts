/** Every rule that a statement can break, at its start, in the midst of its rows, at its end or at COMMIT. */
export const SCHEMA = `
  CREATE TABLE source (i INTEGER PRIMARY KEY);
  INSERT INTO source WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i FROM n;
  CREATE TABLE strict (a INTEGER, b TEXT) STRICT;
  CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER UNIQUE, b INTEGER CHECK (b <> 13), c TEXT NOT NULL DEFAULT 'c');
  CREATE TABLE keyed (k PRIMARY KEY, v) WITHOUT ROWID;
  CREATE TABLE parent (id INTEGER PRIMARY KEY);
  CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent ON DELETE CASCADE);
  CREATE TABLE late (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
  CREATE TABLE log (a);
  CREATE TRIGGER noted AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); END;
  CREATE TRIGGER refused AFTER INSERT ON t WHEN new.b = 1 BEGIN SELECT RAISE(ABORT, 'abort'); END;
  CREATE TRIGGER failed AFTER INSERT ON t WHEN new.b = 2 BEGIN SELECT RAISE(FAIL, 'fail'); END;
  CREATE TRIGGER ignored BEFORE INSERT ON t WHEN new.b = 3 BEGIN SELECT RAISE(IGNORE); END;
  CREATE TRIGGER undone AFTER INSERT ON t WHEN new.b = 4 BEGIN SELECT RAISE(ROLLBACK, 'rollback'); END;
  CREATE TABLE once (a UNIQUE ON CONFLICT ROLLBACK, b UNIQUE ON CONFLICT FAIL, c UNIQUE ON CONFLICT REPLACE);
  CREATE TABLE made (a INTEGER, twice AS (a * 2) STORED CHECK (twice < 20), far REFERENCES keyed (k) ON UPDATE CASCADE);
  CREATE UNIQUE INDEX few ON made (a) WHERE a > 3;
  CREATE TABLE tree (id INTEGER PRIMARY KEY, up REFERENCES tree ON DELETE SET NULL, n);
  CREATE VIEW both AS SELECT a, b FROM t;
  CREATE TRIGGER through INSTEAD OF INSERT ON both BEGIN
    INSERT INTO once VALUES (new.a, new.a % 3, new.a % 2);
    INSERT INTO t (a, b) VALUES (new.a, new.b);
  END;`;

export type Step =
  | {
      readonly do: "execute";
      readonly on: number;
      readonly cursor: number;
      readonly sql: string;
      readonly values: (number | string | null)[];
    }
  | {
      readonly do: "executemany";
      readonly on: number;
      readonly cursor: number;
      readonly sql: string;
      readonly values: (number | string | null)[][];
    }
  | { readonly do: "fetch"; readonly on: number; readonly cursor: number; readonly rows: number }
  | { readonly do: "script"; readonly on: number; readonly sql: string }
  | { readonly do: "commit" | "rollback"; readonly on: number };

type Random = (below: number) => number;

function oneOf<T>(below: Random, list: readonly T[]): T {
  return list[below(list.length)]!;
}

const OR = ["", "", "", " OR IGNORE", " OR REPLACE", " OR FAIL", " OR ABORT", " OR ROLLBACK"];

/** A statement that writes, of which every third or so is refused. */
export function write(below: Random): string {
  const n = below(12);
  const or = oneOf(below, OR);
  return oneOf(below, [
    () =>
      `INSERT${or} INTO strict SELECT value, 'x' FROM json_each('[${n}, 6${oneOf(below, ["", ', "x"', ", 1.5"])}]')`,
    () => `UPDATE strict SET a = ${oneOf(below, ["a + 1", "CASE a WHEN 6 THEN 'x' ELSE a END", "NULL"])}`,
    () => `INSERT${or} INTO t (a, b) VALUES (${n}, ${below(14)})`,
    () => `INSERT${or} INTO t (a, b) SELECT ${n} + value, value FROM json_each('[4, ${below(5)}, 5]')`,
    () => `INSERT${or} INTO t (a, c) VALUES (${n}, ${oneOf(below, ["NULL", "'text'"])})`,
    () => `UPDATE t SET a = a ${oneOf(below, ["+ 1", "- 1", "* 0"])}, b = ${below(15)} WHERE a > ${n}`,
    () => `DELETE FROM t WHERE a = ${n}`,
    () => `INSERT${or} INTO keyed SELECT value, ${n} FROM json_each('[${n}, ${n + 1}, ${below(12)}]')`,
    () => `DELETE FROM keyed WHERE k < ${n}`,
    () => `INSERT${or} INTO parent VALUES (${n})`,
    () => `INSERT${or} INTO child (parent) VALUES (${n}), (${below(12)})`,
    () => `DELETE FROM parent WHERE id = ${n}`,
    () => `INSERT${or} INTO late (parent) VALUES (${n})`,
    () => `DELETE FROM late WHERE parent = ${n}`,
    () => `INSERT INTO nowhere VALUES (${n})`,
    () => `INSERT${or} INTO once VALUES (${n}, ${below(20)}, ${below(5)})`,
    () => `UPDATE${or} once SET a = a + ${below(2)}, b = b % ${1 + n}`,
    () => `INSERT INTO t (a, b) VALUES (${n}, ${below(6)}) ON CONFLICT (a) DO UPDATE SET b = excluded.b + b`,
    () => `INSERT${or} INTO made (a) WITH n (i) AS (VALUES (${n}), (${below(12)})) SELECT i FROM n`,
    () => `UPDATE${or} made SET a = a + ${below(4)}, far = ${oneOf(below, ["NULL", String(n)])}`,
    () => `UPDATE${or} keyed SET k = k + ${below(3)}`,
    () => `INSERT${or} INTO tree VALUES (NULL, ${oneOf(below, ["NULL", String(1 + n)])}, ${n})`,
    () => `DELETE FROM tree WHERE id = ${1 + n}`,
    () => `INSERT${or} INTO both VALUES (${n}, ${below(6)})`,
    () =>
      `INSERT INTO log SELECT abs(CASE value WHEN 2 THEN -9223372036854775807 - 1 ELSE value END) FROM json_each('[1, ${n}, 3]')`,
  ])();
}

const SAVEPOINTS = ["SAVEPOINT a", "SAVEPOINT b", "RELEASE a", "RELEASE b", "ROLLBACK TO a", "ROLLBACK TO b"];

/** What is done with two connections to one file, step by step. */
export function program(below: Random, length: number): Step[] {
  return Array.from({ length }, (): Step => {
    const on = below(4) === 0 ? 1 : 0;
    const cursor = below(3);
    return oneOf<() => Step>(below, [
      () => ({ do: "execute", on, cursor, sql: write(below), values: [] }),
      () => ({ do: "execute", on, cursor, sql: write(below), values: [] }),
      () => ({ do: "execute", on, cursor, sql: "SELECT i FROM source WHERE i > ?", values: [below(50)] }),
      () => ({
        do: "execute",
        on,
        cursor,
        sql: "INSERT INTO strict VALUES (?, ?)",
        values: [oneOf(below, [1, "x", null]), "y"],
      }),
      () => ({
        do: "executemany",
        on,
        cursor,
        sql: "INSERT INTO t (a, b) VALUES (?, ?)",
        values: Array.from({ length: 1 + below(4) }, () => [below(40), below(14)]),
      }),
      () => ({ do: "fetch", on, cursor, rows: 1 + below(5) }),
      () => ({ do: "fetch", on, cursor, rows: 1 + below(5) }),
      () => ({ do: "script", on, sql: `${write(below)};\n${write(below)};` }),
      () => ({ do: "execute", on, cursor, sql: oneOf(below, SAVEPOINTS), values: [] }),
      () => ({ do: "commit", on }),
      () => ({ do: below(2) === 0 ? "commit" : "rollback", on }),
    ])();
  });
}
