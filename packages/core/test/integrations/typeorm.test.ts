import { existsSync } from "node:fs";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import {
  ConnectionClosedError,
  DataError,
  IntegrityError,
  OperationalError,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import {
  createDriver,
  driver,
  type TypeormDatabase,
  type TypeormDriver,
  type TypeormDriverOptions,
} from "@sqlite-aio/core/typeorm";
import {
  DataSource,
  type DataSourceOptions,
  EntitySchema,
  In,
  type MigrationInterface,
  QueryFailedError,
  type QueryRunner,
  Table,
  TableColumn,
} from "typeorm";
import { describe, expect, it, onTestFinished } from "vitest";
import { openEngine, rejection, temporaryFolder, temporaryPath } from "../support/database.ts";

interface Person {
  id: number;
  name: string;
  born: Date | null;
  photo: Uint8Array | null;
  account: bigint | number | null;
  settings: object | null;
  active: boolean;
  pets: Pet[];
}
interface Pet {
  id: number;
  name: string;
  owner: Person;
}

const People = new EntitySchema<Person>({
  name: "person",
  columns: {
    id: { type: "integer", primary: true, generated: true },
    name: { type: "varchar", unique: true },
    born: { type: "datetime", nullable: true },
    photo: { type: "blob", nullable: true },
    account: { type: "bigint", nullable: true },
    settings: { type: "simple-json", nullable: true },
    active: { type: "boolean", default: true },
  },
  relations: { pets: { type: "one-to-many", target: "pet", inverseSide: "owner" } },
});
const Pets = new EntitySchema<Pet>({
  name: "pet",
  columns: { id: { type: "integer", primary: true, generated: true }, name: { type: "varchar" } },
  relations: {
    owner: {
      type: "many-to-one",
      target: "person",
      inverseSide: "pets",
      onDelete: "CASCADE",
      nullable: false,
    },
  },
});

interface Settings {
  readonly database?: string;
  readonly options?: TypeormDriverOptions;
  readonly more?: Partial<DataSourceOptions>;
}

/** A data source with people and pets, destroyed when the test is over. */
async function opened({ database = ":memory:", options, more }: Settings = {}): Promise<DataSource> {
  const source = new DataSource({
    type: "expo",
    driver: options === undefined ? driver : createDriver(options),
    database,
    entities: [People, Pets],
    synchronize: true,
    ...more,
  } as DataSourceOptions);
  onTestFinished(async () => {
    if (source.isInitialized) await source.destroy();
  });
  return await source.initialize();
}

/** The connection that the driver has given to TypeORM. */
function databaseOf(source: DataSource): TypeormDatabase {
  return (source.driver as unknown as { databaseConnection: TypeormDatabase }).databaseConnection;
}

/** TypeORM prints the error of a migration, which is what the test is about. */
const quiet = {
  logQuery() {},
  logQueryError() {},
  logQuerySlow() {},
  logSchemaBuild() {},
  logMigration() {},
  log() {},
};

/** The error that TypeORM makes of a failed query. */
async function failure(work: Promise<unknown>): Promise<QueryFailedError> {
  const error = await rejection(work);
  expect(error).toBeInstanceOf(QueryFailedError);
  return error as QueryFailedError;
}

describe("entities", () => {
  it("are saved, found with their relations, changed and removed", async () => {
    const source = await opened();
    const people = source.getRepository(People);
    const ada = await people.save({ name: "Ada", pets: [] });
    expect(ada).toMatchObject({ id: 1, active: true });
    const [alan, grace] = await people.save([{ name: "Alan" }, { name: "Grace" }]);
    expect([alan?.id, grace?.id]).toEqual([2, 3]);
    await source.getRepository(Pets).save([
      { name: "Rex", owner: ada },
      { name: "Tom", owner: ada },
    ]);
    const [found] = await people.find({
      where: { name: In(["Ada"]) },
      relations: { pets: true },
      order: { pets: { id: "ASC" } },
    });
    expect(found?.pets.map((pet) => pet.name)).toEqual(["Rex", "Tom"]);
    expect((await people.update({ name: "Alan" }, { active: false })).affected).toBe(1);
    expect((await people.update({ name: "nobody" }, { active: false })).affected).toBe(0);
    expect(await people.countBy({ active: true })).toBe(2);
    expect((await people.delete({ name: "Ada" })).affected).toBe(1);
    expect(await source.getRepository(Pets).count()).toBe(0);
    expect(await people.createQueryBuilder("p").select("count(*)", "n").getRawOne()).toEqual({ n: 2 });
  });

  it("keep dates, bytes, JSON, booleans and integers beyond 2^53", async () => {
    const path = await temporaryPath();
    const source = await opened({ database: path });
    const people = source.getRepository(People);
    const born = new Date("1815-12-10T11:12:13.014Z");
    const photo = new Uint8Array([0, 1, 255]);
    await people.save({
      name: "Ada",
      born,
      photo,
      account: 2n ** 60n + 1n,
      settings: { a: [1] },
      active: false,
    });
    const found = await people.findOneByOrFail({ born });
    expect(found).toMatchObject({ born, account: 2n ** 60n + 1n, settings: { a: [1] }, active: false });
    expect(Buffer.isBuffer(found.photo)).toBe(true);
    expect([...(found.photo ?? [])]).toEqual([0, 1, 255]);
    const stored = openEngine(path)
      .prepare("SELECT born, typeof(account) AS t, photo, active FROM person")
      .all();
    expect(stored).toEqual([
      { born: "1815-12-10 11:12:13.014", t: "integer", photo: Buffer.from(photo), active: 0 },
    ]);
  });

  it("are inserted where they are new, and ignored or changed where they are not", async () => {
    const source = await opened();
    const insert = (...names: string[]) =>
      source
        .createQueryBuilder()
        .insert()
        .into(People)
        .values(names.map((name) => ({ name })))
        .orIgnore()
        .execute();
    expect((await insert("Ada", "Alan")).identifiers).toEqual([{ id: 1 }, { id: 2 }]);
    await insert("Ada");
    expect((await insert("Grace")).identifiers).toEqual([{ id: 4 }]);
    await source.getRepository(People).upsert({ name: "Grace", active: false }, ["name"]);
    expect(
      await source.getRepository(People).find({ select: { id: true, name: true, active: true } }),
    ).toEqual([
      { id: 1, name: "Ada", active: true },
      { id: 2, name: "Alan", active: true },
      { id: 4, name: "Grace", active: false },
    ]);
  });
});

describe("raw queries", () => {
  it("give rows for what gives rows, RETURNING included, and the rowid for what inserts", async () => {
    const source = await opened();
    const sql = (text: string, values?: unknown[]) => source.query(text, values);
    expect(await sql("INSERT INTO person (name) VALUES (?), (?)", ["Ada", "Alan"])).toBe(2);
    expect(await sql("insert into person (name) values ('Grace')")).toBe(3);
    expect(await sql("INSERT OR REPLACE INTO person (id, name) VALUES (9, 'Edsger')")).toBe(9);
    expect(await sql("INSERT INTO person (name) VALUES ('Alonzo') RETURNING id, name")).toEqual([
      { id: 10, name: "Alonzo" },
    ]);
    expect(await sql("UPDATE person SET active = 0 WHERE id < 3 RETURNING id")).toEqual([
      { id: 1 },
      { id: 2 },
    ]);
    expect(await sql("UPDATE person SET active = 1")).toEqual([]);
    expect(await sql("WITH n (i) AS (VALUES (1), (2)) SELECT i FROM n")).toEqual([{ i: 1 }, { i: 2 }]);
    expect(await sql("PRAGMA foreign_keys")).toEqual([{ foreign_keys: 1 }]);
    expect(await sql("SELECT 2 AS __proto__, 1 AS a, 3 AS a")).toEqual([
      Object.defineProperty({ a: 3 }, "__proto__", { value: 2, enumerable: true }),
    ]);
  });

  it("count what they have changed", async () => {
    const source = await opened();
    const runner = source.createQueryRunner();
    const affected = async (text: string) => (await runner.query(text, [], true)).affected;
    expect(await affected("INSERT INTO person (name) VALUES ('a'), ('b'), ('c')")).toBe(3);
    expect(await affected("INSERT OR IGNORE INTO person (name) VALUES ('a')")).toBe(0);
    expect(await affected("UPDATE person SET active = 0 WHERE id < 3")).toBe(2);
    expect(await affected("UPDATE person SET active = 0 WHERE id < 3 RETURNING id")).toBe(2);
    expect(await affected("CREATE TABLE other (a)")).toBe(0);
    expect(await affected("SELECT 1")).toBeUndefined();
    expect(await affected("DELETE FROM person")).toBe(3);
    expect(await affected("DELETE FROM person")).toBe(0);
  });

  it("take booleans, and a Date as columns store it, also one of another realm", async () => {
    const source = await opened();
    const date = new Date(1234);
    const other: unknown = runInNewContext("new Date(1234)");
    expect(await source.query("SELECT ? AS date, ? AS other, ? AS yes", [date, other, true])).toEqual([
      { date: "1970-01-01 00:00:01.234", other: "1970-01-01 00:00:01.234", yes: 1 },
    ]);
    const error = await failure(source.query("SELECT ?, ?", [1, new Date(Number.NaN)]));
    expect(error.driverError).toBeInstanceOf(DataError);
    expect(error.message).toContain("parameter 2: an invalid Date");
  });

  it("give a rowid beyond 2^53 as it is", async () => {
    const source = await opened();
    const id = 2n ** 60n + 1n;
    expect(await source.query("INSERT INTO person (id, name) VALUES (?, 'Ada')", [id])).toBe(id);
    expect(await source.query("SELECT id FROM person")).toEqual([{ id }]);
    const numbers = await opened({ options: { integers: "number" } });
    expect(await numbers.query(`SELECT ${id} AS id`)).toEqual([{ id: Number(id) }]);
  });
});

describe("errors", () => {
  it("are QueryFailedErrors with the typed error and its code, of compiling, binding and running alike", async () => {
    const source = await opened();
    await source.query("INSERT INTO person (name) VALUES ('Ada')");
    const unique = await failure(source.getRepository(People).insert({ name: "Ada" }));
    expect(unique.driverError).toBeInstanceOf(IntegrityError);
    expect(unique).toMatchObject({
      message: "IntegrityError: UNIQUE constraint failed: person.name",
      code: "SQLITE_CONSTRAINT_UNIQUE",
      query: expect.stringMatching(/^INSERT INTO "person"/),
      parameters: ["Ada"],
    });
    const missing = await failure(source.query("SELECT * FROM nowhere"));
    expect(missing.driverError).toBeInstanceOf(OperationalError);
    expect(missing.message).toBe("OperationalError: no such table: nowhere");
    expect(await failure(source.query("SELECT ?", []))).toMatchObject({ code: "SQLITE_MISUSE" });
    expect(await failure(source.query("SELECT 1; SELECT 2"))).toMatchObject({
      message: expect.stringContaining("one statement"),
    });
    const orphan = source.query("INSERT INTO pet (name, ownerId) VALUES ('Rex', 77)");
    expect(await failure(orphan)).toMatchObject({ code: "SQLITE_CONSTRAINT_FOREIGNKEY" });
  });

  it("of opening are those of connect()", async () => {
    const folder = await temporaryFolder();
    const error = await rejection(
      opened({ database: join(folder, "missing.db"), options: { fileMustExist: true } }),
    );
    expect(error).toMatchObject({ name: "OperationalError", code: "SQLITE_CANTOPEN" });
    const name = `file:${folder}/made/app.db?mode=ro`;
    expect(await rejection(opened({ database: name }))).toBeInstanceOf(TypeError);
    expect(existsSync(`file:${folder}`) || existsSync(join(folder, "made"))).toBe(false);
    expect(await rejection(opened({ options: { pragmas: { "not a name": 1 } } }))).toBeInstanceOf(TypeError);
  });

  it("say which options are not for TypeORM's connections", () => {
    const made = (options: object) => () => createDriver(options);
    expect(made({ isolationLevel: "IMMEDIATE" })).toThrow('option "isolationLevel" is not for');
    expect(made({ autocommit: true })).toThrow('option "autocommit" is not for');
    expect(made({ prepareDatabase: 1 })).toThrow('option "prepareDatabase" must be a function');
    expect(() => createDriver(null as never)).toThrow(TypeError);
    expect(made({ timout: 1 })).toThrow('unknown option "timout"');
    expect(made({ timeout: "1" })).toThrow('option "timeout" must be an integer');
    expect(made({ readonly: 3 })).toThrow('option "readonly" must be a boolean or "immutable"');
    expect(made({ detectTypes: 9 })).toThrow(RangeError);
    expect(made({ extensions: "x" })).toThrow(TypeError);
    // Whether it fits the database is known when that is opened.
    expect(made({ readonly: true, fileMustExist: true })).not.toThrow();
  });
});

describe("transactions", () => {
  it("commit, roll back, and nest as savepoints", async () => {
    const path = await temporaryPath();
    const source = await opened({ database: path });
    const names = () => openEngine(path).prepare("SELECT name FROM person ORDER BY id").pluck().all();
    await source.transaction(async (manager) => {
      await manager.save(People, { name: "Ada" });
      const undone = manager.transaction(async (inner) => {
        await inner.save(People, { name: "nobody" });
        throw new Error("undone");
      });
      expect(await rejection(undone)).toMatchObject({ message: "undone" });
      await manager.transaction((inner) => inner.save(People, { name: "Alan" }));
      expect(names()).toEqual([]);
    });
    expect(names()).toEqual(["Ada", "Alan"]);
    const error = await rejection(
      source.transaction(async (manager) => {
        await manager.save(People, { name: "Grace" });
        await manager.query("INSERT INTO person (name) VALUES ('Ada')");
      }),
    );
    expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE" });
    expect(names()).toEqual(["Ada", "Alan"]);
    expect(databaseOf(source).connection.inTransaction).toBe(false);
  });

  it("are lost whole when SQLite rolls them back: nothing more of them is run, and the next one begins", async () => {
    const path = await temporaryPath();
    const source = await opened({ database: path });
    await source.query(
      "CREATE TRIGGER no BEFORE INSERT ON person WHEN new.name = 'no' BEGIN SELECT RAISE(ROLLBACK, 'not him'); END",
    );
    const stored = (): unknown =>
      openEngine(path).prepare("SELECT name FROM person ORDER BY id").pluck().all();
    const lost = { driverError: { code: "SQLITE_ABORT_ROLLBACK", rolledBack: true } };
    const failed = source.transaction(async (manager) => {
      await manager.insert(People, { name: "before" });
      expect(await rejection(manager.insert(People, { name: "no" }))).toMatchObject({
        driverError: { message: "not him", rolledBack: true },
      });
      expect(await rejection(manager.insert(People, { name: "after" }))).toMatchObject(lost);
      expect(await rejection(manager.count(People))).toMatchObject(lost);
    });
    expect(await rejection(failed)).toMatchObject(lost);
    expect(stored()).toEqual([]);

    const nested = source.transaction(async (outer) => {
      await outer.insert(People, { name: "outer" });
      await rejection(
        outer.transaction(async (inner) => {
          await inner.insert(People, { name: "inner" });
          await inner.insert(People, { name: "no" });
        }),
      );
      await outer.insert(People, { name: "outer again" });
    });
    expect(await rejection(nested)).toMatchObject(lost);
    expect(stored()).toEqual([]);

    await source.transaction(async (manager) => await manager.insert(People, { name: "next" }));
    await source.getRepository(People).insert({ name: "alone" });
    expect(stored()).toEqual(["next", "alone"]);
  });

  it("commit nothing of what was on its way already when SQLite rolled them back", async () => {
    const path = await temporaryPath();
    const source = await opened({ database: path });
    await source.query("CREATE TABLE t (a UNIQUE ON CONFLICT ROLLBACK)");
    await source.query("INSERT INTO t VALUES ('there')");
    const stored = (): unknown => openEngine(path).prepare("SELECT a FROM t ORDER BY rowid").pluck().all();
    const insert = (runner: { query(sql: string): Promise<unknown> }, a: string) =>
      runner.query(`INSERT INTO t VALUES ('${a}')`);
    for (const begin of ["BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT a"]) {
      // None is awaited before the last is made. The savepoint's RELEASE is a COMMIT.
      const made = [
        source.query(begin),
        insert(source, "before"),
        source.query("SAVEPOINT inner_one"),
        insert(source, "there"),
        insert(source, "after"),
        source.query("UPDATE t SET a = 'changed' RETURNING a"),
        source.query("ROLLBACK TO inner_one"),
        source.query("CREATE TABLE kept (a)"),
        source.query(begin.startsWith("BEGIN") ? "COMMIT" : "RELEASE a"),
      ];
      const results = await Promise.allSettled(made);
      const conflict = "SQLITE_CONSTRAINT_UNIQUE";
      const lost = "SQLITE_ABORT_ROLLBACK";
      const codes = [undefined, undefined, undefined, conflict, lost, lost, undefined, lost, lost];
      expect(
        results.map((result) => (result.status === "rejected" ? result.reason.code : undefined)),
        begin,
      ).toEqual(codes);
      // TypeORM sends it behind a COMMIT that failed.
      await source.query("ROLLBACK");
      expect(await failure(source.query("ROLLBACK"))).toMatchObject({ code: "SQLITE_ERROR" });
      expect(stored(), begin).toEqual(["there"]);
    }
    const all = source.transaction(async (manager) => {
      await Promise.all(["one", "there", "two", "three"].map((a) => insert(manager, a)));
    });
    expect(await failure(all)).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE" });
    const swallowed = source.transaction(async (manager) => {
      await Promise.allSettled(["one", "there", "two", "three"].map((a) => insert(manager, a)));
    });
    expect(await failure(swallowed)).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK" });
    expect(stored()).toEqual(["there"]);
    await source.transaction((manager) => insert(manager, "next"));
    expect(stored()).toEqual(["there", "next"]);
  });

  it("are rolled back by a COMMIT that fails, and nothing stays open behind it", async () => {
    const path = await temporaryPath();
    const source = await opened({ database: path });
    await source.query("CREATE TABLE toy (pet INTEGER REFERENCES pet DEFERRABLE INITIALLY DEFERRED) STRICT");
    const failed = source.transaction((manager) => manager.query("INSERT INTO toy VALUES (99)"));
    expect(await failure(failed)).toMatchObject({ code: "SQLITE_CONSTRAINT_FOREIGNKEY" });
    const made = [
      source.query("BEGIN"),
      source.query("INSERT INTO toy VALUES (99)"),
      source.query("COMMIT"),
      source.query("INSERT INTO toy VALUES (NULL)"),
      source.query("ROLLBACK"),
    ];
    // What is sent behind the COMMIT is no part of it, and there is nothing left to roll back.
    const outcomes = (await Promise.allSettled(made)).map(({ status }) => status);
    expect(outcomes).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled", "rejected"]);

    await source.query("BEGIN");
    await source.query("INSERT INTO toy VALUES (99)");
    const conflict = { code: "SQLITE_CONSTRAINT_FOREIGNKEY" };
    expect(await failure(source.query("COMMIT"))).toMatchObject(conflict);
    // Whoever has heard of it and not rolled back takes the transaction to be open.
    for (const sql of ["INSERT INTO toy VALUES (NULL)", "COMMIT", "SAVEPOINT a"])
      expect(await failure(source.query(sql)), sql).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK" });
    await source.query("ROLLBACK");
    await source.query("INSERT INTO toy VALUES (NULL)");
    expect(openEngine(path).prepare("SELECT pet FROM toy").pluck().all()).toEqual([null, null]);
  });

  it("that cannot begin take nothing of theirs into the database", async () => {
    const database = await temporaryPath();
    const one = await opened({ database, options: { timeout: 0 } });
    const other = await opened({ database });
    await other.query("BEGIN IMMEDIATE");
    const made = [one.query("BEGIN IMMEDIATE"), one.query("SELECT 1"), one.query("ROLLBACK")];
    const [begin, inside, end] = await Promise.allSettled(made);
    expect(begin).toMatchObject({ reason: { code: "SQLITE_BUSY" } });
    expect(inside).toMatchObject({ reason: { code: "SQLITE_ABORT_ROLLBACK" } });
    expect(end?.status).toBe("fulfilled");
    await other.query("COMMIT");
    await one.query("INSERT INTO person (name) VALUES ('Ada')");
    expect(await other.getRepository(People).count()).toBe(1);
  });

  it("have what is called on the connection itself in them, and keep it from nothing", async () => {
    const path = await temporaryPath();
    const source = await opened({ database: path });
    const { connection } = databaseOf(source);
    const undone = source.transaction(async (manager) => {
      await manager.insert(People, { name: "Ada" });
      await connection.run("INSERT INTO person (name) VALUES ('Alan')");
      expect(await connection.executeFetchall("SELECT name FROM person")).toEqual([
        { name: "Ada" },
        { name: "Alan" },
      ]);
      await connection.createFunction("twice", 1, (x) => Number(x) * 2);
      throw new Error("undone");
    });
    expect(await rejection(undone)).toMatchObject({ message: "undone" });
    expect(await source.query("SELECT twice(count(*)) AS n FROM person")).toEqual([{ n: 0 }]);
    const ended = source.transaction(async (manager) => {
      await manager.insert(People, { name: "Ada" });
      await connection.rollback();
      await manager.insert(People, { name: "alone" });
    });
    expect(await failure(ended)).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK" });
    expect(await source.getRepository(People).count()).toBe(0);
  });

  it("of a query runner are one for all callers of a data source, since TypeORM has one runner for each", async () => {
    const source = await opened();
    const [one, other] = [source.createQueryRunner(), source.createQueryRunner()];
    expect(one).toBe(other);
    await one.startTransaction();
    await one.manager.save(People, { name: "Ada" });
    expect(await source.getRepository(People).count()).toBe(1);
    await one.rollbackTransaction();
    expect(await source.getRepository(People).count()).toBe(0);
  });

  it("of two data sources see each other's commits only, and wait for each other's writes", async () => {
    const database = await temporaryPath();
    const options = { pragmas: { journal_mode: "wal" } };
    const one = await opened({ database, options });
    const other = await opened({ database, options });
    let waiting: Promise<unknown> | undefined;
    await one.transaction(async (manager) => {
      await manager.save(People, { name: "Ada" });
      expect(await other.getRepository(People).count()).toBe(0);
      waiting = other.getRepository(People).save({ name: "Alan" });
      await manager.save(People, { name: "Grace" });
    });
    await waiting;
    const names = (await one.getRepository(People).find({ order: { id: "ASC" } })).map(({ name }) => name);
    expect(names).toEqual(["Ada", "Grace", "Alan"]);
  });
});

describe("a transaction that has read before another connection commits", () => {
  it("is refused at once where it writes, can be rolled back, and begun again", async () => {
    const database = await temporaryPath();
    const options = { pragmas: { journal_mode: "wal" } };
    const one = await opened({ database, options });
    const other = await opened({ database, options });
    const save = () =>
      one.transaction(async (manager) => {
        const n = await manager.count(People);
        if (n === 0) await other.getRepository(People).save({ name: "Ada" });
        await manager.save(People, { name: "Alan" });
      });
    expect((await failure(save())).driverError).toMatchObject({ code: "SQLITE_BUSY_SNAPSHOT" });
    await save();
    expect(await other.getRepository(People).count()).toBe(2);
  });
});

describe("calls that are not awaited one by one", () => {
  it("run in the order in which they were made", async () => {
    const source = await opened();
    const made = Array.from({ length: 200 }, (_, i) => [
      source.query("INSERT INTO person (name) VALUES (?)", [`n${i}`]),
      source.query("SELECT count(*) AS n FROM person"),
    ]).flat();
    const results = await Promise.all(made);
    const counts = results.filter(Array.isArray).map(([{ n }]) => n as number);
    expect(counts).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
  });

  it("leave the event loop free", async () => {
    const source = await opened();
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    onTestFinished(() => clearInterval(timer));
    const sql =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT max(i) AS m FROM n";
    expect(await source.query(sql)).toEqual([{ m: 3_000_000 }]);
    expect(turns).toBeGreaterThan(3);
  });
});

describe("schemas", () => {
  it("are made and changed by synchronize(), which keeps rows and what refers to them", async () => {
    const database = await temporaryPath();
    const first = await opened({ database });
    const ada = await first.getRepository(People).save({ name: "Ada" });
    await first.getRepository(Pets).save({ name: "Rex", owner: ada });
    await first.destroy();
    const Changed = new EntitySchema<{ id: number; name: string; age: number }>({
      name: "person",
      columns: {
        id: { type: "integer", primary: true, generated: true },
        name: { type: "text" },
        age: { type: "integer", default: 7 },
      },
    });
    const second = await opened({ database, more: { entities: [Changed] } });
    expect(await second.getRepository(Changed).find()).toEqual([{ id: 1, name: "Ada", age: 7 }]);
    expect(await second.query("SELECT name, ownerId FROM pet")).toEqual([{ name: "Rex", ownerId: 1 }]);
    expect(await second.query("PRAGMA foreign_key_check")).toEqual([]);
    expect(await second.query("PRAGMA foreign_keys")).toEqual([{ foreign_keys: 1 }]);
  });

  it("are moved by migrations, up and down, a table that is rebuilt included", async () => {
    const source = await opened({
      more: { synchronize: false, migrations: [CreatePerson1700000000000, NameNotNull1700000000001] },
    });
    expect((await source.runMigrations()).map((one) => one.name)).toEqual([
      "CreatePerson1700000000000",
      "NameNotNull1700000000001",
    ]);
    expect(await source.showMigrations()).toBe(false);
    expect(await failure(source.query("INSERT INTO human (name) VALUES (NULL)"))).toMatchObject({
      code: "SQLITE_CONSTRAINT_NOTNULL",
    });
    expect(await source.query("SELECT * FROM human")).toEqual([{ id: 1, name: "Ada" }]);
    await source.undoLastMigration();
    expect(await source.query("INSERT INTO human (name) VALUES (NULL)")).toBe(2);
  });

  it("of a migration that fails stay as they were", async () => {
    const source = await opened({
      more: { synchronize: false, logger: quiet, migrations: [Fails1700000000002] },
    });
    expect(await failure(source.runMigrations())).toMatchObject({ code: "SQLITE_ERROR" });
    expect(await source.query("SELECT name FROM sqlite_master WHERE name = 'half'")).toEqual([]);
  });
});

class CreatePerson1700000000000 implements MigrationInterface {
  readonly name = "CreatePerson1700000000000";

  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: "human",
        columns: [
          {
            name: "id",
            type: "integer",
            isPrimary: true,
            isGenerated: true,
            generationStrategy: "increment",
          },
          { name: "name", type: "varchar", isNullable: true },
        ],
      }),
    );
    await runner.query("INSERT INTO human (name) VALUES ('Ada')");
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable("human");
  }
}

class NameNotNull1700000000001 implements MigrationInterface {
  readonly name = "NameNotNull1700000000001";

  async up(runner: QueryRunner): Promise<void> {
    await this.#change(runner, false);
  }

  async down(runner: QueryRunner): Promise<void> {
    await this.#change(runner, true);
  }

  async #change(runner: QueryRunner, isNullable: boolean): Promise<void> {
    await runner.changeColumn(
      "human",
      "name",
      new TableColumn({ name: "name", type: "varchar", isNullable }),
    );
  }
}

class Fails1700000000002 implements MigrationInterface {
  readonly name = "Fails1700000000002";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query("CREATE TABLE half (a)");
    await runner.query("CREATE TABLE");
  }

  async down(): Promise<void> {}
}

describe("the driver", () => {
  it("makes the folder of the database, and hands the connection to prepareDatabase first", async () => {
    const folder = await temporaryFolder();
    const database = join(folder, "a", "b", "app.db");
    const seen: unknown[] = [];
    const source = await opened({
      database,
      options: {
        prepareDatabase: async (db) => {
          seen.push(await db.executeFetchall("SELECT count(*) FROM sqlite_master"));
          await db.createFunction("twice", 1, (x) => Number(x) * 2);
        },
      },
    });
    expect(existsSync(database)).toBe(true);
    expect(seen).toEqual([[[0]]]);
    expect(await source.query("SELECT twice(21) AS n")).toEqual([{ n: 42 }]);
  });

  it("closes the connection where prepareDatabase fails", async () => {
    let held: TypeormDatabase["connection"] | undefined;
    const failing = opened({
      options: {
        prepareDatabase: (db) => {
          held = db;
          throw new Error("not prepared");
        },
      },
    });
    expect(await rejection(failing)).toMatchObject({ message: "not prepared" });
    expect(await rejection(held!.execute("SELECT 1"))).toBeInstanceOf(ConnectionClosedError);
  });

  it("keeps its options whatever becomes of the object that they were in", async () => {
    const options: { integers?: "bigint" | "number" } = { integers: "bigint" };
    const made: TypeormDriver = createDriver(options);
    options.integers = "number";
    const database = await made.openDatabaseAsync(":memory:");
    onTestFinished(() => database.closeAsync());
    const statement = await database.prepareAsync("SELECT 1 AS n");
    expect(await (await statement.executeAsync()).getAllAsync()).toEqual([{ n: 1n }]);
  });

  it("answers what it runs when it is closed, closes twice, and is initialized again", async () => {
    const database = await temporaryPath();
    const source = await opened({ database });
    await source.getRepository(People).save({ name: "Ada" });
    const opener = databaseOf(source);
    const statement = await opener.prepareAsync("SELECT count(*) AS n FROM person");
    const busy = statement.executeAsync();
    await source.destroy();
    expect(await (await busy).getAllAsync()).toEqual([{ n: 1 }]);
    await opener.closeAsync();
    expect(await rejection(statement.executeAsync())).toBeInstanceOf(ConnectionClosedError);
    await source.initialize();
    expect(await source.getRepository(People).count()).toBe(1);
  });

  it("rolls back what was not committed when it is closed", async () => {
    const database = await temporaryPath();
    const source = await opened({ database });
    await source.createQueryRunner().startTransaction();
    await source.getRepository(People).save({ name: "Ada" });
    await source.destroy();
    expect(openEngine(database).prepare("SELECT count(*) FROM person").pluck().all()).toEqual([0]);
  });

  it("tells of a thread that died, and initialize() opens another", async () => {
    const database = await temporaryPath();
    const deadly = new URL("../fixtures/deadly.mjs", import.meta.url);
    const source = await opened({
      database,
      options: { prepareDatabase: (db) => db.createFunction("die", 0, deadly, { export: "die" }) },
    });
    await source.getRepository(People).save({ name: "Ada" });
    const died = await failure(source.query("SELECT die()"));
    expect(died.driverError).toBeInstanceOf(WorkerCrashedError);
    expect((await failure(source.query("SELECT 1"))).driverError).toBeInstanceOf(Error);
    await source.destroy();
    await source.initialize();
    expect(await source.getRepository(People).count()).toBe(1);
  });

  it("has transactions that are refused by TypeORM for an isolation level SQLite has not", async () => {
    const source = await opened();
    expect(await rejection(source.transaction("REPEATABLE READ", async () => {}))).toBeInstanceOf(Error);
    await source.transaction("SERIALIZABLE", (manager) => manager.save(People, { name: "Ada" }));
    expect(await source.getRepository(People).count()).toBe(1);
  });
});
