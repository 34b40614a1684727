import { runInNewContext } from "node:vm";
import { pipeline } from "node:stream/promises";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  capabilities,
  createPool,
  IntegrityError,
  NotSupportedError,
  OperationalError,
  type Pool,
  type PoolOptions,
  ProgrammingError,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import { knexClient, type KnexPool } from "@sqlite-aio/core/knex";
import knex, { type Knex } from "knex";
import { describe, expect, expectTypeOf, it, onTestFinished, vi } from "vitest";
import { openEngine, rejection, temporaryFolder, temporaryPath } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { gate } from "../support/gate.ts";

interface Person {
  id: number;
  name: string;
  age: number | null;
}

interface Opened {
  readonly db: Knex;
  readonly pool: Pool;
  readonly path: string;
}

/** Knex reports what it throws, too. */
const quiet = { warn() {}, error() {} };

/** A database with people and pets, on a pool that is closed when the test is over. */
async function opened(options: PoolOptions = {}): Promise<Opened> {
  const path = await temporaryPath();
  const pool = await createPool(path, { readers: 2, ...options });
  onTestFinished(() => pool.close());
  const db = knex({ client: knexClient(pool), log: quiet });
  await db.schema
    .createTable("person", (table) => {
      table.increments();
      table.string("name").notNullable().unique();
      table.integer("age");
    })
    .createTable("pet", (table) => {
      table.increments();
      table.integer("owner").notNullable().references("person.id");
      table.string("name");
    });
  return { db, pool, path };
}

/** The error that destroy() passes to its callback. */
function called(db: Knex): Promise<unknown> {
  return new Promise((resolve) => {
    db.destroy(resolve);
  });
}

async function names(db: Knex): Promise<string[]> {
  return db<Person>("person").orderBy("id").pluck("name");
}

describe("queries", () => {
  it("insert, update, delete and select", async () => {
    const { db } = await opened();
    expect(await db("person").insert({ name: "Ada", age: 36 })).toEqual([1]);
    expect(await db("person").insert([{ name: "Alan" }, { name: "Grace", age: 50 }])).toEqual([3]);
    expect(await db("person").insert({ name: "Edsger" }, ["id", "age"])).toEqual([{ id: 4, age: null }]);
    expect(await db("person").where({ name: "Ada" }).update({ age: 37 })).toBe(1);
    expect(await db("person").whereNull("age").del()).toBe(2);
    const people = await db<Person>("person").select("name", "age").orderBy("id");
    expectTypeOf(people).toEqualTypeOf<Pick<Person, "name" | "age">[]>();
    expect(people).toEqual([
      { name: "Ada", age: 37 },
      { name: "Grace", age: 50 },
    ]);
    expect(await db<Person>("person").where("age", ">", 40).first()).toMatchObject({ name: "Grace" });
    expect(await db("person").count({ n: "*" })).toEqual([{ n: 2 }]);
    expect(await db("person").increment("age", 1)).toBe(2);
  });

  it("join, run raw statements, and take dates as their milliseconds", async () => {
    const { db } = await opened();
    await db("person").insert([{ name: "Ada" }, { name: "Alan" }]);
    await db("pet").insert({ name: "Rex", owner: 1 });
    expect(
      await db("person")
        .leftJoin("pet", "pet.owner", "person.id")
        .select({ owner: "person.name", pet: "pet.name" }),
    ).toEqual([
      { owner: "Ada", pet: "Rex" },
      { owner: "Alan", pet: null },
    ]);
    const moment = new Date(1234);
    expect(await db.raw("SELECT typeof(?) AS i, ? AS date, ? AS yes", [1, moment, true])).toEqual([
      { i: "integer", date: 1234, yes: 1 },
    ]);
    const ofAnotherRealm: unknown = runInNewContext("new Date(1234)");
    expect(await db.raw("SELECT ? AS date", [ofAnotherRealm] as never)).toEqual([{ date: 1234 }]);
    expect(await db.raw("UPDATE person SET age = 1")).toEqual({ changes: 2, lastInsertRowid: 1 });
  });

  it("keep the class and the code of an error", async () => {
    const { db } = await opened();
    await db("person").insert({ name: "Ada" });
    const error = await rejection(db("person").insert({ name: "Ada" }));
    expect(error).toBeInstanceOf(IntegrityError);
    expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE" });
    expect(await rejection(db("nowhere").select())).toBeInstanceOf(OperationalError);
  });

  it("that fail keep their error whatever the values are, and show those that Knex cannot", async () => {
    const { db } = await opened();
    await db("person").insert({ id: 2n ** 60n, name: "Ada" });
    const big = await rejection(db("person").insert({ id: 2n ** 60n, name: "Alan" }));
    expect(big).toBeInstanceOf(IntegrityError);
    expect(big).toMatchObject({
      code: "SQLITE_CONSTRAINT_PRIMARYKEY",
      message: expect.stringContaining("values (1152921504606846976, 'Alan') - UNIQUE constraint failed"),
    });
    expect(await rejection(db.raw("SELECT nowhere(?)", [new Uint8Array([1, 255])] as never))).toMatchObject({
      message: "SELECT nowhere(X'01ff') - no such function: nowhere",
    });
    expect(await rejection(db.raw("SELECT ?", [Symbol("s")] as never))).toMatchObject({
      message: expect.stringMatching(/^SELECT \? - .*bind/i),
    });
    expect(db("person").where({ id: 5n }).toQuery()).toBe("select * from `person` where `id` = 5");
  });

  it("say so where there is nothing to run", async () => {
    const { db } = await opened();
    expect(await rejection(db("person").insert([]))).toMatchObject({
      message: expect.stringContaining("The query is empty"),
    });
  });

  it("are given up at their timeout where that is asked for", async () => {
    const { db, pool } = await opened();
    const inside = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const holding = pool.transaction(async () => {
      inside.resolve();
      await goOn.promise;
    });
    await inside.promise;
    const error = await rejection(db("person").insert({ name: "late" }).timeout(10, { cancel: true }));
    expect(error).toBeInstanceOf(knex.KnexTimeoutError);
    expect(pool.stats().waiting).toBe(0);
    goOn.resolve();
    await holding;
    expect(await names(db)).toEqual([]);
  });
});

describe("safeIntegers", () => {
  it("reads integers as bigint or as number, in a transaction and as a stream too, a query's own before the client's", async () => {
    const big = 2n ** 53n + 1n;
    for (const [all, own, expected] of [
      [undefined, undefined, { small: 1, big, real: 1.5 }],
      [undefined, true, { small: 1n, big, real: 1.5 }],
      [true, undefined, { small: 1n, big, real: 1.5 }],
      [true, false, { small: 1, big: 2 ** 53, real: 1.5 }],
      [false, undefined, { small: 1, big: 2 ** 53, real: 1.5 }],
      [false, true, { small: 1n, big, real: 1.5 }],
    ] as const) {
      const db = knex({
        client: knexClient(() => createPool(":memory:")),
        ...(all === undefined ? {} : { connection: { options: { safeIntegers: all } } as never }),
        log: quiet,
      });
      onTestFinished(() => db.destroy());
      const query = (from: Knex) => {
        const made = from.raw(`SELECT 1 AS small, ${big} AS big, 1.5 AS real`);
        return own === undefined ? made : made.options({ safeIntegers: own });
      };
      expect(await query(db)).toEqual([expected]);
      expect(await db.transaction((trx) => query(trx))).toEqual([expected]);
      const rows: unknown[] = [];
      for await (const row of query(db).stream()) rows.push(row);
      expect(rows).toEqual([expected]);
    }
  });
});

describe("transactions", () => {
  it("commit what the callback did, and undo all of it when it throws", async () => {
    const { db } = await opened();
    const [id] = await db.transaction(async (trx) => {
      const ids = await trx("person").insert({ name: "Ada" });
      await trx("pet").insert({ owner: ids[0], name: "Rex" });
      return ids;
    });
    expect(id).toBe(1);
    const stop = new Error("stop");
    const error = await rejection(
      db.transaction(async (trx) => {
        await trx("person").insert({ name: "Alan" });
        expect(await names(trx)).toEqual(["Ada", "Alan"]);
        throw stop;
      }),
    );
    expect(error).toBe(stop);
    const unique = await rejection(
      db.transaction(async (trx) => {
        await trx("person").insert({ name: "Alan" });
        await trx("person").insert({ name: "Ada" });
      }),
    );
    expect(unique).toBeInstanceOf(IntegrityError);
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("nest as savepoints, and can be led by hand", async () => {
    const { db } = await opened();
    const trx = await db.transaction();
    await trx("person").insert({ name: "Ada" });
    await trx.transaction(async (inner) => {
      await inner("person").insert({ name: "Alan" });
    });
    const undone = await rejection(
      trx.transaction(async (inner) => {
        await inner("person").del();
        throw new Error("undone");
      }),
    );
    expect(undone).toMatchObject({ message: "undone" });
    expect(await names(trx)).toEqual(["Ada", "Alan"]);
    expect(await names(db)).toEqual([]);
    await trx.commit();
    expect(await names(db)).toEqual(["Ada", "Alan"]);
    const other = await db.transaction();
    await other("person").del();
    await other.rollback();
    expect(await names(db)).toEqual(["Ada", "Alan"]);
  });

  it("are alone: 50 callers at once lose no update, while others read", async () => {
    const { db } = await opened();
    await db("person").insert({ name: "counter", age: 0 });
    const seen: number[] = [];
    await Promise.all(
      Array.from({ length: 50 }, async (_, caller) => {
        await db.transaction(async (trx) => {
          const { age } = await trx("person").where({ id: 1 }).first("age");
          await trx("person").update({ age: age + 1 });
        });
        seen.push((await db("person").first("age")).age);
        await db("pet").insert({ name: `pet ${caller}`, owner: 1 });
      }),
    );
    expect(seen.every((age) => age >= 1 && age <= 50)).toBe(true);
    expect(await db("person").first("age")).toEqual({ age: 50 });
    expect(await db("pet").count({ n: "*" })).toEqual([{ n: 50 }]);
  });

  it("reject when their thread dies, and the next has a new one", async () => {
    const { db, pool } = await opened();
    await pool.createFunction("die", 0, new URL("../fixtures/deadly.mjs", import.meta.url), {
      export: "die",
    });
    const error = await rejection(
      db.transaction(async (trx) => {
        await trx("person").insert({ name: "lost" });
        await trx.raw("SELECT die()");
      }),
    );
    expect(error).toBeInstanceOf(WorkerCrashedError);
    await db.transaction((trx) => trx("person").insert({ name: "Ada" }));
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("refuse the Knex instance inside them instead of waiting for themselves", async () => {
    const { db } = await opened();
    const error = await rejection(
      db.transaction(async () => {
        await db("person").insert({ name: "Ada" });
      }),
    );
    expect(error).toBeInstanceOf(ProgrammingError);
    const trx = await db.transaction();
    expect(await names(db)).toEqual([]);
    await trx.rollback();
    await db("person").insert({ name: "Ada" });
  });

  it("run nothing more when SQLite ended them, and keep the error that did it", async () => {
    const { db } = await opened();
    await db("person").insert({ name: "Ada" });
    const error = await rejection(
      db.transaction(async (trx) => {
        await trx("person").insert({ name: "Alan" });
        const conflict = await rejection(trx.raw("INSERT OR ROLLBACK INTO person (name) VALUES ('Ada')"));
        expect(conflict).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE" });
        await trx("person").insert({ name: "Grace" });
      }),
    );
    expect(error).toMatchObject({
      code: "SQLITE_ABORT_ROLLBACK",
      cause: { code: "SQLITE_CONSTRAINT_UNIQUE" },
    });
    expect(await names(db)).toEqual(["Ada"]);
  });

  it("commit nothing once SQLite has ended them, whatever was on its way and however they end", async () => {
    const { db } = await opened();
    await db("person").insert({ name: "Ada" });
    await db.raw(
      "CREATE TRIGGER refuse BEFORE INSERT ON person WHEN new.name = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
    );
    for (const failing of [
      "INSERT OR ROLLBACK INTO person (name) VALUES ('Ada')",
      "INSERT INTO person (name) VALUES ('bad')",
    ]) {
      const both = await rejection(
        db.transaction((trx) => Promise.all([trx.raw(failing), trx("person").insert({ name: "Grace" })])),
      );
      expect(both).toMatchObject({ code: expect.stringMatching(/^SQLITE_CONSTRAINT/), rolledBack: true });
      // The callback returns as if nothing had been.
      const committed = await rejection(
        db.transaction(async (trx) => {
          await trx("person").insert({ name: "Alan" });
          await Promise.allSettled([trx.raw(failing), trx("person").insert({ name: "Grace" })]);
        }),
      );
      expect(committed).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK" });
      expect(await names(db)).toEqual(["Ada"]);
    }
  });

  it.runIf(capabilities.interrupt)(
    "commit nothing after a statement that was cancelled while it ran, which ends them",
    async () => {
      const { db, pool } = await opened();
      const running = Promise.withResolvers<void>();
      await pool.createFunction("running", 0, () => running.resolve());
      const error = await rejection(
        db.transaction(async (trx) => {
          await trx("person").insert({ name: "Ada" });
          const slow = trx.raw(
            `WITH RECURSIVE n (i) AS (SELECT coalesce(running(), 1) UNION ALL SELECT i + 1 FROM n)
             INSERT INTO person (name) SELECT 'person ' || i FROM n`,
          );
          const late = rejection(slow.timeout(300, { cancel: true }));
          await running.promise;
          expect(await late).toBeInstanceOf(knex.KnexTimeoutError);
          await trx("person").insert({ name: "Grace" });
        }),
      );
      expect(error).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK" });
      expect(await names(db)).toEqual([]);
    },
  );

  it("refuse a COMMIT or ROLLBACK of the user's, after which the rest would be committed by itself", async () => {
    const { db } = await opened();
    for (const end of ["COMMIT", "ROLLBACK", "END", "COMMIT;"]) {
      const error = await rejection(
        db.transaction(async (trx) => {
          await trx("person").insert({ name: "Ada" });
          await trx.raw(end);
        }),
      );
      expect(error, end).toMatchObject({ code: "SQLITE_MISUSE" });
    }
    expect(await names(db)).toEqual([]);
  });

  it("with enforceForeignCheck give their connection back as it was, and later writes find it", async () => {
    const { db, pool } = await opened();
    const warnings: unknown[] = [];
    const told = knex({ client: knexClient(pool), log: { warn: (text) => warnings.push(text) } });
    await told.transaction(
      async (trx) => {
        await trx("person").insert({ name: "Ada" });
        await trx("pet").insert({ owner: 1, name: "Rex" });
        expect(await trx.raw("PRAGMA foreign_keys")).toEqual([{ foreign_keys: 0 }]);
      },
      { enforceForeignCheck: false },
    );
    const broken = await rejection(
      told.transaction((trx) => trx("pet").insert({ owner: 99, name: "stray" }), {
        enforceForeignCheck: false,
      }),
    );
    expect(broken).toMatchObject({ message: "Transaction concluded with 1 foreign key violations" });
    await Promise.all([
      db("person").insert({ name: "Alan" }),
      told.transaction((trx) => trx("person").insert({ name: "Grace" }), { enforceForeignCheck: true }),
    ]);
    expect(await rejection(db("pet").insert({ owner: 99, name: "stray" }))).toBeInstanceOf(IntegrityError);
    expect(await db("pet").pluck("name")).toEqual(["Rex"]);
    expect(warnings).toEqual([]);
    expect(pool.stats()).toMatchObject({ waiting: 0, busy: 0 });
  });

  it("run nothing on a connection that was given back", async () => {
    const { db, pool } = await opened();
    const connection = await db.client.acquireConnection();
    await db.raw("PRAGMA cache_size = 100").connection(connection);
    await db("person").select().connection(connection);
    await db.client.releaseConnection(connection);
    for (const text of ["PRAGMA cache_size = 100", "BEGIN", "SELECT 1"]) {
      expect(await rejection(db.raw(text).connection(connection)), text).toMatchObject({
        code: "SQLITE_MISUSE",
      });
    }
    await db("person").insert({ name: "Ada" });
    await eventually(() => expect(pool.stats()).toMatchObject({ waiting: 0, busy: 0 }));
  });
});

describe("streams", () => {
  const many = 2000;

  async function filled(): Promise<Opened> {
    const all = await opened();
    await all.pool.run(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${many})
       INSERT INTO person (name, age) SELECT 'person ' || i, i FROM n`,
    );
    return all;
  }

  it("give every row, two of them beside each other and beside a write", async () => {
    const { db, pool } = await filled();
    const first = db("person").select("age").orderBy("id").stream();
    const second = db("person").select("age").orderBy("id").stream();
    const rows = first[Symbol.asyncIterator]();
    expect(await rows.next()).toMatchObject({ value: { age: 1 } });
    const others = second[Symbol.asyncIterator]();
    expect(await others.next()).toMatchObject({ value: { age: 1 } });
    // Neither stream reads ahead without a limit: both readers are held.
    expect(pool.stats()).toMatchObject({ busy: 2 });
    await db("person").insert({ name: "meanwhile", age: 0 });
    let sum = 1;
    for await (const { age } of { [Symbol.asyncIterator]: () => rows }) sum += age;
    expect(sum).toBe((many * (many + 1)) / 2);
    second.destroy();
  });

  it("give their connection back when they are left early, and end with the error of a statement", async () => {
    const { db, pool } = await filled();
    for await (const { age } of db("person").select("age").orderBy("id").stream()) {
      expect(age).toBe(1);
      break;
    }
    const collected: unknown[] = [];
    await pipeline(db("person").select("id").where("id", "<", 4).orderBy("id").stream(), async (rows) => {
      for await (const row of rows) collected.push(row);
    });
    expect(collected).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
    const error = await rejection(async () => {
      for await (const row of db("nowhere").select().stream()) expect(row).toBeUndefined();
    });
    expect(error).toMatchObject({ message: "no such table: nowhere" });
    await pool.close();
  });

  it("end if their handler throws, and give the reader back", async () => {
    const { db, pool } = await filled();
    const mine = new Error("mine");
    const broken = (): never => {
      throw mine;
    };
    expect(await rejection(async () => db("person").stream(broken))).toBe(mine);
    expect(await rejection(db.transaction(async (trx) => trx("person").stream(broken)))).toBe(mine);
    await eventually(() => expect(pool.stats()).toMatchObject({ busy: 0, waiting: 0 }));
    await pool.close();
  });

  it("that were destroyed before there was a connection run nothing", async () => {
    const { pool } = await filled();
    const iterate = vi.spyOn(pool, "iterate");
    const open = gate();
    const db = knex({
      client: knexClient(async () => {
        await open.opened;
        return pool;
      }),
      log: quiet,
    });
    const stream = db("person").select("age").stream();
    stream.destroy();
    open.open();
    await db.destroy();
    expect(iterate).not.toHaveBeenCalled();
  });

  it("read what their transaction wrote", async () => {
    const { db } = await filled();
    await db.transaction(async (trx) => {
      await trx("person").update({ age: 7 });
      const ages = new Set<number>();
      for await (const { age } of trx("person").select("age").stream()) ages.add(age);
      expect([...ages]).toEqual([7]);
    });
  });
});

describe("the schema", () => {
  it("can be altered the way Knex rebuilds tables, with what refers to them", async () => {
    const { db } = await opened();
    await db("person").insert({ name: "Ada", age: 36 });
    await db("pet").insert({ owner: 1, name: "Rex" });
    await db.schema.alterTable("person", (table) => {
      table.string("age").alter();
    });
    await db.schema.alterTable("pet", (table) => {
      table.dropForeign("owner");
      table.renameColumn("name", "title");
    });
    expect(await db("person").first()).toEqual({ id: 1, name: "Ada", age: "36" });
    expect(await db.schema.hasTable("pet")).toBe(true);
    expect(await db.schema.hasColumn("pet", "name")).toBe(false);
    expect(await db("pet").columnInfo("title")).toMatchObject({ type: "varchar", maxLength: "255" });
    expect(await db.raw("PRAGMA foreign_keys")).toEqual([{ foreign_keys: 1 }]);
  });

  it("can have several tables' worth of rebuilding in one alteration, each with foreign keys off and on again", async () => {
    const { db } = await opened();
    await db.schema.createTable("toy", (table) => {
      table.increments();
      table.integer("owner").references("person.id");
      table.integer("pet").references("pet.id");
    });
    await db("person").insert({ name: "Ada" });
    await db("toy").insert({ owner: 1 });
    await db.schema.alterTable("toy", (table) => {
      table.dropForeign("owner");
      table.dropForeign("pet");
      table.dropColumn("pet");
    });
    await db("toy").insert({ owner: 99 });
    expect(await db("toy").select()).toEqual([
      { id: 1, owner: 1 },
      { id: 2, owner: 99 },
    ]);
    expect(await rejection(db("pet").insert({ owner: 99 }))).toBeInstanceOf(IntegrityError);
  });

  /** One migration, in a transaction, as Knex runs all of them. */
  function migrating(db: Knex, name: string, up: (trx: Knex) => PromiseLike<unknown>): Promise<unknown> {
    const migrationSource = {
      getMigrations: async () => [name],
      getMigrationName: String,
      getMigration: async () => ({ up: async (trx: Knex) => void (await up(trx)), down: async () => {} }),
    };
    return db.migrate.latest({ migrationSource, tableName: `done_${name}` });
  }

  /** A customer with an invoice of each kind, and a tree that refers to itself. */
  async function referred(): Promise<Knex> {
    const { db } = await opened();
    for (const action of ["CASCADE", "SET NULL", "NO ACTION"]) {
      await db.schema.createTable(action, (table) => {
        table.increments();
        table.integer("customer").references("customer.id").onDelete(action);
      });
    }
    await db.schema.createTable("customer", (table) => {
      table.increments();
      table.string("gender");
      table.string("name").notNullable();
      table.integer("parent").references("customer.id").onDelete("CASCADE");
    });
    await db("customer").insert([
      { id: 1, name: "Ada" },
      { id: 2, name: "Alan", parent: 1 },
    ]);
    for (const action of ["CASCADE", "SET NULL", "NO ACTION"])
      await db(action).insert({ id: 7, customer: 1 });
    return db;
  }

  const rebuilds: [string, (trx: Knex) => PromiseLike<unknown>][] = [
    ["dropColumn", (trx) => trx.schema.alterTable("customer", (table) => void table.dropColumn("gender"))],
    ["alter", (trx) => trx.schema.alterTable("customer", (table) => void table.text("name").alter())],
    ["setNullable", (trx) => trx.schema.alterTable("customer", (table) => void table.setNullable("name"))],
    ["dropForeign", (trx) => trx.schema.alterTable("customer", (table) => void table.dropForeign("parent"))],
  ];

  it.runIf(capabilities.limits).each(rebuilds)(
    "loses no row that refers to a table when %s rebuilds that in a migration",
    async (name, up) => {
      const db = await referred();
      await migrating(db, name, async (trx) => {
        await trx("customer").insert({ id: 3, name: "Grace" });
        await up(trx);
        expect(await trx.raw("PRAGMA foreign_keys")).toEqual([{ foreign_keys: 1 }]);
      });
      for (const action of ["CASCADE", "SET NULL", "NO ACTION"]) {
        expect(await db(action).select(), action).toEqual([{ id: 7, customer: 1 }]);
        expect(await rejection(db(action).insert({ customer: 99 })), action).toBeInstanceOf(IntegrityError);
      }
      expect(await db("customer").orderBy("id").pluck("name")).toEqual(["Ada", "Alan", "Grace"]);
      expect(await db.raw("PRAGMA foreign_key_check")).toEqual([]);
    },
  );

  it.runIf(!capabilities.limits).each(rebuilds)(
    "refuses to lose a row that refers to a table when %s would rebuild that in a migration, and rebuilds others",
    async (name, up) => {
      const db = await referred();
      const error = await rejection(migrating(db, name, up));
      expect(error).toBeInstanceOf(NotSupportedError);
      expect(error).toMatchObject({ message: expect.stringContaining("transaction: false") });
      expect(await db("CASCADE").select()).toEqual([{ id: 7, customer: 1 }]);
      expect(await db("customer").orderBy("id").pluck("name")).toEqual(["Ada", "Alan"]);
      for (const action of ["CASCADE", "SET NULL", "NO ACTION"]) await db(action).del();
      await db("customer").where({ id: 2 }).del();
      await migrating(db, name, up);
      expect(await db("customer").pluck("name")).toEqual(["Ada"]);
    },
  );

  it("refuses a PRAGMA foreign_keys of the user's by itself, and inside a transaction, where SQLite ignores it", async () => {
    const { db } = await opened();
    expect(await rejection(db.raw("PRAGMA foreign_keys = OFF"))).toBeInstanceOf(ProgrammingError);
    expect(await db.raw("PRAGMA foreign_keys = ON")).toEqual({ changes: 0, lastInsertRowid: 0 });
    const error = await rejection(db.transaction((trx) => trx.raw("PRAGMA foreign_keys = OFF")));
    expect(error).toBeInstanceOf(ProgrammingError);
    expect(error).toMatchObject({ message: expect.stringContaining("inside a transaction") });
  });

  it.each(["BEGIN", "PRAGMA cache_size = 5", "ATTACH ':memory:' AS other"])(
    "refuses %s by itself, which is lost with its connection",
    async (text) => {
      const { db } = await opened();
      expect(await rejection(db.raw(text))).toMatchObject({
        code: "SQLITE_MISUSE",
        message: expect.stringContaining("one connection"),
      });
      const connection = await db.client.acquireConnection();
      await db.raw(text).connection(connection);
      await db("person").insert({ name: "Ada" }).connection(connection);
      if (text === "BEGIN") await db.raw("COMMIT").connection(connection);
      await db.client.releaseConnection(connection);
      expect(await db("person").pluck("name")).toEqual(["Ada"]);
      if (text.startsWith("PRAGMA")) await db.transaction((trx) => trx.raw(text));
    },
  );

  it("warns of a temporary table, and of what was lost with a connection that the user gives back", async () => {
    const { db } = await opened();
    const warn = vi.spyOn(process, "emitWarning").mockReturnValue();
    onTestFinished(() => warn.mockRestore());
    const connection = await db.client.acquireConnection();
    await db.raw("PRAGMA cache_size = 5").connection(connection);
    await db.client.releaseConnection(connection);
    expect(warn.mock.calls).toEqual([
      [expect.stringContaining("one connection"), { code: "SQLITE_AIO_IN_VAIN" }],
    ]);
    await db.raw("CREATE TEMP TABLE mine (a)");
    expect(warn).toHaveBeenCalledTimes(2);
    warn.mockClear();
    const other = await db.client.acquireConnection();
    await db.raw("PRAGMA foreign_keys = OFF").connection(other);
    await db("person").insert({ name: "Ada" }).connection(other);
    await db.raw("PRAGMA foreign_keys = ON").connection(other);
    await db.client.releaseConnection(other);
    expect(warn).not.toHaveBeenCalled();
  });

  it("is migrated, each migration in a transaction, and by one at a time", async () => {
    const { db, path } = await opened();
    const directory = join(await temporaryFolder(), "migrations");
    await mkdir(directory);
    const file = (up: string): string =>
      `exports.up = async (knex) => { ${up} }; exports.down = (knex) => knex.schema.dropTable("toy");`;
    await writeFile(
      join(directory, "1_toy.cjs"),
      file('await knex.schema.createTable("toy", (t) => t.increments());'),
    );
    const config = { directory, loadExtensions: [".cjs"] };
    expect((await db.migrate.latest(config))[1]).toEqual(["1_toy.cjs"]);
    await db.migrate.rollback(config);
    expect(await db.schema.hasTable("toy")).toBe(false);
    await db.migrate.latest(config);

    await writeFile(
      join(directory, "2_half.cjs"),
      file(
        'await knex.schema.createTable("half", (t) => t.increments()); await knex.raw("INSERT INTO nowhere VALUES (1)");',
      ),
    );
    expect(await rejection(db.migrate.latest(config))).toMatchObject({
      message: expect.stringContaining("no such table: nowhere"),
    });
    expect(await db.schema.hasTable("half")).toBe(false);

    await db("knex_migrations_lock").update({ is_locked: 1 });
    const other = knex({ client: knexClient(() => createPool(path)), log: quiet });
    onTestFinished(() => other.destroy());
    expect(await rejection(other.migrate.latest(config))).toMatchObject({
      message: expect.stringContaining("already locked"),
    });
  });
});

describe("the pool", () => {
  it("is opened at the first query if it is given as a function, and closed with the Knex instance", async () => {
    const path = await temporaryPath();
    const pools: Pool[] = [];
    const db = knex({
      client: knexClient(async () => {
        pools.push(await createPool(path));
        return pools[0]!;
      }),
    });
    expect(pools).toEqual([]);
    await Promise.all([db.raw("SELECT 1"), db.raw("SELECT 2")]);
    expect(pools.length).toBe(1);
    await db.destroy();
    expect(await rejection(pools[0]!.get("SELECT 1"))).toMatchObject({ message: "Pool closed" });
  });

  it("is opened by a later query where the first could not", async () => {
    const path = await temporaryPath();
    const reason = new Error("not yet");
    let attempts = 0;
    const db = knex({
      client: knexClient(async () => {
        if (++attempts === 1) throw reason;
        return await createPool(path);
      }),
      log: quiet,
    });
    onTestFinished(() => db.destroy());
    expect(await Promise.all([rejection(db.raw("SELECT 1")), rejection(db.raw("SELECT 2"))])).toEqual([
      reason,
      reason,
    ]);
    expect(await db.raw("SELECT 3 AS three")).toEqual([{ three: 3 }]);
    expect(attempts).toBe(2);
  });

  it("is closed with the Knex instance also where nothing was asked, and where that was told to call back", async () => {
    for (const wait of ["by promise", "by callback"]) {
      const pool = await createPool(await temporaryPath());
      const db = knex({ client: knexClient(pool) });
      if (wait === "by promise") await db.destroy();
      else expect(await called(db)).toBeUndefined();
      expect(await rejection(pool.get("SELECT 1")), wait).toMatchObject({ message: "Pool closed" });
    }
    const unused = knex({ client: knexClient(() => Promise.reject(new Error("never asked"))) });
    await unused.destroy();
  });

  it("is closed after what was called before destroy(), of which nothing is half done", async () => {
    const { db, path } = await opened();
    const calls = [
      db("person").insert({ name: "Ada" }),
      db.transaction(async (trx) => {
        await trx("person").insert({ name: "Alan" });
        await trx("person").insert({ name: "Grace" });
      }),
      db.schema.createTable("toy", (table) => {
        table.string("name").index();
        table.string("maker").index();
      }),
    ];
    const started = calls.map((call) => call.then(() => "done"));
    await Promise.resolve();
    await db.destroy();
    expect(await Promise.all(started)).toEqual(["done", "done", "done"]);
    const stored = openEngine(path);
    expect(stored.prepare("SELECT count(*) FROM person").pluck().get()).toBe(3);
    expect(stored.prepare("SELECT count(*) FROM pragma_index_list('toy')").pluck().get()).toBe(2);
  });

  it("that cannot be opened is what destroy() tells meanwhile, by promise or by callback", async () => {
    for (const wait of ["by promise", "by callback"]) {
      const opening = Promise.withResolvers<KnexPool>();
      const db = knex({ client: knexClient(() => opening.promise), log: quiet });
      const query = rejection(db.raw("SELECT 1"));
      // The query has asked for the pool.
      await Promise.resolve();
      const told = wait === "by promise" ? rejection(db.destroy()) : called(db);
      const reason = new Error(wait);
      opening.reject(reason);
      expect(await told).toBe(reason);
      expect(await query).toBe(reason);
    }
  });

  it("is all that Knex gets: its own driver and pool are not wanted, whatever it is told of them", async () => {
    const pool = await createPool(await temporaryPath());
    const db = knex({
      client: knexClient(pool),
      connection: { filename: "nowhere/at-all.db" },
      pool: { min: 3, max: 3 },
    });
    onTestFinished(() => db.destroy());
    expect(await db.raw("SELECT 1 AS one")).toEqual([{ one: 1 }]);
    expect(db.client.driver).toBeUndefined();
    expect(pool.stats()).toMatchObject({ writers: 1 });
  });

  it("is opened again after destroy() by initialize(), and not before", async () => {
    const path = await temporaryPath();
    const pools: Pool[] = [];
    const db = knex({
      client: knexClient(async () => {
        pools.push(await createPool(path));
        return pools.at(-1)!;
      }),
      log: quiet,
    });
    onTestFinished(() => db.destroy());
    await db.schema.createTable("t", (table) => table.increments());
    await db.destroy();
    expect(await rejection(db("t").select())).toMatchObject({ message: "Unable to acquire a connection" });
    db.initialize();
    expect(await db("t").select()).toEqual([]);
    expect(pools.length).toBe(2);
    db.initialize();
    expect(await db("t").select()).toEqual([]);
    expect(pools.length).toBe(2);
  });

  it("has the counters that applications read of Knex's own", async () => {
    const path = await temporaryPath();
    const opening = Promise.withResolvers<void>();
    const db = knex({
      client: knexClient(async () => {
        await opening.promise;
        return await createPool(path, { readers: 1 });
      }),
    });
    onTestFinished(() => db.destroy());
    const counters = () => {
      const { pool } = db.client;
      return [pool.numUsed(), pool.numFree(), pool.numPendingAcquires(), pool.numPendingCreates()];
    };
    expect(counters()).toEqual([0, 0, 0, 0]);
    const first = db.raw("SELECT 1").then((rows: unknown) => rows);
    await eventually(() => expect(counters()).toEqual([0, 0, 0, 1]));
    opening.resolve();
    await first;
    const trx = await db.transaction();
    const waiting = db.transaction((inner) => inner.raw("SELECT 2"));
    await eventually(() => expect(counters()).toEqual([1, 1, 1, 0]));
    await trx.commit();
    await waiting;
    expect(db.client.pool.numPendingValidations()).toBe(0);
    expect(db.client.pool.min).toBe(0);
  });

  it("is waited for by transactions as long as acquireConnectionTimeout says, and by none that has given up", async () => {
    const { pool } = await opened();
    for (const config of [
      { acquireConnectionTimeout: 20 },
      { acquireConnectionTimeout: 60_000, pool: { acquireTimeoutMillis: 20 } },
    ]) {
      const db = knex({ client: knexClient(pool), log: quiet, ...config });
      const lease = await pool.acquire();
      expect(await rejection(db.transaction(async () => {}))).toMatchObject({
        name: "KnexTimeoutError",
        message: expect.stringContaining("Timeout acquiring a connection"),
      });
      expect(pool.stats().waiting).toBe(0);
      await lease.close();
      expect(await db.transaction((trx) => trx.raw("SELECT 1 AS one"))).toEqual([{ one: 1 }]);
    }
  });

  it("must be one", () => {
    expect(() => knexClient(null as unknown as KnexPool)).toThrow(TypeError);
  });
});
