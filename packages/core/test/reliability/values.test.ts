import { type Connection, type Pool, Row } from "@sqlite-aio/core";
import type { IntegerMode, SqlValue } from "@sqlite-aio/worker/wire";
import * as fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { open, temporaryPath } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";
import { figure, seed, times, within } from "./scale.ts";
import { type Bound, columnNames, read, stored, type Table, tables, values } from "./value-arbitraries.ts";
import { needs } from "./tools.ts";
import { cellOf, findWitnesses, NO_WITNESS, quoted, type Refusal, type Witness } from "./witness.ts";

const VALUES = times(1500, 100_000);
const PARAMETER_LISTS = times(40, 3000);
const STATEMENTS = times(120, 5000);
const MODES = ["auto", "bigint", "number"] as const;

let witnesses: Witness[];
const counted = { values: 0, lists: 0, statements: 0, tests: 0 };

beforeAll(async () => {
  witnesses = await findWitnesses();
  if (witnesses.length > 0)
    process.stdout.write(`values: compared with ${witnesses.map(({ name }) => name).join(" and ")}\n`);
});

beforeEach(({ skip }) => needs(witnesses.length === 0 ? NO_WITNESS : null, skip));

afterAll(() => {
  for (const witness of witnesses) witness.close();
  if (counted.tests < 3) return;
  figure(
    "values",
    `${counted.values} values, ${counted.lists} lists of parameters and ${counted.statements} statements that mostly fail, against ${witnesses.map(({ name }) => name).join(" and ")}: 0 differences`,
  );
});

/** The readers of the same file, with each way of reading integers. */
interface Subject {
  readonly path: string;
  readonly pool: Pool;
  readonly connections: Readonly<Record<IntegerMode, Connection>>;
}

async function subject(): Promise<Subject> {
  const path = await temporaryPath();
  const pragmas = { synchronous: "OFF" };
  const pool = await openPool({ readers: 1, pragmas }, path);
  const connection = (integers: IntegerMode): Promise<Connection> =>
    open(path, { integers, isolationLevel: null, pragmas });
  return {
    path,
    pool,
    connections: {
      auto: await connection("auto"),
      bigint: await connection("bigint"),
      number: await connection("number"),
    },
  };
}

type Write = (subject: Subject, sql: string, rows: Table["rows"]) => Promise<unknown>;

/** Every way in which a row gets into a table. */
const WRITES: Record<string, Write> = {
  execute: async ({ connections }, sql, rows) => {
    await connections.auto.transaction(async (tx) => {
      for (const row of rows) await tx.execute(sql, row);
    });
  },
  executemany: ({ connections }, sql, rows) =>
    connections.bigint.transaction((tx) => tx.executemany(sql, rows)),
  "executemany, asynchronously": ({ connections }, sql, rows) =>
    connections.number.transaction((tx) =>
      tx.executemany(
        sql,
        (async function* () {
          yield* rows;
        })(),
      ),
    ),
  executeInsert: async ({ connections }, sql, rows) => {
    await connections.auto.transaction(async (tx) => {
      for (const row of rows) await tx.executeInsert(sql, row);
    });
  },
  "run, all at once": ({ pool }, sql, rows) => Promise.all(rows.map((row) => pool.run(sql, row))),
  transaction: ({ pool }, sql, rows) =>
    pool.transaction(async (tx) => {
      for (const row of rows) await tx.run(sql, row);
    }),
};

type Read = (subject: Subject, sql: string, integers: IntegerMode) => Promise<unknown[]>;

async function collect(rows: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

async function asObjects<T>(db: Connection, work: () => Promise<T>): Promise<T> {
  db.rowFactory = Row;
  try {
    return await work();
  } finally {
    db.rowFactory = null;
  }
}

async function inChunks(db: Connection, sql: string, size: number): Promise<unknown[]> {
  await using cursor = await db.cursor();
  cursor.iterChunkSize = size;
  await cursor.execute(sql);
  const rows: unknown[] = [await cursor.fetchone()];
  rows.push(...(await cursor.fetchmany(size + 3)));
  for await (const row of cursor) rows.push(row);
  return rows;
}

/** Every way in which rows are read; the pool's are always objects, read as `auto`. */
const READS: Record<string, Read> = {
  executeFetchall: ({ connections }, sql, integers) => connections[integers].executeFetchall(sql),
  "executeFetchall, objects": ({ connections }, sql, integers) =>
    asObjects(connections[integers], () => connections[integers].executeFetchall(sql)),
  fetchall: async ({ connections }, sql, integers) =>
    await (await connections[integers].execute(sql)).fetchall(),
  "in chunks of 1": ({ connections }, sql, integers) => inChunks(connections[integers], sql, 1),
  "in chunks of 64": ({ connections }, sql, integers) => inChunks(connections[integers], sql, 64),
  "in chunks of 5000, objects": ({ connections }, sql, integers) =>
    asObjects(connections[integers], () => inChunks(connections[integers], sql, 5000)),
  "pool.all": ({ pool }, sql) => pool.all(sql),
  "pool.iterate": ({ pool }, sql) => collect(pool.iterate(sql)),
  "pool.execute": async ({ pool }, sql) => (await pool.execute(sql)).rows,
  "pool.read": ({ pool }, sql) => pool.read((tx) => tx.all(sql)),
};
const READ_NAMES = Object.keys(READS);

/** Fails unless `rows` are those of the table, as arrays or as objects. */
function compare(
  rows: readonly unknown[],
  names: readonly string[],
  wanted: readonly (readonly SqlValue[])[],
  what: string,
): void {
  if (rows.length !== wanted.length)
    throw new Error(`${what}: ${rows.length} rows in place of ${wanted.length}`);
  for (const [r, row] of rows.entries()) {
    let cells = row as SqlValue[];
    if (!Array.isArray(row)) {
      const object = row as Record<string, SqlValue>;
      if (Object.getPrototypeOf(object) !== Object.prototype)
        throw new Error(`${what}: a row with another prototype`);
      if (Object.keys(object).length !== names.length)
        throw new Error(`${what}: ${Object.keys(object).join()}`);
      cells = names.map((name) => {
        if (!Object.hasOwn(object, name)) throw new Error(`${what}: no column ${name}`);
        return object[name]!;
      });
    }
    if (cells.length !== names.length) throw new Error(`${what}: ${cells.length} columns`);
    for (const [c, value] of wanted[r]!.entries()) {
      if (!isSame(cells[c], value))
        throw new Error(`${what}: row ${r}, column ${c}: ${show(cells[c])} in place of ${show(value)}`);
    }
  }
}

function isSame(found: unknown, wanted: SqlValue): boolean {
  return wanted instanceof Uint8Array
    ? Buffer.isBuffer(found) && found.equals(wanted)
    : Object.is(found, wanted);
}

function show(value: unknown): string {
  return `${typeof value} ${Object.is(value, -0) ? "-0" : value instanceof Uint8Array ? Buffer.from(value).toString("hex") : JSON.stringify(value, (_, v: unknown) => (typeof v === "bigint" ? `${v}n` : v))}`;
}

async function recreate({ connections }: Subject, names: readonly string[]): Promise<void> {
  await connections.auto.executescript(
    `DROP TABLE IF EXISTS t; CREATE TABLE t (${names.map(quoted).join(", ")})`,
  );
}

it("values that are written here are there for others, and those of others are read here, in every shape", {
  timeout: within(60_000, 900_000),
}, async () => {
  const sides = await subject();
  const plan = fc.record({
    table: tables,
    write: fc.constantFrom(...Object.keys(WRITES)),
    reads: fc.subarray(READ_NAMES, { minLength: 2, maxLength: 5 }),
    readBack: fc.subarray(READ_NAMES, { minLength: 1, maxLength: 3 }),
    integers: fc.constantFrom(...MODES),
    witness: fc.nat(),
  });
  const check = async (
    names: readonly string[],
    cells: readonly (readonly SqlValue[])[],
    reads: string[],
    integers: IntegerMode,
  ): Promise<void> => {
    for (const way of reads) {
      const mode = way.startsWith("pool") ? "auto" : integers;
      const wanted = cells.map((row) => row.map((value) => read(value, mode)));
      compare(
        await READS[way]!(sides, "SELECT * FROM t ORDER BY _rowid_", mode),
        names,
        wanted,
        `${way}, ${mode}`,
      );
    }
  };
  const property = fc.asyncProperty(
    plan,
    async ({ table: { names, rows, drawn }, write, reads, readBack, integers, witness: number }) => {
      const witness = witnesses[number % witnesses.length]!;
      const marks = names.map(() => "?").join(", ");
      const cells = rows.map((row) => row.map(stored));
      const encoded = cells.map((row) => row.map(cellOf));
      await recreate(sides, names);
      await WRITES[write]!(sides, `INSERT INTO t VALUES (${marks})`, rows);
      const found = await witness.read(sides.path, "t", names);
      if (found.join("\n") !== encoded.join("\n"))
        throw new Error(`${witness.name} reads something else after ${write}`);
      await check(names, cells, reads, integers);
      counted.values += drawn * names.length;

      await sides.connections.auto.execute("DELETE FROM t");
      await witness.write(sides.path, "t", encoded);
      await check(names, cells, readBack, integers);
      counted.values += drawn * names.length;
    },
  );
  // How many values a table has is drawn, too.
  for (let round = 0; counted.values < VALUES; round++)
    await fc.assert(property, { seed: seed + round, numRuns: 5 });
  expect(counted.values).toBeGreaterThanOrEqual(VALUES);
  counted.tests++;
});

/** Parameters of a statement as they stand in its text, and what they are given. */
interface ParameterList {
  readonly marks: readonly string[];
  readonly given: readonly Bound[] | Record<string, Bound>;
  /** The parameters for each kind of mark. */
  readonly wanted: readonly Bound[];
}

const NAMES = [":a", "@b", "$c", ":A", ":_", "$é", ":日本", "@x1", ":__proto__", ":constructor", ":1a"];

const marks = fc.array(
  fc.oneof(
    fc.constant("?"),
    fc.integer({ min: 1, max: 12 }).map((n) => `?${n}`),
    fc.constantFrom(...NAMES),
  ),
  {
    minLength: 1,
    maxLength: 8,
  },
);
const parameterLists: fc.Arbitrary<ParameterList> = fc
  .tuple(marks, fc.array(values, { minLength: 25, maxLength: 25 }), fc.boolean())
  .map(([some, pool, byName]) => {
    const used = byName ? some.map((mark, i) => (mark.startsWith("?") ? NAMES[i]! : mark)) : some;
    // https://sqlite.org/lang_expr.html#varparam
    const named = new Map<string, number>();
    let most = 0;
    const indices = used.map((mark) => {
      let index = named.get(mark);
      if (index === undefined) {
        index = /^\?\d/.test(mark) ? Number(mark.slice(1)) : most + 1;
        if (mark !== "?") named.set(mark, index);
      }
      most = Math.max(most, index);
      return index;
    });
    const wanted = indices.map((index) => pool[index]!);
    if (!byName) return { marks: used, given: pool.slice(1, most + 1), wanted };
    const given: Record<string, Bound> = Object.create(null);
    // With or without its prefix, as both are allowed.
    for (const [i, mark] of used.entries()) given[indices[i]! % 2 === 0 ? mark : mark.slice(1)] = wanted[i];
    return { marks: used, given, wanted };
  });

it("parameters of every form are bound to what they name", { timeout: within(60_000, 600_000) }, async () => {
  const sides = await subject();
  const columns = Array.from({ length: 8 }, (_, i) => `c${i}`);
  const statements = fc.array(parameterLists, { minLength: 20, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(statements, fc.nat(), async (lists, number) => {
      const witness = witnesses[number % witnesses.length]!;
      await recreate(sides, columns);
      const encoded: string[][] = [];
      for (const [i, list] of lists.entries()) {
        const wanted = columns.map((_, c) => stored(list.wanted[c]));
        encoded.push(wanted.map(cellOf));
        const listed = columns.slice(0, list.marks.length).join(", ");
        const sql = `INSERT INTO t (${listed}) VALUES (${list.marks.join(", ")}) RETURNING *`;
        const rows =
          i % 2 === 0
            ? await sides.connections.bigint.executeFetchall(sql, list.given)
            : (await sides.pool.execute(sql, list.given)).rows;
        compare(rows, columns, [wanted.map((value) => read(value, i % 2 === 0 ? "bigint" : "auto"))], sql);
        counted.lists++;
      }
      const found = await witness.read(sides.path, "t", columns);
      if (found.join("\n") !== encoded.join("\n")) throw new Error(`${witness.name} reads something else`);
    }),
    { seed, numRuns: Math.ceil(PARAMETER_LISTS / 20) },
  );
  expect(counted.lists).toBeGreaterThanOrEqual(PARAMETER_LISTS);
  counted.tests++;
});

const SCHEMA = [
  "CREATE TABLE parent (id INTEGER PRIMARY KEY, label TEXT NOT NULL UNIQUE)",
  `CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL DEFAULT 0, c CHECK (c BETWEEN 0 AND 5), p REFERENCES parent (id),
    UNIQUE (n, c) ON CONFLICT FAIL)`,
  "CREATE TABLE strict (i INTEGER, r REAL, x TEXT, b BLOB) STRICT",
  "CREATE TABLE pairs (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID",
  "CREATE TRIGGER kept BEFORE DELETE ON t WHEN old.n > 2 BEGIN SELECT RAISE(ABORT, 'it is kept'); END",
  "CREATE VIEW seen AS SELECT id, u FROM t",
  "INSERT INTO parent VALUES (1, 'one'), (2, 'two')",
];
const literals = fc.constantFrom(
  "NULL",
  "0",
  "1",
  "2",
  "3",
  "6",
  "-1",
  "1.5",
  "'a'",
  "'1'",
  "x'01'",
  "9223372036854775807",
);
const identifiers = fc.constantFrom(
  "id",
  "u",
  "n",
  "c",
  "p",
  "a",
  "label",
  "missing",
  "t",
  "parent",
  "seen",
  "nowhere",
  "rowid",
  "[odd name]",
);
const words = fc.constantFrom(
  "SELECT",
  "FROM",
  "WHERE",
  "t",
  "id",
  "u",
  "missing",
  "nowhere",
  "(",
  ")",
  ",",
  "=",
  "+",
  "*",
  "1",
  "'a'",
  "LIMIT",
  "AS",
  "count(",
  "JOIN",
  "NULL",
  "IN",
  "\u00e4",
);
const statements: fc.Arbitrary<string> = fc.oneof(
  fc
    .tuple(literals, literals, literals, literals)
    .map(([u, n, c, p]) => `INSERT INTO t (u, n, c, p) VALUES (${u}, ${n}, ${c}, ${p})`),
  fc.tuple(literals, literals).map(([id, u]) => `INSERT OR REPLACE INTO t (id, u) VALUES (${id}, ${u})`),
  fc
    .tuple(literals, literals, literals, literals)
    .map((row) => `INSERT INTO strict VALUES (${row.join(", ")})`),
  fc.tuple(literals, literals).map((row) => `INSERT INTO pairs VALUES (${row.join(", ")})`),
  fc.tuple(literals, literals).map((row) => `INSERT INTO parent VALUES (${row.join(", ")})`),
  fc
    .tuple(identifiers, literals, literals)
    .map(([column, value, id]) => `UPDATE t SET ${column} = ${value} WHERE id = ${id}`),
  literals.map((id) => `DELETE FROM t WHERE id = ${id}`),
  literals.map((id) => `DELETE FROM parent WHERE id = ${id}`),
  fc
    .tuple(identifiers, identifiers)
    // Whether a view has rowids depends on how SQLite was built.
    .filter(([column, table]) => column !== "rowid" || table !== "seen")
    .map(([column, table]) => `SELECT ${column} FROM ${table}`),
  fc.tuple(identifiers, literals, literals).map(([name, a, b]) => `SELECT ${name}(${a}, ${b})`),
  fc.tuple(identifiers, literals).map(([view, value]) => `INSERT INTO ${view} VALUES (${value})`),
  fc.tuple(literals, literals).map(([a, b]) => `SELECT abs(${a}), substr(${b})`),
  identifiers.map((name) => `CREATE TABLE ${name} (x)`),
  fc.array(words, { minLength: 1, maxLength: 9 }).map((some) => `SELECT ${some.join(" ")}`),
);

it("statements are refused with the class, the code and the words that others are told", {
  timeout: within(60_000, 600_000),
}, async () => {
  const sides = await subject();
  // Both go the same way, each in a file of his own.
  const theirs = await temporaryPath();
  const telling = witnesses.find(({ name }) => name.startsWith("CPython")) ?? witnesses[0]!;
  for (const sql of SCHEMA) {
    await sides.connections.auto.executescript(sql);
    expect(await telling.refusal(theirs, sql)).toBeNull();
  }
  let refused = 0;
  const ask = async (sql: string, number: number): Promise<Refusal | null> => {
    const { auto } = sides.connections;
    try {
      if (number % 3 === 0) await auto.executeFetchall(sql);
      else if (number % 3 === 1) await (await auto.execute(sql)).fetchall();
      else await sides.pool.all(sql);
      return null;
    } catch (error) {
      const { name, message } = error as Error;
      return { name, message, code: String(Reflect.get(error as Error, "code")) };
    }
  };
  let number = 0;
  await fc.assert(
    fc.asyncProperty(statements, async (sql) => {
      const wanted = await telling.refusal(theirs, sql);
      const found = await ask(sql, number++);
      counted.statements++;
      if (wanted !== null) refused++;
      if (wanted === null || found === null) {
        expect(found, sql).toEqual(wanted);
        return;
      }
      expect(found.message, sql).toBe(wanted.message);
      if (wanted.name !== null) expect(found.name, sql).toBe(wanted.name);
      if (wanted.code !== null) expect(found.code, sql).toBe(wanted.code);
    }),
    // A statement that has run is not run again to find a shorter one: the two would no longer go the same way.
    { seed, numRuns: STATEMENTS, endOnFailure: true },
  );
  expect(refused).toBeGreaterThan(STATEMENTS / 4);
  // Not the ids: beyond the largest one SQLite makes them up.
  const columns = ["u", "n", "c", "p"];
  const rows = await sides.connections.bigint.executeFetchall<SqlValue[]>(`SELECT ${columns.join()} FROM t`);
  const [ours, others] = [rows.map((row) => row.map(cellOf)), await telling.read(theirs, "t", columns)];
  expect(ours.map(String).toSorted()).toEqual(others.map(String).toSorted());
  counted.tests++;
});

it("names of columns are those that others have given, as keys and in descriptions", {
  timeout: within(60_000, 120_000),
}, async () => {
  const sides = await subject();
  await fc.assert(
    fc.asyncProperty(columnNames(5), fc.nat(), async (names, number) => {
      const witness = witnesses[number % witnesses.length]!;
      await sides.connections.auto.executescript("DROP TABLE IF EXISTS t");
      expect(
        await witness.refusal(sides.path, `CREATE TABLE t (${names.map(quoted).join(", ")})`),
      ).toBeNull();
      await witness.write(sides.path, "t", [names.map((_, i) => `i${i}`)]);
      const wanted = [names.map((_, i) => i)];
      for (const way of READ_NAMES)
        compare(await READS[way]!(sides, "SELECT * FROM t", "auto"), names, wanted, way);
      await using cursor = await sides.connections.auto.execute("SELECT * FROM t");
      expect(cursor.description?.map(([name]) => name)).toEqual(names);
      expect((await sides.pool.execute("SELECT * FROM t")).columns).toEqual(names);
    }),
    { seed, numRuns: times(5, 150) },
  );
});
