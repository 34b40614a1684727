import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  createPool,
  IntegrityError,
  NotSupportedError,
  OperationalError,
  type Pool,
  type PoolOptions,
  PoolTimeoutError,
  ProgrammingError,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import { queryChannel, type QueryEvent } from "@sqlite-aio/core/diagnostics";
import { SqliteAioDialect, type SqliteAioDialectConfig } from "@sqlite-aio/core/kysely";
import { type ColumnType, type Generated, Kysely, ParseJSONResultsPlugin, sql } from "kysely";
import { jsonArrayFrom } from "kysely/helpers/sqlite";
import { type Migration, Migrator } from "kysely/migration";
import { describe, expect, expectTypeOf, it, onTestFinished, vi } from "vitest";
import { endsWithTest } from "../support/child.ts";
import { type Engine, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { gate } from "../support/gate.ts";
import { until } from "../support/pool-support.ts";

interface Database {
  person: {
    id: Generated<number>;
    name: string;
    age: number | null;
    active: ColumnType<number, boolean, boolean>;
  };
  pet: { id: Generated<number>; owner: number; name: string };
}

interface Opened {
  readonly db: Kysely<Database>;
  readonly pool: Pool;
  readonly path: string;
}

/** A database with people and pets, on a pool that is closed when the test is over. */
async function opened(
  options: PoolOptions = {},
  config: Partial<SqliteAioDialectConfig> = {},
): Promise<Opened> {
  const path = await temporaryPath();
  const pool = await createPool(path, { readers: 2, ...options });
  const db = new Kysely<Database>({ dialect: new SqliteAioDialect({ pool, ...config }) });
  onTestFinished(() => pool.close());
  await db.schema
    .createTable("person")
    .addColumn("id", "integer", (column) => column.primaryKey())
    .addColumn("name", "text", (column) => column.notNull().unique())
    .addColumn("age", "integer")
    .addColumn("active", "integer", (column) => column.notNull().defaultTo(1))
    .execute();
  await db.schema
    .createTable("pet")
    .addColumn("id", "integer", (column) => column.primaryKey())
    .addColumn("owner", "integer", (column) => column.notNull().references("person.id"))
    .addColumn("name", "text", (column) => column.notNull())
    .execute();
  return { db, pool, path };
}

const person = (name: string, age: number | null = null) => ({ name, age, active: true });

/** The warnings about what had no effect, from now on. */
function warningsOf(): string[] {
  const warnings: string[] = [];
  const spy = vi.spyOn(process, "emitWarning").mockImplementation((message, options) => {
    expect(options).toEqual({ code: "SQLITE_AIO_IN_VAIN" });
    warnings.push(String(message));
  });
  onTestFinished(() => spy.mockRestore());
  return warnings;
}

async function names(db: Kysely<Database>): Promise<string[]> {
  return (await db.selectFrom("person").select("name").orderBy("id").execute()).map(({ name }) => name);
}

describe("queries", () => {
  it("insert, update and delete, with the counts as bigint", async () => {
    const { db } = await opened();
    const [inserted] = await db
      .insertInto("person")
      .values([person("Ada", 36), person("Alan", 41)])
      .execute();
    expect(inserted).toMatchObject({ insertId: 2n, numInsertedOrUpdatedRows: 2n });
    const updated = await db.updateTable("person").set({ age: 42 }).executeTakeFirst();
    expect(updated.numUpdatedRows).toBe(2n);
    expectTypeOf(updated.numUpdatedRows).toEqualTypeOf<bigint>();
    const deleted = await db.deleteFrom("person").where("name", "=", "Alan").executeTakeFirstOrThrow();
    expect(deleted.numDeletedRows).toBe(1n);
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("tell the id of the latest insert, as Kysely's own dialect does, also where nothing was inserted", async () => {
    const { db } = await opened();
    await db.insertInto("person").values(person("Ada")).execute();
    const ignored = await db
      .insertInto("person")
      .values(person("Ada"))
      .onConflict((conflict) => conflict.column("name").doNothing())
      .executeTakeFirstOrThrow();
    expect(ignored).toMatchObject({ insertId: 1n, numInsertedOrUpdatedRows: 0n });
    const none = await db.deleteFrom("person").where("id", "=", 99).executeTakeFirstOrThrow();
    expect(none.numDeletedRows).toBe(0n);
  });

  it("give the rows of RETURNING, of a CTE and of a raw statement", async () => {
    const { db } = await opened();
    const ada = await db
      .insertInto("person")
      .values(person("Ada", 36))
      .returning(["id", "name"])
      .executeTakeFirstOrThrow();
    expectTypeOf(ada).toEqualTypeOf<{ id: number; name: string }>();
    expect(ada).toEqual({ id: 1, name: "Ada" });

    const old = await db
      .with("old", (query) => query.selectFrom("person").selectAll().where("age", ">", 30))
      .selectFrom("old")
      .select("name")
      .execute();
    expect(old).toEqual([{ name: "Ada" }]);

    const raw = await sql<{ n: number }>`SELECT count(*) AS n FROM person`.execute(db);
    expect(raw.rows).toEqual([{ n: 1 }]);
    const written = await sql`INSERT INTO person (name) VALUES ('returning')`.execute(db);
    expect(written).toEqual({ rows: [], insertId: 2n, numAffectedRows: 1n });
    const cte = await sql`
      -- select
      WITH RECURSIVE replace AS (SELECT 'x' AS name), "insert" AS (SELECT 1) UPDATE person SET age = 1
    `.execute(db);
    expect(cte).toEqual({ rows: [], numAffectedRows: 2n });
    const both =
      await sql`/* ; */ WITH a (b) AS (VALUES (1)) UPDATE person SET age = 2 RETURNING age`.execute(db);
    expect(both).toEqual({ rows: [{ age: 2 }, { age: 2 }] });
    expect(await sql`REPLACE INTO person (id, name) VALUES (2, 'x')`.execute(db)).toMatchObject({
      insertId: 2n,
    });
    expect(await sql`CREATE INDEX person_age ON person (age)`.execute(db)).toEqual({ rows: [] });
    expect(await sql`PRAGMA user_version = 7`.execute(db)).toEqual({ rows: [] });
    expect(await sql`PRAGMA user_version`.execute(db)).toEqual({ rows: [{ user_version: 7 }] });
  });

  it("join tables, and read nested JSON with Kysely's helpers and plugin", async () => {
    const { db } = await opened();
    await db
      .insertInto("person")
      .values([person("Ada"), person("Alan")])
      .execute();
    await db
      .insertInto("pet")
      .values([
        { owner: 1, name: "Rex" },
        { owner: 1, name: "Tom" },
      ])
      .execute();

    const joined = await db
      .selectFrom("person")
      .innerJoin("pet", "pet.owner", "person.id")
      .select(["person.name as owner", "pet.name as pet"])
      .orderBy("pet.id")
      .execute();
    expectTypeOf(joined).toEqualTypeOf<{ owner: string; pet: string }[]>();
    expect(joined).toEqual([
      { owner: "Ada", pet: "Rex" },
      { owner: "Ada", pet: "Tom" },
    ]);

    const nested = await db
      .withPlugin(new ParseJSONResultsPlugin())
      .selectFrom("person")
      .select((query) => [
        "name",
        jsonArrayFrom(
          query
            .selectFrom("pet")
            .select("pet.name")
            .whereRef("pet.owner", "=", "person.id")
            .orderBy("pet.id"),
        ).as("pets"),
      ])
      .orderBy("id")
      .execute();
    expect(nested).toEqual([
      { name: "Ada", pets: [{ name: "Rex" }, { name: "Tom" }] },
      { name: "Alan", pets: [] },
    ]);
  });

  it("bind integers as INTEGER and booleans as 0 and 1, and read large integers exactly", async () => {
    const { db } = await opened();
    await db
      .insertInto("person")
      .values([{ name: "Ada", age: 36, active: false }])
      .execute();
    const types = await sql<{ age: string; active: number; big: bigint }>`
      SELECT typeof(age) AS age, active, 9007199254740993 AS big FROM person WHERE age = ${36}
    `.execute(db);
    expect(types.rows).toEqual([{ age: "integer", active: 0, big: 9007199254740993n }]);
  });

  it("keep the class, the code and the statement of an error", async () => {
    const { db } = await opened();
    await db.insertInto("person").values(person("Ada")).execute();
    const error = await rejection(db.insertInto("person").values(person("Ada")).execute());
    expect(error).toBeInstanceOf(IntegrityError);
    expect(error).toMatchObject({
      code: "SQLITE_CONSTRAINT_UNIQUE",
      sql: 'insert into "person" ("name", "age", "active") values (?, ?, ?)',
    });
    const foreign = await rejection(db.insertInto("pet").values({ owner: 99, name: "Rex" }).execute());
    expect(foreign).toMatchObject({ code: "SQLITE_CONSTRAINT_FOREIGNKEY" });
    const missing = await rejection(sql`SELECT * FROM nowhere`.execute(db));
    expect(missing).toBeInstanceOf(OperationalError);
    expect(missing).toMatchObject({ message: "no such table: nowhere" });
    const incomplete = await rejection(sql`WITH a (b) AS (VALUES (1))`.execute(db));
    expect(incomplete).toMatchObject({ name: "OperationalError", message: "incomplete input" });
  });
});

describe("transactions", () => {
  it("commit what the callback did, and undo all of it when it throws", async () => {
    const { db } = await opened();
    const id = await db.transaction().execute(async (trx) => {
      const { insertId } = await trx.insertInto("person").values(person("Ada")).executeTakeFirstOrThrow();
      await trx
        .insertInto("pet")
        .values({ owner: Number(insertId), name: "Rex" })
        .execute();
      return insertId;
    });
    expect(id).toBe(1n);

    const stop = new Error("stop");
    const error = await rejection(
      db.transaction().execute(async (trx) => {
        await trx.insertInto("person").values(person("Alan")).execute();
        expect(await names(trx)).toEqual(["Ada", "Alan"]);
        throw stop;
      }),
    );
    expect(error).toBe(stop);
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("keep the error of a statement that fails in them", async () => {
    const { db, pool } = await opened();
    await db.insertInto("person").values(person("Ada")).execute();
    const error = await rejection(
      db.transaction().execute(async (trx) => {
        await trx.insertInto("person").values(person("Alan")).execute();
        await trx.insertInto("person").values(person("Ada")).execute();
      }),
    );
    expect(error).toBeInstanceOf(IntegrityError);
    expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE" });
    expect(await names(db)).toEqual(["Ada"]);
    expect(await pool.get("SELECT count(*) AS n FROM person")).toEqual({ n: 1 });
  });

  it("are alone: 50 callers at once lose no update, while others read", async () => {
    const { db } = await opened();
    await db.insertInto("person").values(person("counter", 0)).execute();
    const seen = new Set<number>();
    await Promise.all(
      Array.from({ length: 50 }, async (_, caller) => {
        await db.transaction().execute(async (trx) => {
          const { age } = await trx.selectFrom("person").select("age").executeTakeFirstOrThrow();
          await trx
            .updateTable("person")
            .set({ age: (age ?? 0) + 1 })
            .execute();
        });
        const { age } = await db.selectFrom("person").select("age").executeTakeFirstOrThrow();
        seen.add(age ?? -1);
        await db
          .insertInto("person")
          .values(person(`caller ${caller}`))
          .execute();
      }),
    );
    const { age } = await db.selectFrom("person").select("age").executeTakeFirstOrThrow();
    expect(age).toBe(50);
    expect([...seen].every((value) => value >= 1 && value <= 50)).toBe(true);
    expect((await names(db)).length).toBe(51);
  });

  it("let others read what was committed before, in the meantime", async () => {
    const { db } = await opened();
    const inside = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const writing = db.transaction().execute(async (trx) => {
      await trx.insertInto("person").values(person("Ada")).execute();
      inside.resolve();
      await goOn.promise;
    });
    await inside.promise;
    expect(await names(db)).toEqual([]);
    goOn.resolve();
    await writing;
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("refuse the Kysely instance inside its own transaction instead of waiting for themselves", async () => {
    const { db } = await opened();
    const error = await rejection(
      db.transaction().execute(async () => {
        await db.insertInto("person").values(person("Ada")).execute();
      }),
    );
    expect(error).toBeInstanceOf(ProgrammingError);
    expect(error).toMatchObject({ message: expect.stringMatching(/inside its own transaction/) });
    // Only inside: the caller goes on with the instance, and so does what outlives the callback.
    const inside = Promise.withResolvers<void>();
    let late: Promise<unknown> = Promise.resolve();
    await db.transaction().execute(async () => {
      late = inside.promise.then(() => db.insertInto("person").values(person("late")).execute());
    });
    inside.resolve();
    await late;
    const trx = await db.startTransaction().execute();
    expect(await names(db)).toEqual(["late"]);
    await trx.rollback().execute();
  });

  it("have savepoints when they are controlled by hand", async () => {
    const { db } = await opened();
    const trx = await db.startTransaction().execute();
    await trx.insertInto("person").values(person("Ada")).execute();
    const after = await trx.savepoint('a "point"').execute();
    await after.insertInto("person").values(person("Alan")).execute();
    const inner = await after.savepoint("inner").execute();
    await inner.insertInto("person").values(person("Grace")).execute();
    await inner.releaseSavepoint("inner").execute();
    expect(await names(trx)).toEqual(["Ada", "Alan", "Grace"]);
    await after.rollbackToSavepoint('a "point"').execute();
    expect(await names(trx)).toEqual(["Ada"]);
    expect(await names(db)).toEqual([]);
    await trx.commit().execute();
    expect(trx.isCommitted).toBe(true);
    expect(await names(db)).toEqual(["Ada"]);

    const other = await db.startTransaction().execute();
    await other.deleteFrom("person").execute();
    await other.rollback().execute();
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("run nothing more of what is called while they end, which would be committed by itself", async () => {
    const { db } = await opened();
    const insert = async (trx: Kysely<Database>, name: string): Promise<void> => {
      await trx.insertInto("person").values(person(name)).execute();
    };
    for (const [end, accessMode] of [
      ["rollback", "read write"],
      ["commit", "read write"],
      ["rollback", "read only"],
    ] as const) {
      const late: Promise<unknown>[] = [];
      // The test must not depend on the step at which Kysely begins the end.
      for (let turns = 0; turns < 12; turns++) {
        const transaction = db.transaction().setAccessMode(accessMode);
        const ended = transaction.execute(async (trx) => {
          if (accessMode === "read write") await insert(trx, `${end} ${turns}`);
          else await trx.selectFrom("person").selectAll().execute();
          // A branch of a Promise.all() that goes on when another has failed.
          void (async () => {
            for (let turn = 0; turn < turns; turn++) await Promise.resolve();
            late.push(insert(trx, `late ${turns}`).catch((error: unknown) => error));
          })();
          if (end === "rollback") throw new Error("undo");
        });
        await Promise.allSettled([ended]);
      }
      const errors = await Promise.all(late);
      expect(errors).toHaveLength(12);
      const over = { message: expect.stringContaining("the transaction is over") };
      if (accessMode === "read write") expect(errors, end).toContainEqual(expect.objectContaining(over));
      const left = await names(db);
      if (end === "rollback") expect(left).toEqual([]);
      await db.deleteFrom("person").execute();
    }
  });

  it("tell Kysely's log how they begin and end, and of their savepoints", async () => {
    const path = await temporaryPath();
    const logged: string[] = [];
    const db = new Kysely<Database>({
      dialect: new SqliteAioDialect({ pool: () => createPool(path) }),
      log: ({ level, query }) => {
        logged.push(level === "query" ? query.sql : `${level}: ${query.sql}`);
      },
    });
    onTestFinished(() => db.destroy());
    await db.transaction().execute(async (trx) => void (await sql`SELECT 1`.execute(trx)));
    await db
      .transaction()
      .setAccessMode("read only")
      .execute(async (trx) => void (await sql`SELECT 2`.execute(trx)));
    const trx = await db.startTransaction().execute();
    const after = await trx.savepoint('a "point"').execute();
    await after.rollbackToSavepoint('a "point"').execute();
    await after.releaseSavepoint('a "point"').execute();
    await trx.rollback().execute();
    expect(logged).toEqual([
      "begin",
      "SELECT 1",
      "commit",
      "begin",
      "SELECT 2",
      "commit",
      "begin",
      'savepoint "a ""point"""',
      'rollback to "a ""point"""',
      'release "a ""point"""',
      "rollback",
    ]);
  });

  it("read one snapshot when they are read only, and refuse to write", async () => {
    const { db } = await opened();
    await db.insertInto("person").values(person("Ada")).execute();
    await db
      .transaction()
      .setAccessMode("read only")
      .setIsolationLevel("snapshot")
      .execute(async (trx) => {
        expect(await names(trx)).toEqual(["Ada"]);
        const error = await rejection(trx.insertInto("person").values(person("Alan")).execute());
        expect(error).toMatchObject({ code: "SQLITE_READONLY" });
      });
    const trx = await db.startTransaction().setAccessMode("read only").execute();
    expect(await names(trx)).toEqual(["Ada"]);
    await db.insertInto("person").values(person("Alan")).execute();
    expect(await names(trx)).toEqual(["Ada"]);
    expect(await rejection(trx.savepoint("s").execute())).toBeInstanceOf(NotSupportedError);
    await trx.commit().execute();
    expect(await names(db)).toEqual(["Ada", "Alan"]);
  });

  it("that are read only end with what their callback throws, or by hand, and let go of their reader", async () => {
    const { db, pool } = await opened();
    const stop = new Error("stop");
    const error = await rejection(
      db
        .transaction()
        .setAccessMode("read only")
        .execute(async (trx) => {
          expect(await names(trx)).toEqual([]);
          expect(pool.stats().busy).toBe(1);
          throw stop;
        }),
    );
    expect(error).toBe(stop);
    const trx = await db.startTransaction().setAccessMode("read only").execute();
    await trx.rollback().execute();
    expect(trx.isRolledBack).toBe(true);
    // It waits for connections that are in use.
    await pool.close();
  });

  it("that are read only cannot begin on a connection that holds the writer", async () => {
    const { db } = await opened();
    await db.connection().execute(async (session) => {
      await sql`PRAGMA foreign_keys = OFF`.execute(session);
      const error = await rejection(session.transaction().setAccessMode("read only").execute(names));
      expect(error).toBeInstanceOf(ProgrammingError);
      expect(error).toMatchObject({
        code: "SQLITE_MISUSE",
        message: expect.stringContaining("begin the read-only transaction on the Kysely instance"),
      });
      expect(await session.transaction().execute(names)).toEqual([]);
    });
  });

  it("refuse the isolation levels that would let them see what others commit", async () => {
    const { db } = await opened();
    for (const level of ["read uncommitted", "read committed"] as const) {
      const error = await rejection(
        db
          .transaction()
          .setIsolationLevel(level)
          .execute(async () => {}),
      );
      expect(error).toBeInstanceOf(NotSupportedError);
      expect(error).toMatchObject({ message: expect.stringContaining(level) });
    }
    for (const level of ["repeatable read", "snapshot", "serializable"] as const) {
      const given = await db.transaction().setIsolationLevel(level).execute(names);
      expect(given).toEqual([]);
    }
  });

  it("say so when SQLite rolled them back before the commit", async () => {
    const { db } = await opened();
    await db.insertInto("person").values(person("Ada")).execute();
    const trx = await db.startTransaction().execute();
    await trx.insertInto("person").values(person("Alan")).execute();
    const conflict = await rejection(sql`INSERT OR ROLLBACK INTO person (name) VALUES ('Ada')`.execute(trx));
    expect(conflict).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE", rolledBack: true });
    const later = await rejection(trx.insertInto("person").values(person("Grace")).execute());
    expect(later).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK", cause: conflict });
    const error = await rejection(trx.commit().execute());
    expect(error).toBeInstanceOf(OperationalError);
    expect(error).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK", cause: conflict });
    expect(trx.isRolledBack).toBe(true);
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("reject when their thread dies, and the next has a new one", async () => {
    const { db, pool } = await opened();
    await pool.createFunction("die", 0, new URL("../fixtures/deadly.mjs", import.meta.url), {
      export: "die",
    });
    const error = await rejection(
      db.transaction().execute(async (trx) => {
        await trx.insertInto("person").values(person("lost")).execute();
        await sql`SELECT die()`.execute(trx);
      }),
    );
    expect(error).toBeInstanceOf(WorkerCrashedError);
    const trx = await db.startTransaction().execute();
    await trx.insertInto("person").values(person("Ada")).execute();
    await trx.commit().execute();
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("are finished before destroy() closes the pool", async () => {
    const { db, path } = await opened();
    const trx = await db.startTransaction().execute();
    await trx.insertInto("person").values(person("Ada")).execute();
    const destroyed = db.destroy().then(() => "destroyed");
    expect(
      await Promise.race([destroyed, trx.insertInto("person").values(person("Alan")).execute()]),
    ).not.toBe("destroyed");
    await trx.commit().execute();
    expect(await destroyed).toBe("destroyed");
    expect(openEngine(path).prepare("SELECT name FROM person ORDER BY id").pluck().all()).toEqual([
      "Ada",
      "Alan",
    ]);
  });

  it("are begun by calls before destroy(), as other queries are, although it is called in the same turn", async () => {
    const { db, path } = await opened();
    const called = [
      db.insertInto("person").values(person("Ada")).execute(),
      db.transaction().execute(async (trx) => {
        await trx.insertInto("person").values(person("Alan")).execute();
        await trx.insertInto("person").values(person("Grace")).execute();
      }),
      db.selectFrom("person").selectAll().execute(),
    ];
    await db.destroy();
    expect((await Promise.allSettled(called)).map(({ status }) => status)).toEqual(
      called.map(() => "fulfilled"),
    );
    expect(openEngine(path).prepare("SELECT count(*) FROM person").pluck().get()).toBe(3);
  });

  it("fail at the commit for a deferred constraint, and leave nothing behind", async () => {
    const { db } = await opened();
    await sql`CREATE TABLE toy (pet INTEGER REFERENCES pet (id) DEFERRABLE INITIALLY DEFERRED)`.execute(db);
    const error = await rejection(
      db.transaction().execute(async (trx) => {
        await sql`INSERT INTO toy VALUES (99)`.execute(trx);
      }),
    );
    expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_FOREIGNKEY" });
    expect((await sql`SELECT * FROM toy`.execute(db)).rows).toEqual([]);
  });
});

describe("one connection for several statements", () => {
  it("is held from the first statement that changes the connection, and given back as it was", async () => {
    const { db } = await opened();
    await db.connection().execute(async (session) => {
      await sql`PRAGMA foreign_keys = OFF`.execute(session);
      await session.insertInto("pet").values({ owner: 99, name: "stray" }).execute();
      await sql`CREATE TEMP TABLE mine (x)`.execute(session);
      expect((await sql`SELECT * FROM mine`.execute(session)).rows).toEqual([]);
    });
    expect(await rejection(db.insertInto("pet").values({ owner: 99, name: "Rex" }).execute())).toMatchObject({
      code: "SQLITE_CONSTRAINT_FOREIGNKEY",
    });
    expect(await rejection(sql`SELECT * FROM mine`.execute(db))).toMatchObject({
      message: "no such table: mine",
    });
  });

  it("does not take a PRAGMA foreign_keys by itself, which nothing that is run later would have", async () => {
    const { db } = await opened();
    const alone = { code: "SQLITE_MISUSE", message: expect.stringContaining("on one connection") };
    expect(await rejection(sql`PRAGMA foreign_keys = OFF`.execute(db))).toMatchObject(alone);
    // A pragma that changes nothing does no harm.
    expect(await sql`PRAGMA foreign_keys = ON`.execute(db)).toEqual({ rows: [] });
    const { signal } = new AbortController();
    expect(await rejection(sql`PRAGMA foreign_keys = OFF`.execute(db, { signal }))).toMatchObject(alone);
  });

  it("can turn foreign keys off for its work and on again, and warns if that was not for anything", async () => {
    const { db } = await opened();
    const warnings = warningsOf();
    await db.connection().execute(async (session) => {
      await sql`PRAGMA foreign_keys = OFF`.execute(session);
      await session.insertInto("pet").values({ owner: 99, name: "stray" }).execute();
      await sql`PRAGMA foreign_keys = ON`.execute(session);
    });
    expect(warnings).toEqual([]);
    await db.connection().execute(async (session) => {
      await sql`SELECT 1`.execute(session);
      await sql`PRAGMA foreign_keys(0)`.execute(session);
    });
    expect(warnings).toEqual([expect.stringContaining("on one connection")]);
  });

  it.each(["BEGIN", "PRAGMA cache_size = 5", "PRAGMA foreign_keys = OFF"])(
    "rejects with the callback's own error after %s, whose loss is a warning",
    async (text) => {
      const { db } = await opened();
      const warnings = warningsOf();
      const own = new Error("the caller's own");
      const failing = db.connection().execute(async (session) => {
        await sql.raw(text).execute(session);
        throw own;
      });
      expect(await rejection(failing)).toBe(own);
      expect(warnings).toEqual([expect.stringContaining("one connection")]);
    },
  );

  it.each([
    ["BEGIN", "use transaction()"],
    ["SAVEPOINT a", "use transaction()"],
    ["PRAGMA cache_size = 5", "by the option pragmas"],
    ["ATTACH ':memory:' AS other", "in onConnect"],
  ])("does not take %s by itself, which is lost with its connection", async (text, advice) => {
    const { db } = await opened();
    const alone = { code: "SQLITE_MISUSE", sql: text, message: expect.stringContaining(advice) };
    const { signal } = new AbortController();
    expect(await rejection(sql.raw(text).execute(db))).toMatchObject(alone);
    expect(await rejection(sql.raw(text).execute(db, { signal }))).toMatchObject(alone);
    const warnings = warningsOf();
    await db.connection().execute((session) => sql.raw(text).execute(session));
    expect(warnings).toEqual([expect.stringContaining("one connection")]);
    // Where something else runs on its connection it has a meaning.
    await db.connection().execute(async (session) => {
      await sql.raw(text).execute(session);
      await session.insertInto("person").values(person("Ada")).execute();
      if (/BEGIN|SAVEPOINT/.test(text)) await sql`COMMIT`.execute(session);
    });
    expect(await names(db)).toEqual(["Ada"]);
    // In a transaction it is not by itself.
    if (/PRAGMA|SAVEPOINT/.test(text))
      await db.transaction().execute(async (trx) => void (await sql.raw(text).execute(trx)));
  });

  it("warns of a temporary table by itself, which is gone when it is missed", async () => {
    const { db } = await opened();
    const warnings = warningsOf();
    await db.schema.createTable("mine").temporary().addColumn("a", "integer").execute();
    expect(warnings).toEqual([expect.stringContaining("in onConnect")]);
    expect(await rejection(sql`SELECT * FROM mine`.execute(db))).toMatchObject({
      message: "no such table: mine",
    });
    await db.transaction().execute(async (trx) => {
      await trx.schema.createTable("mine").temporary().addColumn("a", "integer").execute();
    });
    expect(warnings).toHaveLength(1);
  });

  it("tells the error of a setting that SQLite refuses, not that it was in vain", async () => {
    const { db } = await opened();
    expect(await rejection(sql`ATTACH '/nowhere/at/all.db' AS other`.execute(db))).toMatchObject({
      code: "SQLITE_CANTOPEN",
    });
  });

  it("gives the rows of a statement that changes the connection", async () => {
    const { db } = await opened();
    await db.connection().execute(async (session) => {
      const { rows } = await sql`PRAGMA busy_timeout = 7`.execute(session);
      expect(rows).toEqual([{ timeout: 7 }]);
      await sql`SELECT 1`.execute(session);
    });
  });

  it("can try again where it did not get the connection in time", async () => {
    const { db, pool } = await opened({ readers: 0, acquireTimeout: 20 });
    const lease = await pool.acquire();
    await db.connection().execute(async (session) => {
      const begin = sql`BEGIN IMMEDIATE`;
      expect(await rejection(begin.execute(session))).toBeInstanceOf(PoolTimeoutError);
      await lease.close();
      await begin.execute(session);
      await session.insertInto("person").values(person("Ada")).execute();
      await sql`COMMIT`.execute(session);
    });
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("can begin by a raw statement, and is rolled back if that is all", async () => {
    const { db } = await opened();
    await db.connection().execute(async (session) => {
      await sql`BEGIN IMMEDIATE`.execute(session);
      await session.insertInto("person").values(person("Ada")).execute();
      await sql`COMMIT`.execute(session);
      await sql`BEGIN`.execute(session);
      await session.insertInto("person").values(person("lost")).execute();
    });
    expect(await names(db)).toEqual(["Ada"]);
    const tables = await sql<{ name: string }>`PRAGMA table_info(person)`.execute(db);
    expect(tables.rows.map(({ name }) => name)).toEqual(["id", "name", "age", "active"]);
  });

  it("commits nothing of a transaction by raw statements that SQLite has ended", async () => {
    const { db } = await opened();
    await db.insertInto("person").values(person("Ada")).execute();
    for (const [begin, end] of [
      ["BEGIN", "COMMIT"],
      ["begin exclusive transaction", "end transaction"],
      ['SAVEPOINT "a point"', "release savepoint [a Point]"],
    ] as const) {
      await db.connection().execute(async (session) => {
        const raw = (text: string) => sql.raw(text).execute(session);
        await raw(begin);
        await raw("SAVEPOINT inner_one");
        await session.insertInto("person").values(person("Alan")).execute();
        await raw("RELEASE inner_one");
        // All at once: the second is on its way before the first has failed.
        const [conflict, after] = await Promise.allSettled([
          raw("INSERT OR ROLLBACK INTO person (name) VALUES ('Ada')"),
          session.insertInto("person").values(person("Grace")).execute(),
        ]);
        expect(conflict, begin).toMatchObject({ reason: { code: "SQLITE_CONSTRAINT_UNIQUE" } });
        expect(after, begin).toMatchObject({
          reason: { code: "SQLITE_ABORT_ROLLBACK", cause: { code: "SQLITE_CONSTRAINT_UNIQUE" } },
        });
        expect(await rejection(raw(end)), begin).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK" });
        // That ends the transaction, and another can begin.
        await raw(begin);
        await raw("ROLLBACK");
      });
      expect(await names(db), begin).toEqual(["Ada"]);
    }
  });

  it("refuses what comes behind a raw COMMIT that failed, until the ROLLBACK", async () => {
    const { db } = await opened();
    await sql`CREATE TABLE toy (pet INTEGER REFERENCES pet DEFERRABLE INITIALLY DEFERRED)`.execute(db);
    await db.connection().execute(async (session) => {
      const raw = (text: string) => sql.raw(text).execute(session);
      await raw("BEGIN");
      await raw("INSERT INTO toy VALUES (99)");
      for (let attempt = 0; attempt < 2; attempt++)
        expect(await rejection(raw("COMMIT"))).toMatchObject({ code: "SQLITE_CONSTRAINT_FOREIGNKEY" });
      // To SQLite it would still be in the transaction.
      expect(await rejection(session.insertInto("person").values(person("Ada")).execute())).toMatchObject({
        message: expect.stringContaining("is over"),
      });
      await raw("ROLLBACK");
      await session.insertInto("person").values(person("Alan")).execute();
    });
    expect(await names(db)).toEqual(["Alan"]);
    expect((await sql`SELECT * FROM toy`.execute(db)).rows).toEqual([]);
  });

  it("knows which savepoint of a name is left behind a raw ROLLBACK TO", async () => {
    const { db } = await opened();
    await db.connection().execute(async (session) => {
      const raw = (text: string) => sql.raw(text).execute(session);
      await raw("SAVEPOINT a");
      await session.insertInto("person").values(person("Ada")).execute();
      await raw("SAVEPOINT b");
      await raw("SAVEPOINT a");
      await session.insertInto("person").values(person("undone")).execute();
      await raw("ROLLBACK TO b");
      // The outermost one: it commits.
      await raw("RELEASE a");
    });
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("begins nothing by a SAVEPOINT that SQLite refuses", async () => {
    const { db } = await opened();
    await db.connection().execute(async (session) => {
      expect(await rejection(sql.raw("SAVEPOINT").execute(session))).toMatchObject({ code: "SQLITE_ERROR" });
      await session.insertInto("person").values(person("Ada")).execute();
    });
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("refuses a statement behind a raw BEGIN or COMMIT in the same text, which would not be run", async () => {
    const { db } = await opened();
    const several = { code: "SQLITE_MISUSE", message: "You can only execute one statement at a time." };
    await db.connection().execute(async (session) => {
      const raw = (text: string) => sql.raw(text).execute(session);
      const insert = "INSERT INTO person (name) VALUES ('Ada')";
      for (const text of [`BEGIN; ${insert}`, `SAVEPOINT a; ${insert}`])
        expect(await rejection(raw(text)), text).toMatchObject(several);
      await raw("BEGIN; -- and no more");
      await raw(insert);
      for (const text of [`COMMIT; ${insert}`, `ROLLBACK; ${insert}`])
        expect(await rejection(raw(text)), text).toMatchObject(several);
      await raw("COMMIT;");
    });
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("keeps the order of raw statements that are not awaited, and lets SQLite judge those that make no sense", async () => {
    const { db } = await opened();
    await db.connection().execute(async (session) => {
      const raw = (text: string) => sql.raw(text).execute(session);
      await Promise.all([
        raw("BEGIN"),
        session.insertInto("person").values(person("Ada")).execute(),
        raw("SAVEPOINT a"),
        session.insertInto("person").values(person("lost")).execute(),
        raw("ROLLBACK TO a"),
        raw("COMMIT"),
        session.insertInto("person").values(person("Alan")).execute(),
        raw("SAVEPOINT outer_one"),
        raw("SAVEPOINT inner_one"),
        session.insertInto("person").values(person("Grace")).execute(),
        raw("RELEASE inner_one"),
        raw("RELEASE outer_one"),
      ]);
      expect(await names(db)).toEqual(["Ada", "Alan", "Grace"]);
      expect(await rejection(raw("COMMIT"))).toMatchObject({
        message: "cannot commit - no transaction is active",
      });
      expect(await rejection(raw("RELEASE nowhere"))).toMatchObject({
        message: "no such savepoint: nowhere",
      });
      await raw("BEGIN");
      expect(await rejection(raw("BEGIN"))).toMatchObject({
        message: "cannot start a transaction within a transaction",
      });
    });
    const error = await rejection(
      db.transaction().execute(async (trx) => {
        await trx.insertInto("person").values(person("Alan Kay")).execute();
        await sql`COMMIT`.execute(trx);
      }),
    );
    expect(error).toMatchObject({ code: "SQLITE_MISUSE" });
    expect(await names(db)).toEqual(["Ada", "Alan", "Grace"]);
  });

  it("runs nothing once it was given back, and is taken out of the line if it still waits for the writer", async () => {
    const { db, pool } = await opened({ readers: 1 });
    const lease = await pool.acquire();
    let late!: Kysely<Database>;
    let begin!: Promise<unknown>;
    await db.connection().execute(async (session) => {
      late = session;
      begin = sql`BEGIN`.execute(session);
      begin.catch(() => {});
      await eventually(() => expect(pool.stats().waiting).toBe(1));
    });
    expect(await rejection(begin)).toMatchObject({ code: "SQLITE_MISUSE" });
    expect(pool.stats().waiting).toBe(0);
    await lease.close();
    await db.insertInto("person").values(person("Ada")).execute();
    expect(await rejection(late.selectFrom("person").selectAll().execute())).toMatchObject({
      code: "SQLITE_MISUSE",
    });
    expect(await names(db)).toEqual(["Ada"]);
  });
});

describe("a statement that waits for its connection", () => {
  it("keeps the values that it came with", async () => {
    const { db, pool } = await opened();
    const release = gate();
    const holding = pool.transaction(() => release.opened);
    const bytes = Buffer.from("good");
    const rows = db.connection().execute(async (one) => {
      await sql`CREATE TEMP TABLE given AS SELECT ${bytes} AS bytes`.execute(one);
      return (await sql`SELECT * FROM given`.execute(one)).rows;
    });
    await until(() => pool.stats().waiting === 1);
    bytes.fill(0);
    release.open();
    await holding;
    expect(await rows).toEqual([{ bytes: Buffer.from("good") }]);
  });
});

describe("streams", () => {
  const many = 1000;

  async function filled(options?: PoolOptions): Promise<Opened> {
    const all = await opened(options);
    await sql`
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${many})
      INSERT INTO person (name, age) SELECT 'person ' || i, i FROM n
    `.execute(all.db);
    return all;
  }

  it("give every row in order, two of them beside each other and beside a write", async () => {
    const { db, pool } = await filled();
    const first = db.selectFrom("person").select("age").orderBy("id").stream(10);
    const second = db.selectFrom("person").select("age").orderBy("id", "desc").stream();
    const firstRow = await first.next();
    const secondRow = await second.next();
    expect(firstRow.value).toEqual({ age: 1 });
    expect(secondRow.value).toEqual({ age: many });
    expect(pool.stats()).toMatchObject({ busy: 2 });
    // Both readers are held, and the writer is free.
    await db.insertInto("person").values(person("meanwhile", 0)).execute();
    let sum = 1;
    for await (const { age } of first) sum += age ?? 0;
    expect(sum).toBe((many * (many + 1)) / 2);
    let rows = 1;
    for await (const row of second) {
      expectTypeOf(row).toEqualTypeOf<{ age: number | null }>();
      rows++;
    }
    expect(rows).toBe(many);
  });

  it("come in chunks of the size asked for", async () => {
    const { db } = await filled();
    const executor = db.getExecutor();
    const query = db.selectFrom("person").select("id").limit(25).compile();
    const sizes: number[] = [];
    for await (const { rows } of executor.stream(query, 10)) sizes.push(rows.length);
    expect(sizes).toEqual([10, 10, 5]);
    const trx = await db.startTransaction().execute();
    const inside: number[] = [];
    for await (const { rows } of trx.getExecutor().stream(query, 10)) inside.push(rows.length);
    expect(inside).toEqual([10, 10, 5]);
    await trx.commit().execute();
  });

  it("of a read-only transaction give its snapshot, in chunks too", async () => {
    const { db } = await filled();
    const trx = await db.startTransaction().setAccessMode("read only").execute();
    const query = trx.selectFrom("person").select("id").where("age", "<=", 25).compile();
    const seen: number[] = [];
    for await (const { rows } of trx.getExecutor().stream(query, 10)) {
      if (seen.length === 0) await db.deleteFrom("person").execute();
      seen.push(rows.length);
    }
    expect(seen).toEqual([10, 10, 5]);
    await trx.commit().execute();
    expect(await names(db)).toEqual([]);
  });

  it("refuse a size of chunks that is none", async () => {
    const { db } = await opened();
    for (const size of [0, -1, 1.5]) {
      const stream = db.selectFrom("person").select("id").stream(size);
      expect(await rejection(stream.next()), String(size)).toBeInstanceOf(RangeError);
    }
  });

  it("end with the error of their statement", async () => {
    const { db, pool } = await opened();
    const failing = sql`SELECT * FROM nowhere`.compile(db);
    const error = await rejection(db.getExecutor().stream(failing, 5).next());
    expect(error).toBeInstanceOf(OperationalError);
    expect(error).toMatchObject({ message: "no such table: nowhere" });
    await pool.close();
  });

  it("give their connection back when they are left early, or are stopped by a signal", async () => {
    const { db, pool } = await filled();
    for await (const { id } of db.selectFrom("person").select("id").orderBy("id").stream(5)) {
      expect(id).toBe(1);
      break;
    }
    const stop = new AbortController();
    const reason = new Error("enough");
    let rows = 0;
    const error = await rejection(async () => {
      for await (const { id } of db
        .selectFrom("person")
        .select("id")
        .orderBy("id")
        .stream({ chunkSize: 5, signal: stop.signal })) {
        rows = id;
        if (id === 5) stop.abort(reason);
      }
    });
    expect(error).toBe(reason);
    expect(rows).toBe(5);
    await pool.close();
  });

  it("read what their transaction wrote", async () => {
    const { db } = await filled();
    await db.transaction().execute(async (trx) => {
      await trx.updateTable("person").set({ age: 7 }).execute();
      const ages = new Set<number | null>();
      for await (const { age } of trx.selectFrom("person").select("age").stream(300)) ages.add(age);
      expect([...ages]).toEqual([7]);
    });
  });
});

describe("an abort signal", () => {
  it("gives up a statement that runs, without a word on the console", async () => {
    const { db } = await opened();
    const printed = vi.spyOn(console, "error").mockImplementation(() => {});
    onTestFinished(() => printed.mockRestore());
    const endless = sql`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT max(i) FROM n`;
    const stop = new AbortController();
    const reason = new Error("enough");
    const rejected = rejection(endless.execute(db, { signal: stop.signal }));
    await sql`SELECT 1`.execute(db);
    stop.abort(reason);
    expect(await rejected).toBe(reason);
    expect(await names(db)).toEqual([]);
    await db.destroy();
    expect(printed).not.toHaveBeenCalled();
  });

  it("gives up a stream that waits for its rows, without a word on the console", async () => {
    const { db, pool } = await opened();
    const printed = vi.spyOn(console, "error").mockImplementation(() => {});
    onTestFinished(() => printed.mockRestore());
    const endless = sql`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT max(i) FROM n`;
    const stop = new AbortController();
    const reason = new Error("enough");
    const rejected = rejection(
      db.getExecutor().stream(endless.compile(db), 5, { signal: stop.signal }).next(),
    );
    while (pool.stats().busy === 0) await new Promise(setImmediate);
    stop.abort(reason);
    expect(await rejected).toBe(reason);
    await db.destroy();
    expect(printed).not.toHaveBeenCalled();
  });

  it("refuses what has not begun, and gives up what waits for the writer", async () => {
    const { db, pool } = await opened();
    const reason = new Error("too late");
    const before = db.insertInto("person").values(person("Ada"));
    expect(await rejection(before.execute({ signal: AbortSignal.abort(reason) }))).toBe(reason);

    const inside = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const holding = db.transaction().execute(async () => {
      inside.resolve();
      await goOn.promise;
    });
    await inside.promise;
    for (const inflightQueryAbortStrategy of ["ignore query", "cancel query"] as const) {
      const stop = new AbortController();
      const waiting = before.execute({ signal: stop.signal, inflightQueryAbortStrategy });
      const rejected = rejection(waiting);
      while (pool.stats().waiting === 0) await new Promise(setImmediate);
      stop.abort(reason);
      expect(await rejected).toBe(reason);
      expect(pool.stats().waiting).toBe(0);
    }
    goOn.resolve();
    await holding;
    expect(await names(db)).toEqual([]);
    expect(
      await rejection(
        before.execute({ signal: new AbortController().signal, inflightQueryAbortStrategy: "kill session" }),
      ),
    ).toMatchObject({ message: expect.stringContaining('Use "ignore query" or "cancel query"') });
  });
});

describe("the pool", () => {
  it("is opened at the first query if it is given as a function, and closed with the Kysely instance", async () => {
    const path = await temporaryPath();
    const pools: Pool[] = [];
    const db = new Kysely<Database>({
      dialect: new SqliteAioDialect({
        async pool() {
          pools.push(await createPool(path));
          return pools[0]!;
        },
      }),
    });
    expect(pools).toEqual([]);
    await Promise.all([sql`SELECT 1`.execute(db), sql`SELECT 2`.execute(db)]);
    expect(pools.length).toBe(1);
    await db.destroy();
    expect(await rejection(pools[0]!.get("SELECT 1"))).toMatchObject({ message: "Pool closed" });
  });

  it("is opened for each Kysely instance where several are made with one dialect, at once or one after the other", async () => {
    const path = await temporaryPath();
    let pools = 0;
    const dialect = new SqliteAioDialect({
      pool: async () => {
        pools++;
        return await createPool(path);
      },
    });
    const [one, other] = [new Kysely<Database>({ dialect }), new Kysely<Database>({ dialect })];
    expect((await sql`SELECT 1 AS n`.execute(one)).rows).toEqual([{ n: 1 }]);
    expect((await sql`SELECT 2 AS n`.execute(other)).rows).toEqual([{ n: 2 }]);
    await one.destroy();
    expect((await sql`SELECT 3 AS n`.execute(other)).rows).toEqual([{ n: 3 }]);
    await other.destroy();
    await using last = new Kysely<Database>({ dialect });
    expect((await sql`SELECT 4 AS n`.execute(last)).rows).toEqual([{ n: 4 }]);
    expect(pools).toBe(3);
  });

  it("can be a single connection in memory", async () => {
    const pool = await createPool(":memory:");
    await using db = new Kysely<Database>({ dialect: new SqliteAioDialect({ pool }) });
    await sql`CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, age INTEGER, active INTEGER)`.execute(
      db,
    );
    await db.transaction().execute((trx) => trx.insertInto("person").values(person("Ada")).execute());
    await db
      .transaction()
      .setAccessMode("read only")
      .execute(async (trx) => {
        expect(await names(trx)).toEqual(["Ada"]);
        expect(await rejection(trx.deleteFrom("person").execute())).toMatchObject({
          code: "SQLITE_READONLY",
        });
      });
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("must be one", () => {
    expect(() => new SqliteAioDialect({} as SqliteAioDialectConfig)).toThrow(TypeError);
  });

  it("has options of their types only", async () => {
    const { pool } = await opened();
    const made = (config: object) => () => new SqliteAioDialect({ pool, ...config });
    expect(made({ migrationLockTimeout: "20" })).toThrow(
      new TypeError('option "migrationLockTimeout" must be an integer'),
    );
    expect(made({ migrationLockTimeout: -1 })).toThrow(RangeError);
    expect(made({ transactionalDdl: 1 })).toThrow(TypeError);
    expect(made({ migrationTimeout: 20 })).toThrow('unknown option "migrationTimeout"');
    expect(made({ migrationLockTimeout: 0, transactionalDdl: undefined })).not.toThrow();
  });
});

describe("introspection", () => {
  it("tells tables, views and columns", async () => {
    const { db } = await opened();
    await db.schema.createView("adult").as(db.selectFrom("person").selectAll()).execute();
    const tables = await db.introspection.getTables();
    expect(tables.map(({ name, isView }) => [name, isView])).toEqual([
      ["adult", true],
      ["person", false],
      ["pet", false],
    ]);
    expect(
      tables[1]?.columns.map(({ name, dataType, isNullable, isAutoIncrementing, hasDefaultValue }) => [
        name,
        dataType,
        isNullable,
        isAutoIncrementing,
        hasDefaultValue,
      ]),
    ).toEqual([
      ["id", "INTEGER", true, true, false],
      ["name", "TEXT", false, false, false],
      ["age", "INTEGER", true, false, false],
      ["active", "INTEGER", false, false, true],
    ]);
  });
});

describe("migrations", () => {
  const tableOf = (db: Kysely<unknown>, name: string) =>
    db.schema.createTable(name).addColumn("id", "integer");

  function migrator(db: Kysely<Database>, migrations: Record<string, Migration>): Migrator {
    return new Migrator({ db, provider: { getMigrations: async () => migrations } });
  }

  const migrations: Record<string, Migration> = {
    "1_toy": {
      up: (db) => tableOf(db, "toy").execute(),
      down: (db) => db.schema.dropTable("toy").execute(),
    },
    "2_owner": {
      async up(db) {
        await db.schema.alterTable("toy").addColumn("owner", "integer").execute();
      },
      async down(db) {
        await db.schema.alterTable("toy").dropColumn("owner").execute();
      },
    },
  };

  it("go up, down and to the latest", async () => {
    const { db } = await opened();
    const up = await migrator(db, migrations).migrateToLatest();
    expect(up.error).toBeUndefined();
    expect(up.results?.map(({ status }) => status)).toEqual(["Success", "Success"]);
    await sql`INSERT INTO toy (owner) VALUES (1)`.execute(db);
    expect((await migrator(db, migrations).migrateDown()).error).toBeUndefined();
    expect((await sql`SELECT * FROM toy`.execute(db)).rows).toEqual([{ id: null }]);
    expect((await migrator(db, migrations).migrateToLatest()).results?.length).toBe(1);
  });

  it("can rebuild a table with foreign keys off, since they are in no transaction", async () => {
    const { db } = await opened();
    await db.insertInto("person").values(person("Ada")).execute();
    await db.insertInto("pet").values({ owner: 1, name: "Rex" }).execute();
    const { error } = await migrator(db, {
      "1_rebuild": {
        async up(one: Kysely<unknown>) {
          await sql`PRAGMA foreign_keys = OFF`.execute(one);
          await sql`CREATE TABLE person_new (id INTEGER PRIMARY KEY, name TEXT)`.execute(one);
          await sql`INSERT INTO person_new SELECT id, name FROM person`.execute(one);
          await sql`DROP TABLE person`.execute(one);
          await sql`ALTER TABLE person_new RENAME TO person`.execute(one);
          await sql`PRAGMA foreign_keys = ON`.execute(one);
        },
      },
    }).migrateToLatest();
    expect(error).toBeUndefined();
    expect(await names(db)).toEqual(["Ada"]);
    expect((await sql`PRAGMA foreign_key_check`.execute(db)).rows).toEqual([]);
  });

  it("are all undone by a failing one when they are told to be one transaction", async () => {
    const failing: Record<string, Migration> = {
      ...migrations,
      "3_fails": {
        async up(db: Kysely<unknown>) {
          await tableOf(db, "half").execute();
          await sql`INSERT INTO nowhere VALUES (1)`.execute(db);
        },
      },
    };
    const one = await opened({}, { transactionalDdl: true });
    const { error } = await migrator(one.db, failing).migrateToLatest();
    expect(error).toMatchObject({ message: "no such table: nowhere" });
    const left = await one.db.introspection.getTables();
    expect(left.map(({ name }) => name)).toEqual(["person", "pet"]);

    const other = await opened();
    expect((await migrator(other.db, failing).migrateToLatest()).error).toMatchObject({
      message: "no such table: nowhere",
    });
    const kept = await other.db.introspection.getTables();
    expect(kept.map(({ name }) => name)).toEqual(["half", "person", "pet", "toy"]);
  });

  it("of one process go one after the other, on a file and in memory", async () => {
    const { pool, path } = await opened();
    const other = await createPool(path);
    onTestFinished(() => other.close());
    const memory = await createPool(":memory:");
    onTestFinished(() => memory.close());
    const inMemory = new Kysely<Database>({ dialect: new SqliteAioDialect({ pool: memory }) });
    const pairs = [
      [pool, other].map((one) => new Kysely<Database>({ dialect: new SqliteAioDialect({ pool: one }) })),
      [inMemory, inMemory],
    ];
    for (const pair of pairs) {
      let inside = 0;
      const alone: Migration = {
        async up(db: Kysely<unknown>) {
          expect(++inside).toBe(1);
          await tableOf(db, "alone").execute();
          await sql`SELECT 1`.execute(db);
          inside--;
        },
      };
      const done = await Promise.all(pair.map((db) => migrator(db, { "1_alone": alone }).migrateToLatest()));
      expect(done.map(({ error }) => error)).toEqual([undefined, undefined]);
      expect(done.map(({ results }) => results?.length).toSorted((a = 0, b = 0) => a - b)).toEqual([0, 1]);
    }
  });

  it("of three processes at once run each migration once, one process at a time", async () => {
    const { path } = await opened();
    const engine = withRuns(path);
    const processes = await Promise.all(["a", "b", "c"].map((name) => migrating(path, name)));
    const outcomes = processes.map((one) => outcomeOf(one));
    for (const one of processes) one.send("go");
    const done = await Promise.all(outcomes);
    expect(done.map(({ error }) => error)).toEqual([null, null, null]);
    expect(done.map(({ results }) => results).toSorted((a, b) => a - b)).toEqual([0, 0, 3]);
    const runs = engine.prepare("SELECT migration || ' ' || what FROM run ORDER BY id").pluck().all();
    expect(runs).toEqual(["1_one", "2_two", "3_three"].flatMap((name) => [`${name} begin`, `${name} end`]));
    expect(engine.prepare("SELECT count(DISTINCT process) FROM run").pluck().get()).toBe(1);
  });

  it("go on in another process when the one that migrates is killed", async () => {
    const { path } = await opened();
    const engine = withRuns(path);
    const victim = await migrating(path, "victim", { DIE_IN: "2_two" });
    const gone = once(victim, "exit");
    victim.send("go");
    // Windows has no signals: a process ends there with an exit code.
    expect(await gone).toEqual(process.platform === "win32" ? [1, null] : [null, "SIGKILL"]);
    expect(engine.prepare("SELECT name FROM kysely_migration").pluck().all()).toEqual(["1_one"]);
    engine.exec("DROP TABLE t2_two");
    const heir = await migrating(path, "heir");
    const outcome = outcomeOf(heir);
    heir.send("go");
    expect(await outcome).toEqual({ error: null, results: 2 });
  });

  it("of a hundred callers at once wait without a thread each, also where they come by different pools", async () => {
    const { pool, path } = await opened();
    const other = await createPool(path);
    onTestFinished(() => other.close());
    const both = [pool, other].map(
      (one) => new Kysely<Database>({ dialect: new SqliteAioDialect({ pool: one }) }),
    );
    const threads = new Map<string, Set<number | undefined>>();
    const watching = ({ sql: text, database, thread }: QueryEvent): void => {
      if (!database.endsWith("-kysely-lock")) return;
      if (!threads.has(text)) threads.set(text, new Set());
      threads.get(text)!.add(thread);
    };
    queryChannel.asyncEnd.subscribe(watching as (event: unknown) => void);
    onTestFinished(() => {
      queryChannel.asyncEnd.unsubscribe(watching as (event: unknown) => void);
    });
    const done = await Promise.all(
      Array.from({ length: 100 }, (_, at) => migrator(both[at % 2]!, migrations).migrateToLatest()),
    );
    expect(done.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(done.filter(({ results }) => results?.length === 2).length).toBe(1);
    expect(threads.get("BEGIN EXCLUSIVE")?.size).toBe(1);
    // And another process can have its turn then.
    openEngine(`${path}-kysely-lock`).exec("BEGIN EXCLUSIVE").exec("ROLLBACK");
  });

  it("give up waiting in line after the time they are given, and leave the others their turns", async () => {
    const { pool } = await opened();
    const dialect = (migrationLockTimeout: number) => new SqliteAioDialect({ pool, migrationLockTimeout });
    const [patient, hasty] = [1000_000, 20].map((time) => new Kysely<Database>({ dialect: dialect(time) }));
    const inside = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const slow: Migration = {
      async up() {
        inside.resolve();
        await goOn.promise;
      },
    };
    const first = migrator(patient!, { "1_slow": slow }).migrateToLatest();
    await inside.promise;
    const last = migrator(patient!, { "1_slow": slow }).migrateToLatest();
    expect((await migrator(hasty!, { "1_slow": slow }).migrateToLatest()).error).toMatchObject({
      code: "SQLITE_BUSY",
      message: expect.stringMatching(/-kysely-lock for more than 20 ms/),
    });
    goOn.resolve();
    expect((await first).results?.length).toBe(1);
    expect(await last).toMatchObject({ results: [] });
  });

  it("have their turns in the order in which they came, and leave no timer", async () => {
    const limit = 7_654_321;
    const [set, cleared] = [vi.spyOn(globalThis, "setTimeout"), vi.spyOn(globalThis, "clearTimeout")];
    onTestFinished(() => void vi.restoreAllMocks());
    const waits = () => set.mock.results.filter((_, call) => set.mock.calls[call]![1] === limit);
    const { db } = await opened({}, { migrationLockTimeout: limit });
    const [inside, goOn] = [gate(), gate()];
    const slow: Migration = {
      async up() {
        inside.open();
        await goOn.opened;
      },
    };
    const first = migrator(db, { "1_slow": slow }).migrateToLatest();
    await inside.opened;
    const order: number[] = [];
    const later: Promise<unknown>[] = [];
    for (const place of [1, 2, 3]) {
      const turn = migrator(db, { "1_slow": slow }).migrateToLatest();
      later.push(turn.then(() => order.push(place)));
      await until(() => waits().length === place);
    }
    goOn.open();
    await Promise.all([first, ...later]);
    expect(order).toEqual([1, 2, 3]);
    const timers = waits().map(({ value }) => value);
    expect(cleared.mock.calls.map(([timer]) => timer)).toEqual(expect.arrayContaining(timers));
  });

  it("give up waiting for another's after the time they are given", async () => {
    const { db, path } = await opened({}, { migrationLockTimeout: 20 });
    const holder = openEngine(`${path}-kysely-lock`);
    // The second lets others read, as the opening of a connection does.
    for (const begin of ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE"]) {
      holder.exec(begin);
      const { error } = await migrator(db, migrations).migrateToLatest();
      expect(error).toMatchObject({ code: "SQLITE_BUSY", message: expect.stringContaining("20 ms") });
      holder.exec("ROLLBACK");
    }
    expect((await migrator(db, migrations).migrateToLatest()).error).toBeUndefined();
  });

  it("say why where there can be no lock", async () => {
    const { db, path } = await opened();
    await mkdir(`${path}-kysely-lock`);
    const { error } = await migrator(db, migrations).migrateToLatest();
    expect(error).toBeInstanceOf(OperationalError);
    expect((error as OperationalError).code).toMatch(/^SQLITE_CANTOPEN(?:_ISDIR)?$/);
  });

  it("in a transaction of the caller's are part of it, and wait for no other, which may wait for it", async () => {
    const { db, path } = await opened({}, { transactionalDdl: true });
    const holder = openEngine(`${path}-kysely-lock`);
    holder.exec("BEGIN EXCLUSIVE");
    const trx = await db.startTransaction().execute();
    expect((await migrator(trx, migrations).migrateToLatest()).error).toMatchObject({
      code: "SQLITE_BUSY",
      message: expect.stringContaining("0 ms"),
    });
    holder.exec("ROLLBACK");
    expect((await migrator(trx, migrations).migrateToLatest()).results?.length).toBe(2);
    await trx.rollback().execute();
    const left = await db.introspection.getTables();
    expect(left.map(({ name }) => name)).toEqual(["person", "pet"]);
  });

  it("in a transaction of the caller's wait for no other in memory either", async () => {
    const pool = await createPool(":memory:");
    const dialect = new SqliteAioDialect({ pool, transactionalDdl: true });
    await using db = new Kysely<Database>({ dialect });
    const inside = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const slow: Migration = {
      async up(one: Kysely<unknown>) {
        inside.resolve();
        await goOn.promise;
        await tableOf(one, "slow").execute();
      },
    };
    const other = migrator(db, { "1_slow": slow }).migrateToLatest({ disableTransactions: true });
    await inside.promise;
    const trx = await db.startTransaction().execute();
    expect((await migrator(trx, migrations).migrateToLatest()).error).toMatchObject({
      code: "SQLITE_BUSY",
      message: expect.stringContaining("another migration is running"),
    });
    goOn.resolve();
    await trx.commit().execute();
    expect((await other).error).toBeUndefined();
    await db.transaction().execute(async (one) => {
      const after = { "1_slow": slow, "2_toy": migrations["1_toy"]! };
      expect((await migrator(one, after).migrateToLatest()).results).toMatchObject([
        { migrationName: "2_toy", status: "Success" },
      ]);
    });
  });
});

/** Tables in which the processes note what they do. */
function withRuns(path: string): Engine {
  return openEngine(path, 5000).exec(`
    CREATE TABLE run (id INTEGER PRIMARY KEY, migration TEXT, process TEXT, what TEXT);
    CREATE TABLE step (id INTEGER PRIMARY KEY);
  `);
}

/** Another process that is ready to migrate. */
async function migrating(
  path: string,
  name: string,
  env: Record<string, string> = {},
): Promise<ChildProcess> {
  const script = fileURLToPath(new URL("../fixtures/kysely-migrate.ts", import.meta.url));
  const child = endsWithTest(fork(script, [path, name], { env: { ...process.env, ...env }, execArgv: [] }));
  await once(child, "message");
  return child;
}

async function outcomeOf(child: ChildProcess): Promise<{ error: string | null; results: number }> {
  const [outcome] = (await once(child, "message")) as [{ error: string | null; results: number }];
  return outcome;
}
