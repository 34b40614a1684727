import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import { splitScript } from "../../dist/sql/script.js";
import { timeFactor } from "../../../core/test/support/time-factor.ts";

interface Database {
  prepare(sql: string): { raw(): { all(): unknown[][] } };
  exec(sql: string): void;
  close(): void;
}
const Engine = createRequire(import.meta.url)("better-sqlite3") as new (path: string) => Database;

/** All a script can leave behind: both schemas and every row. */
function contents(db: Database): unknown {
  const all = (sql: string): unknown[][] => db.prepare(sql).raw().all();
  const schema = all(
    "select type, name, tbl_name, sql from sqlite_schema union all select 'temp ' || type, name, tbl_name, sql from sqlite_temp_schema",
  );
  const tables = schema.filter(([type]) => type === "table" || type === "temp table");
  return {
    schema,
    rows: tables.map(([, name]) => [name, all(`select * from "${String(name).replaceAll('"', '""')}"`)]),
    version: all("pragma user_version"),
  };
}

function expectSameAsExec(script: string): string[] {
  const whole = new Engine(":memory:");
  const parts = new Engine(":memory:");
  try {
    whole.exec(script);
    const pieces: string[] = [];
    for (const piece of splitScript(script)) {
      pieces.push(piece);
      expect(() => parts.prepare(piece), piece).not.toThrow();
      parts.exec(piece);
    }
    expect(contents(parts), script).toEqual(contents(whole));
    return pieces;
  } finally {
    whole.close();
    parts.close();
  }
}

const TABLES = "create table t(a, b text);\ncreate table log(a, b);\n";

describe("splitScript", () => {
  const scripts: [title: string, script: string, pieces: string[]][] = [
    ["nothing of an empty script", "", []],
    ["nothing of white space, comments and empty statements", " \n;;\t; -- a;b\n/* c; */ ;\r\n; /* d", []],
    [
      "a last statement without a semicolon",
      "create table a(x); create table b(x)",
      ["create table a(x);", "create table b(x)"],
    ],
    [
      "a last statement without the comment behind it",
      "create table a(x) -- the end; really\n",
      ["create table a(x)"],
    ],
    [
      "statements without the comments before them",
      "-- one;\n/* two; */create table a(x);/**/--\n;create table b(x);",
      ["create table a(x);", "create table b(x);"],
    ],
    [
      "comments inside statements with them",
      "create table a(x /* y; */, -- z;\n w);create table b(x);",
      ["create table a(x /* y; */, -- z;\n w);", "create table b(x);"],
    ],
    [
      "semicolons in strings and quoted names as text",
      "create table t(\"a;\"\"b\", `c;``d`, [e;'f]);insert into t values (';', 'it''s; --', x'3b');",
      ['create table t("a;""b", `c;``d`, [e;\'f]);', "insert into t values (';', 'it''s; --', x'3b');"],
    ],
    [
      "Windows line ends",
      "create table a(x);\r\n-- b;\r\ninsert into a\r\nvalues (1);\r\n",
      ["create table a(x);", "insert into a\r\nvalues (1);"],
    ],
    [
      "text beyond ASCII",
      "create table größe(名前 text);insert into größe values ('💾;é');select '\u00a0;' as \u00a0",
      ["create table größe(名前 text);", "insert into größe values ('💾;é');", "select '\u00a0;' as \u00a0"],
    ],
    [
      "a byte order mark as white space",
      "\uFEFFcreate table a(x);\uFEFF;insert into a values ('\uFEFF');\n\uFEFF",
      ["create table a(x);", "insert into a values ('\uFEFF');"],
    ],
    [
      "statements that only look like triggers",
      "create table trigger(a);create table [create trigger](a);insert into trigger values ('create trigger; end');create temp table temp_trigger(a);",
      [
        "create table trigger(a);",
        "create table [create trigger](a);",
        "insert into trigger values ('create trigger; end');",
        "create temp table temp_trigger(a);",
      ],
    ],
    [
      "a transaction by its END",
      "begin;create table a(x);end;create table b(x);",
      ["begin;", "create table a(x);", "end;", "create table b(x);"],
    ],
    [
      "pragmas and attached databases",
      "pragma user_version = 7;attach ':memory:' as [o;o];create table [o;o].x(y);",
      ["pragma user_version = 7;", "attach ':memory:' as [o;o];", "create table [o;o].x(y);"],
    ],
    [
      "parameters, which bind NULL, as they stand",
      "create table t(a);insert into t values (:end);insert into t values ($a)",
      ["create table t(a);", "insert into t values (:end);", "insert into t values ($a)"],
    ],
  ];
  for (const [title, script, pieces] of scripts) {
    test(`yields ${title}`, () => {
      expect(expectSameAsExec(script)).toEqual(pieces);
    });
  }

  const triggers = [
    "create trigger r after insert on t begin insert into log values (new.a, ';'); end;",
    "CREATE TEMP TRIGGER r AFTER INSERT ON main.t BEGIN INSERT INTO log VALUES (new.a, 1); DELETE FROM log WHERE a = 'none'; END;",
    "create temporary trigger r after insert on main.t begin select 1; end ;",
    "create\n/* ; */trigger -- ;\nif not exists r after update of a on t when new.a is not old.a begin select 1;\n-- end;\nend/* ; */;",
    `create trigger r after insert on t begin
       insert into log values (new.a, case when new.b is null then case new.a when 1 then 'one' else 'x' end else ';end;' end);
       update log set b = case when b = 'x' then 'y' else b end;
     end;`,
    'create trigger "end;" after insert on t begin select 1 as "end"; select [end;] from (select 1 as [end;]); end;',
    "create trigger r after insert on t begin select 1; select 2\n;\n\nEnD\n;",
    "create trigger end_r after insert on t begin select new.a as end_;end;",
    "create trigger trigger after delete on t begin insert into log select old.a, 'create trigger x; end;';end;",
    "explain create trigger r after insert on t begin select 1; select 2; end;",
    "Explain Query Plan create temp trigger r after insert on main.t begin select 1; select 2; end;",
  ];
  for (const trigger of triggers) {
    test(`takes ${JSON.stringify(trigger)} as one statement`, () => {
      const after = "insert into t values (1, null);";
      const pieces = expectSameAsExec(`${TABLES}${trigger}\n${after}update t set a = 2;delete from t`);
      expect(pieces.slice(2)).toEqual([trigger, after, "update t set a = 2;", "delete from t"]);
    });
  }

  test("takes a trigger that ends the script without a semicolon as one statement", () => {
    const trigger = "create trigger r after insert on t begin select 1; select 2; end";
    expect(expectSameAsExec(`${TABLES}${trigger} -- done;\n`).at(-1)).toBe(trigger);
  });

  test("hands what is unterminated to the engine, after the statements before it", () => {
    for (const rest of [
      "select 'a; b;",
      'select "a; b',
      "select [a; b",
      "select `a;",
      "create trigger r; select 1;",
    ]) {
      expect([...splitScript(`select 1; ${rest}`)]).toEqual(["select 1;", rest]);
    }
    expect([...splitScript("select 1; select 2 /* a; b;")]).toEqual(["select 1;", "select 2"]);
  });

  test("stops where the engine stops when a statement fails", () => {
    const script = `${TABLES}insert into t values (1, 2);insert into nowhere values (3);insert into t values (4, 5);`;
    const whole = new Engine(":memory:");
    const parts = new Engine(":memory:");
    expect(() => whole.exec(script)).toThrow("no such table: nowhere");
    expect(() => {
      for (const piece of splitScript(script)) parts.exec(piece);
    }).toThrow("no such table: nowhere");
    expect(contents(parts)).toEqual(contents(whole));
    expect(parts.prepare("select a from t").raw().all()).toEqual([[1]]);
    whole.close();
    parts.close();
  });

  test("agrees with the engine on generated scripts", () => {
    const random = mulberry32(0xc0ffee);
    for (let round = 0; round < 300; round++) {
      const { script, statements } = generate(random);
      expect(expectSameAsExec(script)).toHaveLength(statements);
    }
  });

  test("reads no further than the statement it is asked for", () => {
    const script = `select 1;${"select 2;".repeat(500_000)}`;
    const whole = took(() => [...splitScript(script)]);
    const two = took(() => {
      const pieces = splitScript(script);
      expect([pieces.next().value, pieces.next().value]).toEqual(["select 1;", "select 2;"]);
    });
    expect(two).toBeLessThan(whole / 10);
  });

  test("takes for five times the script five times as long, not twenty-five times", () => {
    const line = "insert into t(a, b) values (12345, 'some text; and more', x'00ff');\n";
    const split = (count: number): number =>
      took(() => {
        const pieces = [...splitScript(line.repeat(count))];
        expect(pieces.filter((piece) => piece.length === line.length - 1)).toHaveLength(count);
      });
    split(10_000);
    expect(split(250_000)).toBeLessThan(12 * split(50_000));
  });

  // Quadratic time would take minutes at this length.
  test.each([
    ["a,", 1],
    ["'text;", 166_667],
    ["''", 1],
    ["[", 1],
    ["/* ", 0],
    ["/", 1],
    ["--\n/* a; */", 0],
    [";", 0],
    ["create trigger ", 1],
    ["create trigger r begin end;", 1],
  ])("takes time in proportion to the length of a script made of %j", (unit, pieces) => {
    const script = unit.repeat(2_000_000 / unit.length);
    const start = performance.now();
    expect([...splitScript(script)]).toHaveLength(pieces);
    expect(performance.now() - start).toBeLessThan(1000 * timeFactor());
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

/** A script that runs, of statements in random order with noise between all their words. */
function generate(random: () => number): { script: string; statements: number } {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const blank = (): string =>
    pick([
      " ",
      " ",
      "\n",
      "\t",
      "\r\n",
      " /* ; ' */ ",
      ' -- ;end; "\n',
      "/**/ ",
      "/* create trigger */",
      "\n--\n",
      "\n\uFEFF ",
    ]);
  const literal = (): string =>
    pick(["1", "'a;b'", "';end;'", "x'3b'", "'it''s;'", "null", "1.5", "''';'", "'/*'", "'--'"]);
  const name = (): string => pick(['"x;y"', "[;]", "`;``;`", "end_", "é", '"end;"', "[']"]);
  const insert = (table: string): string[] => [
    "insert",
    "into",
    table,
    "values",
    "(",
    literal(),
    ",",
    literal(),
    ")",
  ];
  let made = 0;
  const statement = (): string[] => {
    made++;
    switch (Math.floor(random() * 7)) {
      case 0:
        return ["create", "table", `"n;${made}"`, "(", name(), "default", literal(), ")"];
      case 1:
        return [
          "update",
          "t",
          "set",
          "b",
          "=",
          "case",
          "when",
          "a",
          "is",
          literal(),
          "then",
          literal(),
          "end",
        ];
      case 2:
        return ["delete", "from", "t", "where", "a", "=", literal()];
      case 3: {
        const body = Array.from({ length: 1 + Math.floor(random() * 3) }, () => [
          ...insert("log"),
          ";",
        ]).flat();
        const kind = pick([["create"], ["create", "temp"], ["CREATE", "TEMPORARY"]]);
        const event = pick(["insert", "update", "delete"]);
        return [
          ...kind,
          pick(["trigger", "Trigger"]),
          `"r;${made}"`,
          "after",
          event,
          "on",
          "main.t",
          "begin",
          ...body,
          pick(["end", "END"]),
        ];
      }
      case 4:
        return ["create", "view", `[v;${made}]`, "as", "select", literal(), "as", name(), "from", "t"];
      case 5:
        return ["select", literal(), "as", name()];
      default:
        return insert("t");
    }
  };
  const pieces = Array.from({ length: 1 + Math.floor(random() * 12) }, () =>
    statement()
      .map((word) => word + blank())
      .join(""),
  );
  const script = pieces.map((piece) => `${blank()}${piece};${pick(["", ";", `${blank()};`])}`).join("");
  return { script: TABLES + script, statements: pieces.length + 2 };
}

/** Milliseconds of processor time, the least of three: on a busy machine others take the processor meanwhile. */
function took(work: () => void): number {
  const times = [1, 2, 3].map(() => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.min(...times);
}
