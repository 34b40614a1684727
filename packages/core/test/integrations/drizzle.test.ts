import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  createPool,
  IntegrityError,
  OperationalError,
  type Pool,
  type PoolOptions,
  ProgrammingError,
  type RunResult,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import { drizzle, migrate, type SqliteAioDatabase } from "@sqlite-aio/core/drizzle";
import { avg, count, DrizzleQueryError, eq, gt, relations, sql, TransactionRollbackError } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import { Cache, type MutationOption } from "drizzle-orm/cache/core";
import { blob, integer, numeric, real, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { describe, expect, expectTypeOf, it, onTestFinished, vi } from "vitest";
import { endsWithTest } from "../support/child.ts";
import { type Engine, openEngine, rejection, temporaryFolder, temporaryPath } from "../support/database.ts";
import { gate } from "../support/gate.ts";

const person = sqliteTable("person", {
  id: integer().primaryKey(),
  name: text().notNull().unique(),
  age: integer(),
});

const pet = sqliteTable("pet", {
  id: integer().primaryKey(),
  name: text().notNull(),
  owner: integer()
    .notNull()
    .references(() => person.id),
});

const personRelations = relations(person, ({ many }) => ({ pets: many(pet) }));
const petRelations = relations(pet, ({ one }) => ({
  owner: one(person, { fields: [pet.owner], references: [person.id] }),
}));

const schema = { person, pet, personRelations, petRelations };

const ddl = `
  CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, age INTEGER);
  CREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT NOT NULL, owner INTEGER NOT NULL REFERENCES person (id));
`;

interface Opened {
  readonly db: SqliteAioDatabase<typeof schema, Pool>;
  readonly pool: Pool;
  readonly path: string;
}

/** A database with people and pets, on a pool that is closed when the test is over. */
async function opened(options: PoolOptions = {}): Promise<Opened> {
  const path = await temporaryPath();
  const pool = await createPool(path, { readers: 2, ...options });
  onTestFinished(() => pool.close());
  await pool.exec(ddl);
  return { db: drizzle(pool, { schema }), pool, path };
}

async function names(db: Pick<Opened["db"], "select">): Promise<string[]> {
  return (await db.select({ name: person.name }).from(person).orderBy(person.id)).map(({ name }) => name);
}

describe("queries", () => {
  it("insert, update, delete and select, with the counts of the driver", async () => {
    const { db } = await opened();
    const inserted = await db.insert(person).values([
      { name: "Ada", age: 36 },
      { name: "Alan", age: 41 },
    ]);
    expectTypeOf(inserted).toEqualTypeOf<RunResult>();
    expect(inserted).toEqual({ changes: 2, lastInsertRowid: 2 });
    const updated = await db.update(person).set({ age: 42 }).where(eq(person.name, "Alan")).returning();
    expectTypeOf(updated).toEqualTypeOf<{ id: number; name: string; age: number | null }[]>();
    expect(updated).toEqual([{ id: 2, name: "Alan", age: 42 }]);
    expect(await db.delete(person).where(gt(person.age, 40))).toMatchObject({ changes: 1 });
    const all = await db.select().from(person);
    expectTypeOf(all).toEqualTypeOf<{ id: number; name: string; age: number | null }[]>();
    expect(all).toEqual([{ id: 1, name: "Ada", age: 36 }]);
    expect(await db.$count(person)).toBe(1);
    const [means] = await db.select({ n: count(), age: avg(person.age).mapWith(Number) }).from(person);
    expect(means).toEqual({ n: 1, age: 36 });
  });

  it("join tables whose columns have the same names, and tell a missing row from one of nulls", async () => {
    const { db } = await opened();
    await db.insert(person).values([{ name: "Ada" }, { name: "Alan" }]);
    await db.insert(pet).values({ name: "Rex", owner: 1 });
    const joined = await db.select().from(person).leftJoin(pet, eq(pet.owner, person.id)).orderBy(person.id);
    expectTypeOf(joined).toEqualTypeOf<
      {
        person: { id: number; name: string; age: number | null };
        pet: { id: number; name: string; owner: number } | null;
      }[]
    >();
    expect(joined).toEqual([
      { person: { id: 1, name: "Ada", age: null }, pet: { id: 1, name: "Rex", owner: 1 } },
      { person: { id: 2, name: "Alan", age: null }, pet: null },
    ]);
  });

  it("read relations in one query", async () => {
    const { db } = await opened();
    await db.insert(person).values([{ name: "Ada" }, { name: "Alan" }]);
    await db.insert(pet).values([
      { name: "Rex", owner: 1 },
      { name: "Tom", owner: 1 },
    ]);
    const owners = await db.query.person.findMany({
      columns: { name: true },
      with: { pets: { columns: { name: true }, orderBy: pet.id } },
      orderBy: person.id,
    });
    expectTypeOf(owners).toEqualTypeOf<{ name: string; pets: { name: string }[] }[]>();
    expect(owners).toEqual([
      { name: "Ada", pets: [{ name: "Rex" }, { name: "Tom" }] },
      { name: "Alan", pets: [] },
    ]);
    const tom = await db.query.pet.findFirst({ where: eq(pet.name, "Tom"), with: { owner: true } });
    expect(tom).toEqual({ id: 2, name: "Tom", owner: { id: 1, name: "Ada", age: null } });
    expect(await db.query.pet.findFirst({ where: eq(pet.name, "nobody") })).toBeUndefined();
  });

  it("run raw SQL as run, all, get and values", async () => {
    const { db } = await opened();
    expect(await db.run(sql`INSERT INTO person (name) VALUES (${"Ada"}), ('Alan')`)).toMatchObject({
      changes: 2,
    });
    expect(await db.all(sql`SELECT name FROM person ORDER BY id`)).toEqual([
      { name: "Ada" },
      { name: "Alan" },
    ]);
    expect(await db.get(sql`SELECT name, id FROM person WHERE id = ${2}`)).toEqual({ name: "Alan", id: 2 });
    expect(await db.get("SELECT 1 WHERE false")).toBeUndefined();
    expect(await db.values(sql`SELECT id, name AS id FROM person WHERE id = 1`)).toEqual([[1, "Ada"]]);
    expect(await db.run(sql`SELECT 1`)).toMatchObject({ changes: 0 });
  });

  it.each(["BEGIN", "PRAGMA cache_size = 5", "ATTACH ':memory:' AS other", "CREATE TEMP TABLE mine (a)"])(
    "refuse %s by itself, which would be lost with its connection",
    async (statement) => {
      const { db } = await opened();
      const refused = {
        code: "SQLITE_MISUSE",
        message: expect.stringMatching(/onConnect|pragmas|transaction\(\)/),
      };
      const given = sql.raw(statement);
      for (const call of [db.run(given), db.all(given), db.get(given), db.values(given)])
        expect(await reason(call)).toMatchObject(refused);
      if (/PRAGMA|TEMP/.test(statement))
        await db.transaction(async (tx) => void (await tx.run(sql.raw(statement))));
    },
  );

  it("give the first row, or undefined, for get()", async () => {
    const { db } = await opened();
    expect(await db.select().from(person).get()).toBeUndefined();
    const ada = await db.insert(person).values({ name: "Ada" }).returning({ id: person.id }).get();
    expect(ada).toEqual({ id: 1 });
    await db.insert(person).values({ name: "Alan" });
    expect(await db.select().from(person).orderBy(person.id).get()).toEqual({
      id: 1,
      name: "Ada",
      age: null,
    });
    expect(await db.select({ id: person.id }).from(person).orderBy(person.id).values()).toEqual([[1], [2]]);
  });

  it("are prepared once and run with placeholders", async () => {
    const { db } = await opened();
    const insert = db
      .insert(person)
      .values({ name: sql.placeholder("name") })
      .returning()
      .prepare();
    const older = db
      .select({ name: person.name })
      .from(person)
      .where(gt(person.id, sql.placeholder("id")))
      .orderBy(person.id)
      .prepare();
    for (const name of ["a", "b", "c"]) await insert.execute({ name });
    const found = await older.all({ id: 1 });
    expectTypeOf(found).toEqualTypeOf<{ name: string }[]>();
    expect(found).toEqual([{ name: "b" }, { name: "c" }]);
    expect(await older.get({ id: 2 })).toEqual({ name: "c" });
    expect(await older.get({ id: 3 })).toBeUndefined();
    expect(await older.values({ id: 2 })).toEqual([["c"]]);
    const related = db.query.person.findMany({ where: eq(person.id, sql.placeholder("id")) }).prepare();
    expect(await related.execute({ id: 2 })).toEqual([{ id: 2, name: "b", age: null }]);
  });

  it("wrap the driver's error, whose class and code are in the cause", async () => {
    const { db } = await opened();
    await db.insert(person).values({ name: "Ada" });
    const error = await rejection(db.insert(person).values({ name: "Ada" }));
    expect(error).toBeInstanceOf(DrizzleQueryError);
    const { cause } = error as Error;
    expect(cause).toBeInstanceOf(IntegrityError);
    expect(cause).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE" });
    const missing = await rejection(db.all(sql`SELECT * FROM nowhere`));
    expect((missing as Error).cause).toBeInstanceOf(OperationalError);
  });

  it("are logged and cased as they are configured", async () => {
    const { pool } = await opened();
    const logged: [string, unknown[]][] = [];
    const thing = sqliteTable("thing", { longName: text() });
    await pool.exec("CREATE TABLE thing (long_name TEXT)");
    const db = drizzle(pool, {
      casing: "snake_case",
      logger: { logQuery: (query, values) => void logged.push([query, values]) },
    });
    await db.insert(thing).values({ longName: "x" });
    expect(await db.select().from(thing)).toEqual([{ longName: "x" }]);
    expect(logged[0]).toEqual(['insert into "thing" ("long_name") values (?)', ["x"]]);
  });

  it("are printed where the logger is true", async () => {
    const { pool } = await opened();
    const printed = vi.spyOn(console, "log").mockImplementation(() => {});
    onTestFinished(() => printed.mockRestore());
    await drizzle(pool, { logger: true }).run(sql`SELECT ${1}`);
    await drizzle(pool, { logger: false }).run(sql`SELECT ${2}`);
    expect(printed.mock.calls).toEqual([["Query: SELECT ? -- params: [1]"]]);
  });

  it("need a pool", () => {
    expect(() => drizzle(null as unknown as Pool)).toThrow(TypeError);
  });

  it("refuse a config that could never work, and ignore names that Drizzle does not know", async () => {
    const { pool } = await opened();
    const made = (config: unknown) => () => drizzle(pool, config as object);
    for (const config of [null, 5, "snake_case", []])
      expect(made(config)).toThrow(/^the options must be an object/);
    expect(made({ casing: "snake" })).toThrow(RangeError);
    expect(made({ schema: "schema" })).toThrow(new TypeError('option "schema" must be an object'));
    for (const logger of [1, "all", {}])
      expect(made({ logger })).toThrow(new TypeError('option "logger" must be a boolean or a logger'));
    expect(made({ cache: {} })).toThrow(TypeError);
    // As in Drizzle's own drivers.
    const nothing = { casing: null, schema: null, logger: null, cache: null, mode: "default" };
    const db = drizzle(pool, nothing as object);
    expect(await db.all(sql`SELECT 1 AS x`)).toEqual([{ x: 1 }]);
  });

  it("begin no transaction for what is no function", async () => {
    const { db, pool } = await opened();
    const begun = vi.spyOn(pool, "transaction");
    for (const fn of [undefined, 5])
      expect(await rejection(db.transaction(fn as never))).toMatchObject({
        name: "TypeError",
        message: "transaction: the first argument must be a function",
      });
    expect(begun).not.toHaveBeenCalled();
  });
});

describe("values", () => {
  const value = sqliteTable("value", {
    id: integer().primaryKey(),
    truth: integer({ mode: "boolean" }),
    second: integer({ mode: "timestamp" }),
    millisecond: integer({ mode: "timestamp_ms" }),
    object: text({ mode: "json" }).$type<{ a: number[] }>(),
    choice: text({ enum: ["x", "y"] }),
    bytes: blob({ mode: "buffer" }),
    big: blob({ mode: "bigint" }),
    blobObject: blob({ mode: "json" }).$type<{ b: string }>(),
    ratio: real(),
    amount: numeric(),
    large: numeric({ mode: "bigint" }),
  });
  const valueDdl = `CREATE TABLE value (
    id INTEGER PRIMARY KEY, truth INTEGER, second INTEGER, millisecond INTEGER, object TEXT, choice TEXT, bytes BLOB,
    big BLOB, blobObject BLOB, ratio REAL, amount NUMERIC, large NUMERIC
  )`;

  it("of every mode come back as they were given", async () => {
    const { db, pool } = await opened();
    await pool.exec(valueDdl);
    const given = {
      id: 1,
      truth: true,
      second: new Date("2024-02-29T12:30:45Z"),
      millisecond: new Date("2024-02-29T12:30:45.678Z"),
      object: { a: [1, 2] },
      choice: "y" as const,
      bytes: Buffer.from([0, 255, 1]),
      big: 2n ** 100n,
      blobObject: { b: "ü" },
      ratio: 2,
      amount: "12.5",
      large: 2n ** 60n,
    };
    await db.insert(value).values(given);
    const read = await db.select().from(value).get();
    expectTypeOf(read!.second).toEqualTypeOf<Date | null>();
    expectTypeOf(read!.big).toEqualTypeOf<bigint | null>();
    expectTypeOf(read!.bytes).toEqualTypeOf<Buffer | null>();
    expect(read).toEqual(given);
    expect(Buffer.isBuffer(read?.bytes)).toBe(true);
    expect(
      await pool.get(
        "SELECT typeof(truth) t, typeof(second) s, typeof(ratio) r, typeof(large) l, typeof(big) b FROM value",
      ),
    ).toEqual({ t: "integer", s: "integer", r: "real", l: "integer", b: "blob" });
    await db.insert(value).values({ id: 2 });
    const empty = await db.select().from(value).where(eq(value.id, 2)).get();
    expect(Object.values(empty ?? {}).filter((one) => one !== null)).toEqual([2]);
    expect(await db.select({ id: value.id }).from(value).where(eq(value.second, given.second))).toEqual([
      { id: 1 },
    ]);
  });

  it("that are integers stay integers in an expression", async () => {
    const { db } = await opened();
    expect(await db.get(sql`SELECT typeof(${1}) AS type, ${3} / ${2} AS quotient`)).toEqual({
      type: "integer",
      quotient: 1,
    });
  });
});

describe("transactions", () => {
  it("await anything, commit, and are undone by what they throw", async () => {
    const { db } = await opened();
    const id = await db.transaction(async (tx) => {
      const ada = await tx.insert(person).values({ name: "Ada" }).returning().get();
      await new Promise(setImmediate);
      await tx.insert(pet).values({ name: "Rex", owner: ada.id });
      expect(await tx.query.person.findMany({ with: { pets: true } })).toMatchObject([
        { pets: [{ name: "Rex" }] },
      ]);
      return ada.id;
    });
    expect(id).toBe(1);
    const stop = new Error("stop");
    expect(
      await rejection(
        db.transaction(async (tx) => {
          await tx.insert(person).values({ name: "Alan" });
          expect(await names(tx)).toEqual(["Ada", "Alan"]);
          throw stop;
        }),
      ),
    ).toBe(stop);
    expect(
      await rejection(
        db.transaction(
          async (tx) => {
            await tx.delete(pet);
            tx.rollback();
          },
          { behavior: "exclusive" },
        ),
      ),
    ).toBeInstanceOf(TransactionRollbackError);
    expect(await names(db)).toEqual(["Ada"]);
    expect(await db.$count(pet)).toBe(1);
  });

  it("nest as savepoints", async () => {
    const { db } = await opened();
    await db.transaction(async (tx) => {
      await tx.insert(person).values({ name: "Ada" });
      await tx.transaction(async (inner) => {
        await inner.insert(person).values({ name: "Alan" });
        const error = await rejection(
          inner.transaction(async (innermost) => {
            await innermost.insert(person).values({ name: "Grace" });
            await innermost.insert(person).values({ name: "Ada" });
          }),
        );
        expect((error as Error).cause).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE" });
        expect(await names(inner)).toEqual(["Ada", "Alan"]);
      });
      expect(
        await rejection(
          tx.transaction(async (inner) => {
            await inner.delete(person);
            inner.rollback();
          }),
        ),
      ).toBeInstanceOf(TransactionRollbackError);
      expect(await names(tx)).toEqual(["Ada", "Alan"]);
    });
    expect(await names(db)).toEqual(["Ada", "Alan"]);
  });

  it("are alone: 50 callers at once lose no update, while others read", async () => {
    const { db } = await opened();
    await db.insert(person).values({ name: "counter", age: 0 });
    const ages: (number | null)[] = [];
    await Promise.all(
      Array.from({ length: 50 }, async (_, caller) => {
        await db.transaction(async (tx) => {
          const counter = await tx.select().from(person).where(eq(person.id, 1)).get();
          await tx.update(person).set({ age: (counter?.age ?? 0) + 1 });
        });
        ages.push((await db.query.person.findFirst())?.age ?? null);
        await db.insert(pet).values({ name: `pet ${caller}`, owner: 1 });
      }),
    );
    expect(ages.every((age) => age !== null && age >= 1 && age <= 50)).toBe(true);
    expect(await db.select({ age: person.age }).from(person)).toEqual([{ age: 50 }]);
    expect(await db.$count(pet)).toBe(50);
  });

  it("reject when their thread dies, and the next has a new one", async () => {
    const { db, pool } = await opened();
    await pool.createFunction("die", 0, new URL("../fixtures/deadly.mjs", import.meta.url), {
      export: "die",
    });
    const error = await rejection(
      db.transaction(async (tx) => {
        await tx.insert(person).values({ name: "lost" });
        await tx.run(sql`SELECT die()`);
      }),
    );
    expect((error as Error).cause).toBeInstanceOf(WorkerCrashedError);
    await db.transaction((tx) => tx.insert(person).values({ name: "Ada" }));
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("let others read what was committed before, and refuse the database they were started from", async () => {
    const { db } = await opened();
    const inside = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const writing = db.transaction(async (tx) => {
      await tx.insert(person).values({ name: "Ada" });
      const error = await rejection(db.insert(person).values({ name: "Alan" }));
      expect((error as Error).cause).toBeInstanceOf(ProgrammingError);
      inside.resolve();
      await goOn.promise;
    });
    await inside.promise;
    expect(await names(db)).toEqual([]);
    goOn.resolve();
    await writing;
    expect(await names(db)).toEqual(["Ada"]);
  });
});

describe("a batch", () => {
  it("gives the result of each query, of every kind", async () => {
    const { db } = await opened();
    const results = await db.batch([
      db.insert(person).values({ name: "Ada" }),
      db.insert(person).values({ name: "Alan" }).returning(),
      db.select().from(person).leftJoin(pet, eq(pet.owner, person.id)).orderBy(person.id),
      db.query.person.findFirst({ with: { pets: true } }),
      db.run(sql`UPDATE person SET age = 1`),
      db.all<{ age: number }>(sql`SELECT age FROM person WHERE id = 1`),
      db.get<{ n: number }>(sql`SELECT count(*) AS n FROM person`),
      db.values(sql`SELECT id FROM person WHERE id = 2`),
    ]);
    expectTypeOf(results[1]).toEqualTypeOf<{ id: number; name: string; age: number | null }[]>();
    expectTypeOf(results[5]).toEqualTypeOf<{ age: number }[]>();
    expect(results).toEqual([
      { changes: 1, lastInsertRowid: 1 },
      [{ id: 2, name: "Alan", age: null }],
      [
        { person: { id: 1, name: "Ada", age: null }, pet: null },
        { person: { id: 2, name: "Alan", age: null }, pet: null },
      ],
      { id: 1, name: "Ada", age: null, pets: [] },
      { changes: 2, lastInsertRowid: 2 },
      [{ age: 1 }],
      { n: 2 },
      [[2]],
    ]);
  });

  it("is all or nothing", async () => {
    const { db } = await opened();
    await db.insert(person).values({ name: "Ada" });
    const error = await rejection(
      db.batch([
        db.insert(person).values({ name: "Alan" }),
        db.run(sql`INSERT OR ROLLBACK INTO person (name) VALUES ('Ada')`),
        db.insert(person).values({ name: "Grace" }),
      ]),
    );
    expect((error as Error).cause).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE" });
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("is what it was at the call, whatever becomes of the list and of the memory of values", async () => {
    const { db, pool } = await opened();
    await pool.exec("CREATE TABLE file (name TEXT, bytes BLOB)");
    const file = sqliteTable("file", { name: text(), bytes: blob({ mode: "buffer" }) });
    const bytes = Buffer.from("good");
    const release = gate();
    const holding = pool.transaction(() => release.opened);
    const insert = db.insert(file).values({ name: "one", bytes });
    const list: [typeof insert, ...BatchItem<"sqlite">[]] = [
      insert,
      db.run(sql`INSERT INTO file VALUES ('two', ${bytes})`),
      db.select().from(file).where(eq(file.bytes, bytes)),
    ];
    const results = db.batch(list);
    list.pop();
    list.push(db.run(sql`DELETE FROM file`));
    bytes.fill(0);
    release.open();
    await holding;
    const stored = [
      { name: "one", bytes: Buffer.from("good") },
      { name: "two", bytes: Buffer.from("good") },
    ];
    expect((await results)[2]).toEqual(stored);
    expect(await db.select().from(file)).toEqual(stored);
  });
});

describe("a batch of something else", () => {
  it("is refused before a transaction begins", async () => {
    const { db, pool } = await opened();
    const begun = vi.spyOn(pool, "transaction");
    const insert = db.insert(person).values({ name: "Grace" });
    for (const [queries, message] of [
      [undefined, "batch: the queries must be an array"],
      [insert, "batch: the queries must be an array"],
      [[1], "batch: item 0 is no query of Drizzle's"],
      [[insert, null], "batch: item 1 is no query of Drizzle's"],
      [[insert, {}], "batch: item 1 is no query of Drizzle's"],
    ])
      expect(await rejection(db.batch(queries as never))).toMatchObject({ name: "TypeError", message });
    expect(begun).not.toHaveBeenCalled();
  });

  it("holds what was in the array when it was called", async () => {
    const { db } = await opened();
    const queries = [db.insert(person).values({ name: "Grace" })];
    const done = db.batch(queries as never);
    queries.length = 0;
    expect(await done).toHaveLength(1);
  });
});

describe("a cache", () => {
  class TestCache extends Cache {
    readonly entries = new Map<string, unknown[]>();
    readonly changed: unknown[] = [];
    readonly tags: unknown[] = [];
    strategy(): "all" {
      return "all";
    }
    async get(key: string): Promise<unknown[] | undefined> {
      return this.entries.get(key);
    }
    async put(key: string, response: unknown[]): Promise<void> {
      this.entries.set(key, response);
    }
    async onMutate({ tables, tags = [] }: MutationOption): Promise<void> {
      this.changed.push(tables);
      this.tags.push(...[tags].flat());
      this.entries.clear();
    }
  }

  it("has the rows under the values that the query had at the call", async () => {
    const { pool } = await opened();
    await pool.exec(
      "CREATE TABLE file (name TEXT, bytes BLOB); INSERT INTO file VALUES ('a', 'x'), ('b', 'y')",
    );
    const file = sqliteTable("file", { name: text(), bytes: blob({ mode: "buffer" }) });
    await pool.run("UPDATE file SET bytes = CAST(bytes AS BLOB)");
    const cache = new TestCache();
    const db = drizzle(pool, { cache });
    const named = (bytes: Buffer) => db.select({ name: file.name }).from(file).where(eq(file.bytes, bytes));
    const bytes = Buffer.from("x");
    const asked = named(bytes).then((rows) => rows);
    bytes.write("y");
    expect(await asked).toEqual([{ name: "a" }]);
    expect(await named(Buffer.from("y"))).toEqual([{ name: "b" }]);
    expect(await named(Buffer.from("x"))).toEqual([{ name: "a" }]);
    expect(cache.entries.size).toBe(2);
  });

  it("answers a second time, and is told of changes when their transaction is committed", async () => {
    const { pool } = await opened();
    const cache = new TestCache();
    const db = drizzle(pool, { schema, cache });
    await db.insert(person).values({ name: "Ada" });
    expect(await names(db)).toEqual(["Ada"]);
    await pool.run("UPDATE person SET name = 'unseen'");
    expect(await names(db)).toEqual(["Ada"]);
    expect(cache.entries.size).toBe(1);

    await rejection(
      db.transaction(async (tx) => {
        await tx.insert(person).values({ name: "Alan" });
        expect(await names(tx)).toEqual(["unseen", "Alan"]);
        tx.rollback();
      }),
    );
    expect(await names(db)).toEqual(["Ada"]);
    expect(cache.changed).toEqual([["person"]]);

    await db.transaction(async (tx) => {
      await tx.insert(person).values({ name: "Alan" });
      expect(cache.changed.length).toBe(1);
    });
    expect(cache.changed).toEqual([["person"], ["person"]]);
    expect(await names(db)).toEqual(["unseen", "Alan"]);
    await db.$cache.invalidate({ tables: "person" });
    expect(cache.entries.size).toBe(0);
  });

  it("neither answers a query of a transaction that asks for it, nor keeps what that reads", async () => {
    const { pool } = await opened();
    const cache = new TestCache();
    const db = drizzle(pool, { schema, cache });
    const read = (from: Pick<typeof db, "select">) =>
      from.select({ name: person.name }).from(person).orderBy(person.id).$withCache();
    await db.insert(person).values({ name: "Ada" });
    await read(db);
    const before = structuredClone(cache.entries);
    await db.transaction(async (tx) => {
      await tx.insert(person).values({ name: "Alan" });
      expect(await read(tx)).toEqual([{ name: "Ada" }, { name: "Alan" }]);
      expect(cache.entries).toEqual(before);
      expect(await read(db)).toEqual([{ name: "Ada" }]);
    });
    expect(await read(db)).toEqual([{ name: "Ada" }, { name: "Alan" }]);
    const told = cache.changed.length;
    await db.transaction(read);
    expect(cache.changed.length).toBe(told);
  });

  it("is told of a transaction whose COMMIT was written and not answered", async () => {
    const { pool } = await opened();
    const cache = new TestCache();
    const db = drizzle(pool, { schema, cache });
    expect(await names(db)).toEqual([]);
    const crash = new Error("the thread has died");
    const transaction = pool.transaction.bind(pool);
    vi.spyOn(pool, "transaction").mockImplementationOnce(async (fn) => {
      await transaction(fn);
      throw crash;
    });
    const failed = db.transaction(async (tx) => {
      await tx.insert(person).values({ name: "Ada" });
    });
    expect(await rejection(failed)).toBe(crash);
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("is told of what a transaction invalidates by hand when that is committed", async () => {
    const { pool } = await opened();
    const cache = new TestCache();
    const db = drizzle(pool, { schema, cache });
    await rejection(
      db.transaction(async (tx) => {
        await tx.$cache.invalidate({ tables: person });
        tx.rollback();
      }),
    );
    await db.transaction(async (tx) => {
      await tx.$cache.invalidate({ tables: [person, pet] });
      await tx.transaction(async (inner) => inner.$cache.invalidate({ tables: "toy", tags: "front page" }));
      expect(cache.changed).toEqual([]);
    });
    await db.transaction(async (tx) => tx.$cache.invalidate({ tags: ["a", "b"] }));
    expect(cache.changed).toEqual([["person", "pet", "toy"], []]);
    expect(cache.tags).toEqual(["front page", "a", "b"]);
  });

  it("that fails rejects nothing that is written already, and is warned of", async () => {
    const { pool } = await opened();
    const broken = Object.assign(new TestCache(), {
      onMutate: async () => {
        throw new Error("cache down");
      },
    });
    const db = drizzle(pool, { schema, cache: broken });
    const warnings: unknown[] = [];
    const warned = vi
      .spyOn(process, "emitWarning")
      .mockImplementation((warning) => void warnings.push(warning));
    onTestFinished(() => warned.mockRestore());
    await db.insert(person).values({ name: "Ada" });
    await db.transaction(async (tx) => void (await tx.insert(person).values({ name: "Alan" })));
    await db.batch([db.insert(person).values({ name: "Grace" })]);
    expect(await pool.all("SELECT name FROM person ORDER BY id")).toEqual(
      ["Ada", "Alan", "Grace"].map((name) => ({ name })),
    );
    expect(warnings.length).toBe(3);
    expect(warnings[0]).toMatchObject({
      code: "SQLITE_AIO_CACHE",
      message: "what was written is committed, but the cache could not be told of it",
      detail: expect.stringContaining("cache down"),
    });
    // Called by hand, the invalidation is the whole request, so its error rejects.
    expect(await rejection(db.$cache.invalidate({ tables: person }))).toMatchObject({
      message: "cache down",
    });
  });

  it("hears of a write when that is done, also where it failed", async () => {
    const { pool } = await opened();
    const seen: unknown[] = [];
    const cache = new TestCache();
    const db = drizzle(pool, { schema, cache });
    const onMutate = cache.onMutate.bind(cache);
    cache.onMutate = async (change) => {
      seen.push((await pool.all("SELECT name FROM person ORDER BY id")).map(({ name }) => name));
      await onMutate(change);
    };
    await db.insert(person).values({ name: "Ada" });
    await db.insert(person).values({ name: "Alan" }).returning();
    await db.update(person).set({ name: "Grace" }).where(eq(person.name, "Alan"));
    await rejection(db.insert(person).values({ name: "Ada" }));
    expect(seen).toEqual([["Ada"], ["Ada", "Alan"], ["Ada", "Grace"], ["Ada", "Grace"]]);
  });

  it("is given nothing that was read before a write and arrives after it", async () => {
    const { pool } = await opened();
    const cache = new TestCache();
    const db = drizzle(pool, { schema, cache });
    await db.insert(person).values({ name: "Ada" });
    const changes: (() => Promise<unknown>)[] = [
      () => db.update(person).set({ name: "Alan" }),
      () => db.transaction((tx) => tx.update(person).set({ name: "Grace" })),
      async () => {
        await pool.run("UPDATE person SET name = 'Edsger'");
        await db.$cache.invalidate({ tables: "person" });
      },
    ];
    const all = pool.execute.bind(pool);
    for (const change of changes) {
      cache.entries.clear();
      const read = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      const late = vi.spyOn(pool, "execute").mockImplementationOnce(async (...args) => {
        const result = await all(...args);
        read.resolve();
        await goOn.promise;
        return result;
      });
      const old = names(db);
      await read.promise;
      late.mockRestore();
      await change();
      goOn.resolve();
      await old;
      const [now] = await pool.all<{ name: string }>("SELECT name FROM person");
      expect(await names(db)).toEqual([now!.name]);
    }
  });

  it("is $cache, whole, and what is put in its methods' place is used", async () => {
    const { pool } = await opened();
    const cache = new TestCache();
    const db = drizzle(pool, { schema, cache });
    const whole = db.$cache as typeof db.$cache & Cache;
    const put = vi.spyOn(whole, "put");
    await names(db);
    expect(put).toHaveBeenCalledOnce();
    expect([...cache.entries.values()]).toEqual([[]]);
    expect(whole.strategy()).toBe("all");
    await drizzle(pool).$cache.invalidate({ tables: "person" });
  });
});

describe("migrations", () => {
  const toy = [
    "CREATE TABLE toy (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES person (id) ON DELETE CASCADE);\n",
    "\nCREATE INDEX toy_owner ON toy (owner);",
  ].join("--> statement-breakpoint");
  /** The file that drizzle-kit writes to change a column. */
  const rebuild = [
    "PRAGMA foreign_keys=OFF;",
    "CREATE TABLE `__new_person` (id INTEGER PRIMARY KEY, name TEXT);",
    'INSERT INTO `__new_person`("id", "name") SELECT "id", "name" FROM `person`;',
    "DROP TABLE `person`;",
    "ALTER TABLE `__new_person` RENAME TO `person`;",
    "PRAGMA foreign_keys=ON;",
  ].join("--> statement-breakpoint\n");

  async function folderOf(...files: string[]): Promise<string> {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "meta"));
    const entries = files.map((_, idx) => ({
      idx,
      version: "6",
      when: 1000 + idx,
      tag: `000${idx}`,
      breakpoints: true,
    }));
    await writeFile(
      join(folder, "meta/_journal.json"),
      JSON.stringify({ version: "7", dialect: "sqlite", entries }),
    );
    for (const [idx, file] of files.entries()) await writeFile(join(folder, `000${idx}.sql`), file);
    return folder;
  }

  async function tablesOf(pool: Pool): Promise<string[]> {
    const rows = await pool.all<{ name: string }>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name",
    );
    return rows.map(({ name }) => name);
  }

  it("are run once each, and noted in drizzle's table", async () => {
    const { db, pool } = await opened();
    await migrate(db, { migrationsFolder: await folderOf(toy) });
    const migrationsFolder = await folderOf(toy, "CREATE TABLE later (x)");
    await migrate(db, { migrationsFolder });
    await migrate(db, { migrationsFolder });
    expect(await tablesOf(pool)).toEqual(["__drizzle_migrations", "later", "person", "pet", "toy"]);
    const rows = await pool.all("SELECT length(hash) AS n, created_at FROM __drizzle_migrations");
    expect(rows).toEqual([
      { n: 64, created_at: 1000 },
      { n: 64, created_at: 1001 },
    ]);
    const own = { migrationsFolder: await folderOf("CREATE TABLE other (x)"), migrationsTable: 'my "own"' };
    await migrate(db, own);
    await migrate(db, own);
    expect(await pool.get('SELECT count(*) AS n FROM "my ""own"""')).toEqual({ n: 1 });
  });

  it("are all undone by one that fails", async () => {
    const { db, pool } = await opened();
    const migrationsFolder = await folderOf(toy, "CREATE TABLE half (x);\nINSERT INTO nowhere VALUES (1);");
    expect(await rejection(migrate(db, { migrationsFolder }))).toMatchObject({
      message: "no such table: nowhere",
    });
    expect(await tablesOf(pool)).toEqual(["__drizzle_migrations", "person", "pet"]);
    await pool.run("INSERT INTO person (name) VALUES ('Ada')");
  });

  it("that rebuild a table keep what refers to it, and the connection checks foreign keys again", async () => {
    const { db, pool } = await opened();
    await migrate(db, { migrationsFolder: await folderOf(toy) });
    await pool.exec("INSERT INTO person (name) VALUES ('Ada'); INSERT INTO toy (owner) VALUES (1)");
    await migrate(db, { migrationsFolder: await folderOf(toy, rebuild) });
    expect(await pool.all("SELECT owner FROM toy")).toEqual([{ owner: 1 }]);
    expect(await rejection(pool.run("INSERT INTO toy (owner) VALUES (99)"))).toMatchObject({
      code: "SQLITE_CONSTRAINT_FOREIGNKEY",
    });
  });

  it("that break a foreign key with the checks off are refused, and what was broken before is not their fault", async () => {
    const { db, pool } = await opened();
    await migrate(db, { migrationsFolder: await folderOf(toy) });
    await using broken = await pool.acquire();
    await broken.execute("PRAGMA foreign_keys = OFF");
    await broken.execute("INSERT INTO toy (owner) VALUES (98)");
    await broken.commit();
    await broken.close();
    const bad = `${rebuild}--> statement-breakpoint\nINSERT INTO toy (owner) VALUES (99)`;
    const error = await rejection(migrate(db, { migrationsFolder: await folderOf(toy, bad) }));
    expect(error).toBeInstanceOf(IntegrityError);
    expect(error).toMatchObject({
      code: "SQLITE_CONSTRAINT_FOREIGNKEY",
      message: "the migrations break 1 foreign keys: row 2 of toy refers to no row of person",
    });
    expect(await pool.all("SELECT owner FROM toy")).toEqual([{ owner: 98 }]);
    await migrate(db, { migrationsFolder: await folderOf(toy, rebuild) });
  });

  it("of several processes at once are run once each", async () => {
    const { path } = await opened();
    const engine = openEngine(path, 5000);
    engine.exec("CREATE TABLE run (process TEXT)");
    const inserts = Array.from({ length: 30 }, () => "INSERT INTO run VALUES ('x')").join(
      "--> statement-breakpoint\n",
    );
    const folder = await folderOf(toy, inserts, "CREATE TABLE later (x)");
    const processes = await Promise.all([1, 2, 3].map(() => migrating(path, folder)));
    const outcomes = processes.map(async (one) => (await once(one, "message"))[0] as unknown);
    for (const one of processes) one.send("go");
    expect(await Promise.all(outcomes)).toEqual([null, null, null]);
    expect(countOf(engine, "run")).toBe(30);
    expect(countOf(engine, "__drizzle_migrations")).toBe(3);
  });

  it("need a database and a folder, and say so before they lease a connection", async () => {
    const { db, pool } = await opened();
    const leased = vi.spyOn(pool, "acquire");
    const migrationsFolder = await folderOf(toy);
    const config = { migrationsFolder };
    for (const [given, options, error, message] of [
      [undefined, config, "TypeError", "migrate: the first argument must be a database of drizzle()"],
      [{}, config, "TypeError", "migrate: the first argument must be a database of drizzle()"],
      [db, undefined, "TypeError", "the options must be an object, not undefined"],
      [db, migrationsFolder, "TypeError", "the options must be an object, not a string"],
      [db, {}, "TypeError", 'option "migrationsFolder" must be a string that is not empty'],
      [
        db,
        { ...config, migrationsTable: 5 },
        "TypeError",
        'option "migrationsTable" must be a string that is not empty',
      ],
      [db, { ...config, lockTimeout: "5" }, "TypeError", 'option "lockTimeout" must be an integer'],
      [db, { ...config, lockTimeout: -1 }, "RangeError", 'option "lockTimeout" must be at least 0'],
    ] as const)
      expect(await rejection(migrate(given as never, options as never))).toMatchObject({
        name: error,
        message,
      });
    expect(leased).not.toHaveBeenCalled();
    // Drizzle's own migrators ignore other names.
    await migrate(db, { ...config, out: "drizzle" } as never);
    expect(await tablesOf(pool)).toContain("toy");
  });

  it("wait for the lock of another process as long as they are told", async () => {
    const { db, pool, path } = await opened({ timeout: 20 });
    const engine = openEngine(path);
    engine.exec("BEGIN IMMEDIATE");
    const migrationsFolder = await folderOf(toy);
    expect(await rejection(migrate(db, { migrationsFolder, lockTimeout: 50 }))).toMatchObject({
      code: "SQLITE_BUSY",
    });
    const waiting = migrate(db, { migrationsFolder });
    while (pool.stats().busy === 0) await new Promise(setImmediate);
    engine.exec("COMMIT");
    await waiting;
    expect(await tablesOf(pool)).toContain("toy");
  });

  function countOf(engine: Engine, table: string): unknown {
    return engine.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
  }

  /** Another process that is ready to migrate. */
  async function migrating(path: string, folder: string): Promise<ChildProcess> {
    const script = fileURLToPath(new URL("../fixtures/drizzle-migrate.ts", import.meta.url));
    const child = endsWithTest(fork(script, [path, folder], { execArgv: [] }));
    await once(child, "message");
    return child;
  }
});

/** What was wrong with a query, which Drizzle may wrap. */
async function reason(query: PromiseLike<unknown>): Promise<unknown> {
  const error = await rejection(Promise.resolve(query));
  return error instanceof DrizzleQueryError ? error.cause : error;
}
