import { createRequire } from "node:module";
import { afterAll, describe, expect, test } from "vitest";
import { type ParameterList, scanParameters } from "../../dist/sql/parameters.js";

interface Statement {
  bind(...values: unknown[]): Statement;
  raw(): Statement;
  get(): unknown[];
}
interface Database {
  prepare(sql: string): Statement;
  exec(sql: string): void;
  close(): void;
}
const Engine = createRequire(import.meta.url)("better-sqlite3") as new (path: string) => Database;

const db = new Engine(":memory:");
db.exec("CREATE TABLE t(a, b TEXT, [c?] INTEGER)");
afterAll(() => db.close());

/** Binds the index of every parameter to it; better-sqlite3 refuses the call unless it agrees on count and names. */
function bindIndices(sql: string, { count, names }: ParameterList, surplus = 0, without?: string): Statement {
  const anonymous: unknown[] = [];
  const named: Record<string, bigint> = {};
  for (let index = 1; index <= count; index++) {
    const name = names?.[index - 1] ?? null;
    if (name === null) anonymous.push(BigInt(index));
    else if (name !== without) named[name.slice(1)] = BigInt(index);
  }
  for (; surplus > 0; surplus--) anonymous.push(null);
  for (; surplus < 0; surplus++) anonymous.pop();
  const statement = db.prepare(sql);
  return names === null ? statement.bind(anonymous) : statement.bind(anonymous, named);
}

function expectEngineToAgree(sql: string, list: ParameterList): void {
  const anonymous = list.names === null ? list.count : list.names.filter((name) => name === null).length;
  expect(list.names?.length ?? list.count, sql).toBe(list.count);
  expect(() => bindIndices(sql, list), sql).not.toThrow();
  expect(() => bindIndices(sql, list, 1), sql).toThrow("Too many parameter values");
  if (anonymous > 0) expect(() => bindIndices(sql, list, -1), sql).toThrow("Too few parameter values");
  const keys = (list.names ?? []).flatMap((name) => (name === null ? [] : name.slice(1)));
  for (const name of list.names ?? []) {
    if (name === null || keys.indexOf(name.slice(1)) !== keys.lastIndexOf(name.slice(1))) continue;
    expect(() => bindIndices(sql, list, 0, name), `${sql} without ${name}`).toThrow(
      "Missing named parameter",
    );
  }
}

describe("scanParameters", () => {
  const accepted: [sql: string, count: number, names: (string | null)[] | null][] = [
    ["select 1", 0, null],
    ["select ?", 1, null],
    ["select ?,?, ?", 3, null],
    ["select :a, @b, $c, #d", 4, [":a", "@b", "$c", "#d"]],
    ["select :a, :a, :b, :a", 2, [":a", ":b"]],
    ["select :a, @a, $a", 3, [":a", "@a", "$a"]],
    ["select :A, :a", 2, [":A", ":a"]],
    ["select ?3", 3, [null, null, "?3"]],
    ["select ?3, ?", 4, [null, null, "?3", null]],
    ["select ?3, ?1", 3, ["?1", null, "?3"]],
    ["select ?, ?1", 1, ["?1"]],
    ["select ?1, ?1, ?", 2, ["?1", null]],
    ["select :a, ?1, ?2, :b", 3, [":a", "?2", ":b"]],
    ["select ?2, :a, ?3, ?", 4, [null, "?2", ":a", null]],
    ["select ?, :a, ?", 3, [null, ":a", null]],
    ["select ?007, ?7", 7, [null, null, null, null, null, null, "?007"]],
    ["select :1, :2a, @3", 3, [":1", ":2a", "@3"]],
    ["select :größe, $名前, @a$b, :_", 4, [":größe", "$名前", "@a$b", ":_"]],
    ["select :constructor, :__proto__x", 2, [":constructor", ":__proto__x"]],
    ["select '?', 'it''s :a', '''', ''", 0, null],
    ["select ''':a'''", 0, null],
    ["select '?' || ? || '?'", 1, null],
    ['select a as "?", b as ":a ""$b""" from t', 0, null],
    ["select a as `?`, b as `:a ``@b` from t", 0, null],
    ["select [c?] from t where [c?] = ?", 1, null],
    ["select [c?], 1 as [a ' b], 2 as ['], ? from t", 1, null],
    ["select ? -- :a ' ? \n, ?", 2, null],
    ["select ? -- :a", 1, null],
    ["select ? --", 1, null],
    ["select 1 - - ?", 1, null],
    ["select 1 -?", 1, null],
    ["select /* ? ' :a */ ? /**/ , /*/ ? */ ? /***/", 2, null],
    ["select ? /* ? unterminated '", 1, null],
    ["select 4 /?, 4*?", 2, null],
    ["select x'00ff', X'ab', x'', ?", 1, null],
    ["select 1.5, .5, 1e5, 1.e-5, 0x1F, 1_000, ?", 1, null],
    ["select 1.5e+3+?, 1e5-?", 2, null],
    ["select t.a, t.[c?], a$b, ? from t, (select 1 as a$b)", 1, null],
    [`select '{"a":":x"}' -> '$.a', '{"a":1}' ->> '$.a', '{"a":1}'->?, '{"a":1}'->>:p`, 2, [null, ":p"]],
    ["select ?<?, ?<=?, ?<>?, ?<<?, ?||?, ?!=?, ?==?, ~?, ?|?, ?&?, ?%?", 21, null],
    ["select\t?\n,\r\n?\f,?", 3, null],
    ["\uFEFFselect ?, \uFEFF:a", 2, [null, ":a"]],
    ["select 1 as a\uFEFF, ?", 1, null],
    [";;select ?", 1, null],
    ["select ?;", 1, null],
    ["select ?; -- ?", 1, null],
    ["insert into t values (?, ?2, :c) on conflict do nothing returning a + ?", 4, [null, "?2", ":c", null]],
    ["update t set a=:a,b=@b where [c?]=$c limit ?", 4, [":a", "@b", "$c", null]],
    ["with x as (select ? as a) select * from x where a in (?,?) order by ? limit ? offset ?", 6, null],
    ["create virtual table temp.v using fts5(a, b, tokenize = 'ascii', prefix=':x')", 0, null],
    ["create table virtual_x as select ? as a", 1, null],
    ["explain query plan select ?", 1, null],
  ];
  for (const [sql, count, names] of accepted) {
    test(`numbers the parameters of ${JSON.stringify(sql)} as the engine does`, () => {
      const list = scanParameters(sql);
      expect(list).toEqual({ count, names });
      expectEngineToAgree(sql, list);
    });
  }

  test("finds no parameters in the arguments of a virtual table's module", () => {
    for (const sql of [
      "explain create virtual table temp.v using m(a = :a, ?, '$b', #c)",
      " ; /* ? */ explain query plan create /**/ virtual table temp.v using m($a)",
      "CREATE VIRTUAL TABLE temp.v USING fts5(a, prefix = ?2)",
    ]) {
      expect(scanParameters(sql)).toEqual({ count: 0, names: null });
      expectEngineToAgree(sql, scanParameters(sql));
    }
  });

  test("reads an identifier up to its last letter, digit or dollar sign", () => {
    expect(scanParameters("select a$b, é$c, _1$d, 1$e, .5$f, 1.$g")).toEqual({ count: 0, names: null });
  });

  test("takes an unterminated quote or bracket to run to the end of the text", () => {
    for (const open of ["'", '"', "`", "[", "x'"]) {
      const sql = `select ?, ${open} ?, :a`;
      expect(() => db.prepare(sql)).toThrow("unrecognized token");
      expect(scanParameters(sql)).toEqual({ count: 1, names: null });
    }
  });

  test("keeps the namespace and array suffixes of TCL in the name, which better-sqlite3 does not accept", () => {
    const names = ["$a::b", ":a::b", "$a(1)", "@a::b::(x)", "$::a", ":::a", "$a::", "$a(')"];
    for (const name of names) {
      expect(scanParameters(`select ${name}`)).toEqual({ count: 1, names: [name] });
      expect(() => db.prepare(`select ${name}`)).toThrow(/syntax error|unrecognized token/);
    }
    expect(scanParameters("select $a(b c)")).toEqual({ count: 1, names: ["$a(b"] });
    expect(scanParameters("select $a(b")).toEqual({ count: 1, names: ["$a(b"] });
    expect(scanParameters("select ?, :::, $(a), $::, @, #, :")).toEqual({ count: 1, names: null });
  });

  test("passes over indices the engine does not allow", () => {
    for (const mark of ["?0", "?32767", "?99999999999999999999", "?00"]) {
      expect(() => db.prepare(`select ${mark}`)).toThrow("variable number must be between ?1 and ?32766");
      expect(scanParameters(`select ?, ${mark}`)).toEqual({ count: 1, names: null });
    }
    expect(scanParameters("select #1")).toEqual({ count: 0, names: null });
    expect(() => db.prepare("select #1")).toThrow("syntax error");
  });

  test("numbers up to the highest index and beyond, where only the engine objects", () => {
    const highest = scanParameters("select ?32766");
    expect(highest.count).toBe(32766);
    expect(highest.names?.at(-1)).toBe("?32766");
    expectEngineToAgree("select ?32766", highest);
    const marks = (n: number): string => `select * from (values (1)) where 1 in (${"?,".repeat(n - 1)}?)`;
    expect(scanParameters(marks(32766))).toEqual({ count: 32766, names: null });
    expectEngineToAgree(marks(32766), scanParameters(marks(32766)));
    expect(scanParameters(marks(32767)).count).toBe(32767);
    expect(() => db.prepare(marks(32767))).toThrow("too many SQL variables");
  });

  test("agrees with the engine on generated texts, and so does every single occurrence", () => {
    const random = mulberry32(0x5eed);
    for (let round = 0; round < 1500; round++) {
      const { sql, marks } = generate(random);
      const list = scanParameters(sql);
      expectEngineToAgree(sql, list);
      const indices = bindIndices(sql, list).raw().get().slice(0, marks.length).map(Number);
      for (const [position, mark] of marks.entries()) {
        const index = indices[position] as number;
        if (mark === "?")
          expect(list.names?.[index - 1] ?? mark, sql).toSatisfy((name: string) => name.startsWith("?"));
        else if (mark.startsWith("?")) expect(index, sql).toBe(Number(mark.slice(1)));
        else expect(list.names?.indexOf(mark), sql).toBe(index - 1);
      }
    }
  });
});

function mulberry32(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A SELECT whose first result columns are its parameters, in order of appearance, among all kinds of noise. */
function generate(random: () => number): { sql: string; marks: string[] } {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const blank = (): string =>
    pick([
      " ",
      "\n",
      "\t",
      "\r\n",
      " /* ? ' */ ",
      ' -- :a " ?9\n',
      "/**/",
      "/* ; -- */",
      " --\n",
      "\f",
      "/*/*/",
      "\n\uFEFF ",
    ]);
  const literals = [
    "'?'",
    "'it''s :a'",
    "''",
    "x'3f'",
    "X''",
    "1.5",
    ".5e-3",
    "0x3F",
    "1e+5",
    "null",
    "'[?'",
    "'--?'",
    "'/*'",
  ];
  const names = ['"?"', '":a""?"', "`@b``$c`", "[?:a']", "a$1", "é$x", "_$", '"[?"', "'?'"];
  const marks: string[] = [];
  const columns: string[] = [];
  for (let left = Math.floor(random() * 7); left > 0; left--) {
    const mark = pick([
      "?",
      "?",
      "?",
      `?${1 + Math.floor(random() * 12)}`,
      ":a",
      ":a1",
      "@b",
      "@名",
      "$c",
      "$c$",
      "#d",
      ":0",
    ]);
    marks.push(mark);
    columns.push(`${blank()}${mark}${pick(["", `${blank()}as ${pick(names)}`, blank()])}`);
  }
  columns.push(blank() + pick(literals));
  for (let left = Math.floor(random() * 3); left > 0; left--) {
    const operator = pick(["||", "-", "->", "->>", "<<", "/", "*", "%", "<>", "|", "="]);
    columns.push(
      `${blank()}case when 0 then ${pick(literals)}${blank()}${operator}${blank()}${pick(literals)} end`,
    );
  }
  return {
    sql: `${blank()}select${columns.join(`${pick(["", blank()])},`)}${pick(["", ";", "--?", "/*:a", blank()])}`,
    marks,
  };
}
