import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import {
  type ArgScalarType,
  ColumnTypeEnum,
  type DriverAdapterError,
  isDriverAdapterError,
  type SqlDriverAdapter,
  type SqlQuery,
  type SqlResultSet,
  type Transaction,
} from "@prisma/driver-adapter-utils";
import { capabilities, createPool, type Pool, type PoolOptions } from "@sqlite-aio/core";
import { PrismaSqliteAio, type PrismaSqliteAioOptions } from "@sqlite-aio/core/prisma";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { openEngine, rejection, temporaryFolder, temporaryPath } from "../support/database.ts";
import { gate } from "../support/gate.ts";

const SCHEMA = `
  CREATE TABLE user (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE, big BIGINT, price DECIMAL, score REAL,
    photo BLOB, at DATETIME, data JSONB, active BOOLEAN
  );
  CREATE TABLE post (
    id INTEGER NOT NULL PRIMARY KEY, author INTEGER NOT NULL REFERENCES user (id) ON DELETE RESTRICT,
    editor INTEGER REFERENCES user (id) DEFERRABLE INITIALLY DEFERRED, title TEXT CHECK (length(title) < 10)
  );
`;

interface Opened {
  readonly adapter: SqlDriverAdapter;
  readonly pool: Pool;
  readonly path: string;
}

/** An adapter over a pool with users and posts; the pool is closed when the test is over. */
async function opened(
  pool: PoolOptions = {},
  options?: PrismaSqliteAioOptions,
  database?: string,
): Promise<Opened> {
  const path = database ?? (await temporaryPath());
  const given = await createPool(path, { readers: 2, ...pool });
  onTestFinished(() => given.close());
  const adapter = await new PrismaSqliteAio({ pool: given }, options).connect();
  await adapter.executeScript(SCHEMA);
  return { adapter, pool: given, path };
}

/** As {@link opened}, with one connection, for tests that do not need several. */
const inMemory = (pool?: PoolOptions, options?: PrismaSqliteAioOptions) => opened(pool, options, ":memory:");

type Argument = readonly [scalarType: ArgScalarType, value: unknown];

function query(sql: string, ...values: readonly Argument[]): SqlQuery {
  return {
    sql,
    args: values.map(([, value]) => value),
    argTypes: values.map(([scalarType]) => ({ scalarType, arity: "scalar" })),
  };
}

async function rows(on: SqlDriverAdapter | Transaction, sql: string, ...values: readonly Argument[]) {
  return (await on.queryRaw(query(sql, ...values))).rows;
}

/** The kind of error for which a call is rejected. */
async function kindOf(work: Promise<unknown>): Promise<unknown> {
  const error = await rejection(work);
  expect(error).toSatisfy(isDriverAdapterError);
  const { originalCode: _, originalMessage: __, ...kind } = (error as DriverAdapterError).cause;
  return kind;
}

const ADA = query("INSERT INTO user (id, email) VALUES (1, 'ada')");
const emails = (on: SqlDriverAdapter | Transaction) => rows(on, "SELECT email FROM user ORDER BY id");

/** Runs for longer than any test waits, unless it is stopped. */
const ENDLESS =
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 4000000000) SELECT max(i) FROM n";

describe("values", () => {
  it("go in as Prisma sends them and come back with the types that the columns are declared with", async () => {
    const { adapter } = await inMemory();
    const inserted = await adapter.queryRaw(
      query(
        `INSERT INTO user (email, big, price, score, photo, at, data, active) VALUES (?,?,?,?,?,?,?,?)
         RETURNING id, email, big, price, score, photo, at, data, active`,
        ["string", "ada"],
        ["bigint", "9007199254740993"],
        ["decimal", "12.50"],
        ["float", "0.25"],
        ["bytes", "AQID"],
        ["datetime", "2026-01-31T12:00:00.000Z"],
        ["json", '{"a":[1]}'],
        ["boolean", true],
      ),
    );
    expect(inserted).toEqual({
      columnNames: ["id", "email", "big", "price", "score", "photo", "at", "data", "active"],
      columnTypes: [
        ColumnTypeEnum.Int32,
        ColumnTypeEnum.Text,
        ColumnTypeEnum.Int64,
        ColumnTypeEnum.Numeric,
        ColumnTypeEnum.Double,
        ColumnTypeEnum.Bytes,
        ColumnTypeEnum.DateTime,
        ColumnTypeEnum.Json,
        ColumnTypeEnum.Boolean,
      ],
      rows: [
        [
          1,
          "ada",
          "9007199254740993",
          12.5,
          0.25,
          Buffer.from([1, 2, 3]),
          "2026-01-31T12:00:00.000+00:00",
          '{"a":[1]}',
          1,
        ],
      ],
    } satisfies SqlResultSet);
  });

  it("are stored as the types that SQLite has for them", async () => {
    const { adapter, path } = await opened();
    await adapter.executeRaw(
      query(
        "INSERT INTO user (id, email, big, score, photo, at, active) VALUES (?,?,?,?,?,?,?)",
        ["int", "7"],
        ["string", "ada"],
        ["bigint", 5],
        ["float", 3],
        ["bytes", new Uint8Array([9])],
        ["datetime", new Date(0)],
        ["boolean", false],
      ),
    );
    const [stored] = openEngine(path)
      .prepare("SELECT id, typeof(big), score, typeof(score), hex(photo), at, active FROM user")
      .raw()
      .all();
    expect(stored).toEqual([7, "integer", 3, "real", "09", "1970-01-01T00:00:00.000+00:00", 0]);
  });

  it("keep a DateTime as milliseconds where that is asked for, and read either form", async () => {
    const { adapter } = await inMemory({}, { timestampFormat: "unixepoch-ms" });
    await adapter.executeRaw(
      query("INSERT INTO user (email, at) VALUES ('a', ?)", ["datetime", "1970-01-01T00:00:01.500Z"]),
    );
    expect(await rows(adapter, "SELECT at, typeof(at) FROM user")).toEqual([
      ["1970-01-01T00:00:01.500Z", "integer"],
    ]);
  });

  it("of an expression have the type of the first that is not null", async () => {
    const { adapter } = await inMemory();
    const result = await adapter.queryRaw(
      query("SELECT NULL, 1.0, 2, 't', x'00' UNION ALL SELECT 1, NULL, NULL, NULL, NULL ORDER BY 1"),
    );
    expect(result.columnTypes).toEqual([
      ColumnTypeEnum.Int64,
      ColumnTypeEnum.UnknownNumber,
      ColumnTypeEnum.Int64,
      ColumnTypeEnum.Text,
      ColumnTypeEnum.Bytes,
    ]);
    expect(result.rows[0]).toEqual([null, 1, 2, "t", Buffer.from([0])]);
    const none = await adapter.queryRaw(query("SELECT 1 AS one WHERE 0"));
    expect(none).toEqual({ columnNames: ["one"], columnTypes: [ColumnTypeEnum.Int32], rows: [] });
  });

  it("of a column of integers are never a wrong number", async () => {
    const { adapter } = await inMemory();
    await adapter.executeScript(
      "CREATE TABLE t (a INT(11), b INTEGER); INSERT INTO t VALUES (1, 1), (2.5, 9007199254740993)",
    );
    const result = await adapter.queryRaw(query("SELECT a, b FROM t"));
    expect(result.columnTypes).toEqual([ColumnTypeEnum.Int32, ColumnTypeEnum.Int64]);
    expect(result.rows).toEqual([
      [1, 1],
      [2, "9007199254740993"],
    ]);
  });

  it("are told apart in one read, whatever the pool was told of integers", async () => {
    const { adapter } = await inMemory({ integers: "number" });
    expect(await rows(adapter, "SELECT 9007199254740993")).toEqual([["9007199254740993"]]);
  });

  it("that are whole decimals divide as decimals", async () => {
    const { adapter } = await inMemory();
    await adapter.executeRaw(
      query("INSERT INTO user (id, email, price) VALUES (1, 'a', ?)", ["decimal", "5"]),
    );
    const [half] = await rows(
      adapter,
      "UPDATE user SET price = (price / ?) WHERE email = ? RETURNING price",
      ["decimal", "2"],
      ["string", "a"],
    );
    expect(half).toEqual([2.5]);
    // An integer stays one.
    expect(await rows(adapter, "SELECT 5 / ?", ["int", "2"])).toEqual([[2]]);
  });

  it("that are whole decimals are found behind names, numbers, comments and strings", async () => {
    const { adapter } = await inMemory();
    const [row] = await rows(
      adapter,
      `SELECT 7 / ?2, '?' || ?1, /* ? */ 7 / :n, 7 / :n, 7 / ?4 -- ?`,
      ["string", "s"],
      ["decimal", 2],
      ["decimal", 4],
      ["int", 2],
    );
    expect(row).toEqual([3.5, "?s", 1.75, 1.75, 3]);
  });

  it("that no column takes are refused as Prisma's P2020, P2007 and P2000", async () => {
    const { adapter } = await inMemory();
    expect(await kindOf(rows(adapter, "SELECT ?", ["bigint", (2n ** 63n).toString()]))).toMatchObject({
      kind: "ValueOutOfRange",
    });
    expect(await kindOf(rows(adapter, "SELECT ?", ["string", "\ud800"]))).toMatchObject({
      kind: "InvalidInputValue",
    });
    expect(await kindOf(rows(adapter, "SELECT zeroblob(2000000000)"))).toEqual({ kind: "LengthMismatch" });
    await adapter.executeScript("CREATE TABLE strict (n INTEGER) STRICT");
    expect(await kindOf(rows(adapter, "INSERT INTO strict VALUES ('x') RETURNING n"))).toMatchObject({
      kind: "InvalidInputValue",
    });
  });
});

describe("queries", () => {
  it("count what they changed", async () => {
    const { adapter } = await inMemory();
    expect(await adapter.executeRaw(ADA)).toBe(1);
    expect(await adapter.executeRaw(query("INSERT INTO user (email) VALUES ('b'), ('c')"))).toBe(2);
    expect(await adapter.executeRaw(query("UPDATE user SET active = ?", ["boolean", true]))).toBe(3);
    expect(await adapter.executeRaw(query("CREATE TABLE other (x)"))).toBe(0);
    expect(await adapter.queryRaw(query("DELETE FROM user"))).toEqual({
      columnNames: [],
      columnTypes: [],
      rows: [],
    });
  });

  it("that read run side by side", async () => {
    const { adapter, pool } = await opened();
    const order: string[] = [];
    const stop = new AbortController();
    const long = pool.all(ENDLESS, [], { signal: stop.signal }).catch(() => order.push("long"));
    await rows(adapter, "SELECT 1");
    order.push("quick");
    stop.abort();
    await long;
    expect(order).toEqual(["quick", "long"]);
  });

  it("read beside a transaction, and what was committed before it", async () => {
    const { adapter } = await opened();
    await adapter.executeRaw(ADA);
    const tx = await adapter.startTransaction();
    await tx.executeRaw(query("INSERT INTO user (email) VALUES ('b')"));
    expect(await emails(adapter)).toEqual([["ada"]]);
    expect(await emails(tx)).toEqual([["ada"], ["b"]]);
    await tx.commit();
    expect(await emails(adapter)).toEqual([["ada"], ["b"]]);
  });

  it("tell how many values one may bind, by the engine's own limit", async () => {
    const { adapter } = await inMemory();
    const { maxBindValues, supportsRelationJoins } = adapter.getConnectionInfo!();
    expect(supportsRelationJoins).toBe(false);
    const values = Array.from({ length: maxBindValues! }, (_, i): Argument => ["int", i]);
    const marks = values.map(() => "?").join();
    expect(await rows(adapter, `SELECT count(*) FROM user WHERE id IN (${marks})`, ...values)).toEqual([[0]]);
    const refused = rejection(
      rows(adapter, `SELECT count(*) FROM user WHERE id IN (${marks},?)`, ...values, ["int", 0]),
    );
    expect(String(await refused)).toMatch(/too many SQL variables/);
  });

  it("that would begin, end or set something for others are refused", async () => {
    const { adapter } = await opened();
    for (const sql of [
      "BEGIN",
      "PRAGMA synchronous = OFF",
      "ATTACH ':memory:' AS a",
      "CREATE TEMP TABLE t (x)",
    ])
      expect(await kindOf(adapter.executeRaw(query(sql))), sql).toMatchObject({
        kind: "sqlite",
        extendedCode: 21,
      });
    // In a transaction the statements after it have it.
    const tx = await adapter.startTransaction();
    for (const sql of ["PRAGMA cache_size = 5", "CREATE TEMP TABLE t (x)"]) await tx.executeRaw(query(sql));
    await tx.executeRaw(query("INSERT INTO temp.t VALUES (1)"));
    await tx.commit();
  });
});

describe("transactions", () => {
  it("commit, and roll back", async () => {
    const { adapter } = await inMemory();
    const first = await adapter.startTransaction("SERIALIZABLE");
    expect(first.options).toEqual({ usePhantomQuery: true });
    await first.executeRaw(ADA);
    await first.commit();
    const second = await adapter.startTransaction();
    await second.executeRaw(query("DELETE FROM user"));
    await second.rollback();
    expect(await emails(adapter)).toEqual([["ada"]]);
  });

  it("are serializable, and refuse to be anything else", async () => {
    const { adapter } = await inMemory();
    for (const level of ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SNAPSHOT"] as const)
      expect(await kindOf(adapter.startTransaction(level))).toEqual({ kind: "InvalidIsolationLevel", level });
    await (await adapter.startTransaction("SERIALIZABLE")).commit();
  });

  it("wait for each other, in the order in which they were begun", async () => {
    const { adapter } = await opened();
    const first = await adapter.startTransaction();
    const order: string[] = [];
    const others = ["second", "third"].map(async (name) => {
      const tx = await adapter.startTransaction();
      order.push(name);
      await tx.commit();
    });
    await emails(adapter);
    expect(order).toEqual([]);
    await first.commit();
    await Promise.all(others);
    expect(order).toEqual(["second", "third"]);
  });

  it("have savepoints of any name", async () => {
    const { adapter } = await inMemory();
    const tx = await adapter.startTransaction();
    await tx.executeRaw(ADA);
    await tx.createSavepoint!("prisma_sp_0");
    await tx.executeRaw(query("DELETE FROM user"));
    await tx.createSavepoint!('with "quotes"');
    await tx.executeRaw(query("INSERT INTO user (email) VALUES ('b')"));
    await tx.releaseSavepoint!('with "quotes"');
    expect(await emails(tx)).toEqual([["b"]]);
    await tx.rollbackToSavepoint!("prisma_sp_0");
    await tx.releaseSavepoint!("prisma_sp_0");
    await tx.commit();
    expect(await emails(adapter)).toEqual([["ada"]]);
  });

  it("run nothing more once they are over", async () => {
    const { adapter } = await inMemory();
    const committed = await adapter.startTransaction();
    await committed.commit();
    const undone = await adapter.startTransaction();
    await undone.rollback();
    for (const tx of [committed, undone]) {
      expect(await rejection(tx.executeRaw(ADA))).toMatchObject({ code: "P2028" });
      expect(await rejection(emails(tx))).toMatchObject({ code: "P2028" });
    }
    expect(await emails(adapter)).toEqual([]);
  });

  it("are ended by Prisma alone, not by a statement", async () => {
    const { adapter } = await inMemory();
    const tx = await adapter.startTransaction();
    await tx.executeRaw(ADA);
    expect(await kindOf(tx.executeRaw(query("COMMIT")))).toMatchObject({ kind: "sqlite" });
    await tx.rollback();
    expect(await emails(adapter)).toEqual([]);
  });

  it("that SQLite has undone commit nothing of what comes after", async () => {
    const { adapter } = await inMemory();
    await adapter.executeRaw(ADA);
    const tx = await adapter.startTransaction();
    await tx.executeRaw(query("INSERT INTO user (email) VALUES ('b')"));
    const failed = tx.executeRaw(query("INSERT OR ROLLBACK INTO user (id, email) VALUES (1, 'c')"));
    expect(await kindOf(failed)).toMatchObject({ kind: "UniqueConstraintViolation" });
    const after = tx.executeRaw(query("INSERT INTO user (email) VALUES ('d')"));
    expect(await rejection(after)).toMatchObject({ code: "P2028" });
    expect(await rejection(tx.commit())).toMatchObject({ code: "P2028" });
    expect(await emails(adapter)).toEqual([["ada"]]);
  });

  it("whose deferred foreign key does not hold fail as they commit, and leave nothing", async () => {
    const { adapter } = await inMemory();
    await adapter.executeRaw(ADA);
    const tx = await adapter.startTransaction();
    await tx.executeRaw(query("INSERT INTO post (id, author, editor) VALUES (1, 1, 99)"));
    expect(await kindOf(tx.commit())).toMatchObject({ kind: "ForeignKeyConstraintViolation" });
    expect(await rows(adapter, "SELECT count(*) FROM post")).toEqual([[0]]);
    await (await adapter.startTransaction()).commit();
  });

  it.runIf(capabilities.interrupt)(
    "that are rolled back do not wait for the statement that runs",
    async () => {
      const { adapter } = await opened();
      const tx = await adapter.startTransaction();
      await tx.executeRaw(ADA);
      const running = rejection(rows(tx, ENDLESS));
      await tx.rollback();
      expect(await running).toMatchObject({ code: "P2028" });
      const next = await adapter.startTransaction();
      expect(await emails(next)).toEqual([]);
      await next.rollback();
    },
  );

  it("whose thread dies are told so, and the next one is served", async () => {
    const { adapter, pool } = await opened();
    await pool.createFunction("die", 0, new URL("../fixtures/deadly.mjs", import.meta.url), {
      export: "die",
    });
    const tx = await adapter.startTransaction();
    await tx.executeRaw(ADA);
    expect(await kindOf(rows(tx, "SELECT die()"))).toEqual({ kind: "ConnectionClosed" });
    await tx.rollback();
    const next = await adapter.startTransaction();
    expect(await emails(next)).toEqual([]);
    await next.commit();
  });

  it("of another process that has the lock are waited for as long as the pool was told", async () => {
    const { adapter, path } = await opened({ timeout: 30 });
    const other = openEngine(path).exec("BEGIN IMMEDIATE");
    expect(await kindOf(adapter.startTransaction())).toEqual({ kind: "SocketTimeout" });
    expect(await kindOf(adapter.executeRaw(ADA))).toEqual({ kind: "SocketTimeout" });
    other.exec("COMMIT");
    await (await adapter.startTransaction()).commit();
  });
});

describe("errors", () => {
  let adapter: SqlDriverAdapter;
  let pool: Pool;
  beforeEach(async () => {
    pool = await createPool(":memory:");
    adapter = await new PrismaSqliteAio({ pool }).connect();
    await adapter.executeScript(SCHEMA);
    await adapter.executeRaw(ADA);
  });
  afterEach(() => pool.close());

  const failing = (sql: string, ...values: readonly Argument[]) => kindOf(rows(adapter, sql, ...values));

  it("name the fields and the table of a unique constraint", async () => {
    expect(await failing("INSERT INTO user (email) VALUES ('ada')")).toEqual({
      kind: "UniqueConstraintViolation",
      constraint: { fields: ["email"] },
      table: "user",
    });
    expect(await failing("INSERT INTO user (id, email) VALUES (1, 'b')")).toMatchObject({
      constraint: { fields: ["id"] },
    });
    await adapter.executeScript("CREATE TABLE two (a, b, UNIQUE (a, b)); INSERT INTO two VALUES (1, 1)");
    expect(await failing("INSERT INTO two VALUES (1, 1)")).toMatchObject({
      constraint: { fields: ["a", "b"] },
      table: "two",
    });
  });

  it("name the index where it is over an expression", async () => {
    await adapter.executeScript("CREATE UNIQUE INDEX lower_email ON user (lower(email))");
    expect(await failing("INSERT INTO user (email) VALUES ('ADA')")).toEqual({
      kind: "UniqueConstraintViolation",
      constraint: { index: "lower_email" },
    });
  });

  it("tell a null from a missing row", async () => {
    expect(await failing("INSERT INTO user (email) VALUES (NULL)")).toEqual({
      kind: "NullConstraintViolation",
      constraint: { fields: ["email"] },
    });
    const foreignKey = { kind: "ForeignKeyConstraintViolation", constraint: { foreignKey: {} } };
    expect(await failing("INSERT INTO post (id, author) VALUES (1, 99)")).toEqual(foreignKey);
    await adapter.executeRaw(query("INSERT INTO post (id, author) VALUES (1, 1)"));
    expect(await failing("DELETE FROM user")).toEqual(foreignKey);
  });

  it("keep what a check and a trigger say", async () => {
    expect(await failing("INSERT INTO post (id, author, title) VALUES (1, 1, 'much too long')")).toEqual({
      kind: "sqlite",
      extendedCode: 275,
      message: "CHECK constraint failed: length(title) < 10",
    });
    await adapter.executeScript(
      "CREATE TRIGGER no_more BEFORE INSERT ON post BEGIN SELECT RAISE(ABORT, 'no more posts'); END",
    );
    expect(await failing("INSERT INTO post (id, author) VALUES (1, 1)")).toEqual({
      kind: "sqlite",
      extendedCode: 1811,
      message: "no more posts",
    });
  });

  it("name tables and columns that there are not", async () => {
    expect(await failing("SELECT * FROM missing")).toEqual({ kind: "TableDoesNotExist", table: "missing" });
    expect(await failing("SELECT missing FROM user")).toEqual({ kind: "ColumnNotFound", column: "missing" });
    expect(await failing('SELECT "missing" FROM user')).toEqual({
      kind: "ColumnNotFound",
      column: "missing",
    });
    expect(await failing("INSERT INTO user (missing) VALUES (1)")).toEqual({
      kind: "ColumnNotFound",
      column: "missing",
    });
  });

  it("of SQL are told with SQLite's code and message", async () => {
    const error = (await rejection(rows(adapter, "SELECT FROM"))) as DriverAdapterError;
    expect(error.cause).toMatchObject({
      kind: "sqlite",
      extendedCode: 1,
      originalCode: "SQLITE_ERROR",
      originalMessage: expect.stringMatching(/syntax error/),
    });
  });

  it("of the number of values are told", async () => {
    expect(await failing("SELECT ?")).toMatchObject({
      kind: "sqlite",
      extendedCode: 21,
      message: expect.stringMatching(/number of bindings/),
    });
  });

  it("of a closed pool say so", async () => {
    await pool.close();
    expect(await failing("SELECT 1")).toEqual({ kind: "ConnectionClosed" });
    expect(await kindOf(adapter.startTransaction())).toEqual({ kind: "ConnectionClosed" });
  });
});

describe("waits for a connection", () => {
  it("that are too long are P2024, with what has the connection", async () => {
    const { adapter } = await inMemory({ acquireTimeout: 20 });
    const tx = await adapter.startTransaction();
    const error = await rejection(adapter.executeRaw(ADA));
    expect(error).toMatchObject({
      name: "PrismaSqliteAioError",
      code: "P2024",
      message: expect.stringMatching(/no writer became free within 20 ms/),
    });
    expect(await rejection(adapter.startTransaction())).toMatchObject({ code: "P2024" });
    await tx.rollback();
  });

  it("that are too many are refused as too many connections", async () => {
    const { adapter } = await inMemory({ maxWaiting: 1 });
    const tx = await adapter.startTransaction();
    const waiting = adapter.executeRaw(ADA);
    expect(await kindOf(adapter.startTransaction())).toMatchObject({ kind: "TooManyConnections" });
    await tx.commit();
    expect(await waiting).toBe(1);
  });
});

describe("scripts and migrations", () => {
  it("run a script, and undo what it leaves open where it fails", async () => {
    const { adapter } = await inMemory();
    await adapter.executeScript(
      "-- two\nINSERT INTO user (email) VALUES ('a;'); INSERT INTO user (email) VALUES ('b');",
    );
    const failed = adapter.executeScript(
      "BEGIN; INSERT INTO user (email) VALUES ('c'); INSERT INTO user (email) VALUES ('a;'); COMMIT",
    );
    expect(await kindOf(failed)).toMatchObject({ kind: "UniqueConstraintViolation" });
    expect(await emails(adapter)).toEqual([["a;"], ["b"]]);
  });

  it("rebuild a table with foreign keys off, statement by statement, and lose no row that refers to it", async () => {
    const { adapter, pool } = await opened();
    await adapter.executeScript("CREATE TABLE tag (user INTEGER REFERENCES user (id) ON DELETE CASCADE)");
    await adapter.executeScript("INSERT INTO user (id, email) VALUES (1, 'ada'); INSERT INTO tag VALUES (1)");
    for (const sql of [
      "PRAGMA defer_foreign_keys=ON",
      "PRAGMA foreign_keys=OFF",
      "CREATE TABLE new_user (id INTEGER PRIMARY KEY, email TEXT)",
      "INSERT INTO new_user SELECT id, email FROM user",
      "DROP TABLE user",
      "ALTER TABLE new_user RENAME TO user",
    ])
      await adapter.executeRaw(query(sql));
    expect(await rows(adapter, "PRAGMA foreign_keys")).toEqual([[0]]);
    const tx = await adapter.startTransaction();
    expect(await emails(tx)).toEqual([["ada"]]);
    await tx.commit();
    expect(pool.stats().busy).toBe(1);
    await adapter.executeRaw(query("PRAGMA foreign_keys=ON"));
    await adapter.executeRaw(query("PRAGMA defer_foreign_keys=OFF"));
    expect(await rows(adapter, "SELECT * FROM tag")).toEqual([[1]]);
    expect(await kindOf(adapter.executeRaw(query("INSERT INTO tag VALUES (99)")))).toMatchObject({
      kind: "ForeignKeyConstraintViolation",
    });
  });

  it("undo a script that fails while a migration has the connection", async () => {
    const { adapter } = await inMemory();
    await adapter.executeRaw(query("PRAGMA foreign_keys=OFF"));
    expect(
      await kindOf(adapter.executeScript("BEGIN; INSERT INTO user (email) VALUES ('a'); SELECT missing")),
    ).toEqual({ kind: "ColumnNotFound", column: "missing" });
    await adapter.executeRaw(query("PRAGMA foreign_keys=ON"));
    expect(await emails(adapter)).toEqual([]);
  });

  it("keep another migration out until the adapter is disposed of", async () => {
    const path = await temporaryPath();
    const factory = new PrismaSqliteAio({ url: path });
    const [first, second] = await Promise.all([factory.connect(), factory.connect()]);
    onTestFinished(() => second.dispose());
    const lock = query("PRAGMA main.locking_mode=EXCLUSIVE");
    await first.executeRaw(lock);
    await first.executeRaw(query("CREATE TABLE t (x)"));
    const order: string[] = [];
    const waiting = second.executeRaw(lock).then(() => order.push("second"));
    expect(
      await rows(second, "SELECT 1").then(
        () => order.length,
        () => -1,
      ),
    ).toBe(0);
    order.push("first");
    await first.dispose();
    await waiting;
    expect(order).toEqual(["first", "second"]);
  });

  it("are tried in a database of their own", async () => {
    const path = await temporaryPath();
    const factory = new PrismaSqliteAio({ url: path });
    const shadow = await factory.connectToShadowDb();
    await shadow.executeScript(SCHEMA);
    expect(await rows(shadow, "SELECT count(*) FROM user")).toEqual([[0]]);
    await shadow.dispose();
    expect(existsSync(path)).toBe(false);

    const { pool } = await opened();
    const other = await temporaryPath("shadow.db");
    const named = await new PrismaSqliteAio(
      { pool },
      { shadowDatabaseUrl: `file:${other}` },
    ).connectToShadowDb();
    await named.executeScript("CREATE TABLE only_there (x)");
    await named.dispose();
    expect(openEngine(other).prepare("SELECT name FROM sqlite_schema").pluck().all()).toEqual(["only_there"]);
    expect(await pool.all("SELECT name FROM sqlite_schema WHERE name = 'only_there'")).toEqual([]);
  });
});

describe("the database", () => {
  it("is found by a path, by file: and a path, and by a URL", async () => {
    const folder = await temporaryFolder();
    const path = join(folder, "a b.db");
    const forms = [path, `file:${path}`, `file:${relative(process.cwd(), path)}`, pathToFileURL(path).href];
    for (const url of [...forms, pathToFileURL(path)]) {
      const adapter = await new PrismaSqliteAio({ url }).connect();
      await adapter.executeScript("CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (1)");
      await adapter.dispose();
    }
    expect(openEngine(path).prepare("SELECT count(*) FROM t").pluck().get()).toBe(5);
  });

  it("is opened with the options of a pool", async () => {
    const url = await temporaryPath();
    const adapter = await new PrismaSqliteAio({ url, pragmas: { cache_size: 321 } }).connect();
    onTestFinished(() => adapter.dispose());
    expect(await rows(adapter, "PRAGMA cache_size")).toEqual([[321]]);
  });

  it("is closed with the adapter, once, and opened again by the next", async () => {
    const factory = new PrismaSqliteAio({ url: await temporaryPath() });
    const first = await factory.connect();
    await first.executeScript("CREATE TABLE t (x)");
    await Promise.all([first.dispose(), first.dispose()]);
    expect(await kindOf(rows(first, "SELECT * FROM t"))).toEqual({ kind: "ConnectionClosed" });
    const second = await factory.connect();
    expect(await rows(second, "SELECT * FROM t")).toEqual([]);
    await second.dispose();
  });

  it("stays open with the pool that was given", async () => {
    const { adapter, pool } = await opened();
    await adapter.dispose();
    expect(await pool.get("SELECT count(*) AS n FROM user")).toEqual({ n: 0 });
  });

  it("is left with what Prisma has not ended rolled back, and what was just beginning", async () => {
    const { adapter, pool } = await opened();
    const open = await adapter.startTransaction();
    await open.executeRaw(ADA);
    const beginning = adapter.startTransaction();
    await adapter.dispose();
    expect(await rejection(open.executeRaw(ADA))).toMatchObject({ code: "P2028" });
    expect(await rejection((await beginning).executeRaw(ADA))).toMatchObject({ code: "P2028" });
    expect(await pool.run("INSERT INTO user (email) VALUES ('free')")).toMatchObject({ changes: 1 });
    expect(await emails(adapter)).toEqual([["free"]]);
  });

  it("that cannot be opened is told when it is connected to", async () => {
    const factory = new PrismaSqliteAio({ url: join(await temporaryFolder(), "missing", "test.db") });
    expect(await kindOf(factory.connect())).toMatchObject({ kind: "sqlite", extendedCode: 14 });
  });

  it("is closed while calls wait, and each of them has its answer", async () => {
    const { adapter, pool } = await opened();
    const begun = gate();
    const held = pool.transaction(async () => begun.opened);
    const write = adapter.executeRaw(ADA);
    const read = emails(adapter);
    begun.open();
    await Promise.all([held, pool.close()]);
    expect(await write).toBe(1);
    expect((await read).length).toBeLessThan(2);
  });

  it.each([
    ["nothing", undefined, /must be \{ url \} or \{ pool \}/],
    ["no url", {}, /"url" must be a path/],
    ["an empty url", { url: "" }, /"url" must be a path/],
    ["parameters in the url", { url: "file:a.db?mode=memory" }, /parameters in "url"/],
    ["no pool", { pool: {} }, /"pool" must be a pool/],
    ["a pool and more", { pool: null, url: "a.db" }, /unknown option "url"/],
  ])("cannot be %s", (_, source, message) => {
    expect(() => new PrismaSqliteAio(source as never)).toThrow(message);
    expect(() => new PrismaSqliteAio(source as never)).toThrow(TypeError);
  });

  it("takes no options that are not there", async () => {
    const url = await temporaryPath();
    expect(() => new PrismaSqliteAio({ url }, { timestampFormat: "iso" as never })).toThrow(
      /timestampFormat/,
    );
    expect(() => new PrismaSqliteAio({ url }, { format: "x" } as never)).toThrow(/unknown option "format"/);
    expect(() => new PrismaSqliteAio({ url, reader: 2 } as never)).toThrow('unknown option "reader"');
    expect(() => new PrismaSqliteAio({ url, timeout: -1 })).toThrow(RangeError);
  });
});
