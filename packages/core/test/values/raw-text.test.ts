import {
  capabilities,
  type Connection,
  createPool,
  PARSE_COLNAMES,
  registerConverter,
  Row,
} from "@sqlite-aio/core";
import { onQuery } from "@sqlite-aio/core/diagnostics";
import { describe, expect, it, onTestFinished } from "vitest";
import { open, temporaryPath } from "../support/database.ts";

const hex = (text: string): Buffer => Buffer.from(text, "hex");
/** Bytes of which none is UTF-8. */
const BAD = "ff41c3e282eda080c0af";
const TEXT = `CAST(x'${BAD}' AS TEXT)`;
/** What the Encoding Standard makes of them. */
const REPLACED = hex(BAD).toString("utf8");

/** As many rows as a packet or a block has, and more. */
const many = (columns: string): string =>
  `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999) SELECT ${columns} FROM n`;

describe.runIf(capabilities.functions)("text that is not UTF-8, with the companion", () => {
  it("comes as its bytes with textFactory Buffer, however it is read", async () => {
    const db = await open();
    db.textFactory = Buffer;
    const sql = `SELECT ${TEXT}, 'é€', x'ff', 1, NULL, ''`;
    const row = [hex(BAD), Buffer.from("é€"), hex("ff"), 1, null, Buffer.alloc(0)];
    for (let run = 0; run < 3; run++) {
      expect(await db.executeFetchall(sql)).toEqual([row]);
      expect(await db.get(sql)).toEqual(row);
      expect(await (await db.execute(sql)).fetchall()).toEqual([row]);
    }
    // A function keeps the statements from being run together, and a trace from being run by the companion.
    await db.createFunction("one", 0, () => 1);
    expect(await db.get(`SELECT one(), ${TEXT}`)).toEqual([1, hex(BAD)]);
    expect(await db.executeFetchall(`SELECT one(), ${TEXT}`)).toEqual([[1, hex(BAD)]]);
    await db.setTraceCallback(() => {});
    expect(await db.executeFetchall(sql)).toEqual([row]);
    onTestFinished(onQuery(() => {}));
    expect(await db.get(sql)).toEqual(row);
  });

  it("comes as its bytes from what a write returns, whose rowid, counts and columns are as ever", async () => {
    const db = await open();
    await db.executescript("CREATE TABLE t (id INTEGER PRIMARY KEY, x)");
    db.textFactory = Buffer;
    const insert = `INSERT INTO t (x) VALUES (${TEXT}), ('é') RETURNING x AS y, id`;
    const cursor = await db.execute(insert);
    expect(cursor.description?.map(([name]) => name)).toEqual(["y", "id"]);
    expect(await cursor.fetchall()).toEqual([
      [hex(BAD), 1],
      [Buffer.from("é"), 2],
    ]);
    expect([cursor.rowcount, cursor.lastrowid]).toEqual([2, 2]);
    expect(await db.get(insert)).toEqual([hex(BAD), 3]);
    await db.execute("DELETE FROM t");
    await db.execute(`INSERT INTO t (x) ${many(TEXT)}`);
    const rows = await db.executeFetchall("UPDATE t SET x = x || 'é' RETURNING x");
    expect(rows.length).toBe(5000);
    expect(rows[4999]).toEqual([Buffer.concat([hex(BAD), Buffer.from("é")])]);
    expect(db.totalChanges).toBe(4 + 4 + 5000 + 5000);
  });

  it("comes as its bytes in large results: few texts that repeat, many, and mixed kinds", async () => {
    const db = await open();
    db.textFactory = Buffer;
    for (const columns of [
      `${TEXT} || (i % 5), i`,
      `${TEXT} || i, i`,
      `CASE WHEN i < 900 THEN ${TEXT} || (i % 5) ELSE ${TEXT} || i END, i`,
      `CASE i % 3 WHEN 0 THEN ${TEXT} || i WHEN 1 THEN x'ff' ELSE i END, i`,
    ]) {
      const asBlobs = columns.replace(/^.*(?=, i$)/, (text) => `CAST((${text}) AS BLOB), typeof(${text})`);
      const blobs = await db.executeFetchall(many(asBlobs));
      expect(await db.executeFetchall(many(columns))).toEqual(
        blobs.map(([blob, kind, i]) => [String(kind) === "integer" ? i : blob, i]),
      );
    }
  });

  it("is given to a function that makes text, and to a converter", async () => {
    const db = await open(":memory:", { detectTypes: PARSE_COLNAMES });
    registerConverter("hex", (bytes) => bytes.toString("hex"));
    const sql = `SELECT ${TEXT} AS "x [hex]", 'é€' AS b, ${TEXT} AS c`;
    expect(await db.executeFetchall(sql)).toEqual([[BAD, "é€", REPLACED]]);
    db.textFactory = (bytes) => bytes.toString("latin1");
    db.rowFactory = Row;
    const b = Buffer.from("é€").toString("latin1");
    expect(await db.get(sql)).toEqual({ x: BAD, b, c: hex(BAD).toString("latin1") });
  });

  it("is given to a pool's converters, and execute() gives what it always gives", async () => {
    registerConverter("hex", (bytes) => bytes.toString("hex"));
    await using pool = await createPool(await temporaryPath(), { detectTypes: PARSE_COLNAMES });
    const sql = `SELECT ${TEXT} AS "x [hex]", 'é€' AS b`;
    const row = { x: BAD, b: "é€" };
    expect(await pool.get(sql)).toEqual(row);
    expect(await Promise.all([pool.all(sql), pool.all(sql)])).toEqual([[row], [row]]);
    for await (const each of pool.iterate(sql)) expect(each).toEqual(row);
    expect(await pool.transaction((tx) => tx.get(sql))).toEqual(row);
    expect((await pool.execute(sql)).rows).toEqual([[REPLACED, "é€"]]);
    expect(await pool.pragma("encoding", { simple: true })).toBe("UTF-8");
  });

  it("is made by the factory that is set when the row is read, as in CPython", async () => {
    const db = await open();
    db.textFactory = Buffer;
    const cursor = await db.execute(`SELECT 'é€' UNION ALL SELECT 'b' UNION ALL SELECT ${TEXT}`);
    expect(await cursor.fetchone()).toEqual([Buffer.from("é€")]);
    db.textFactory = String;
    expect(await cursor.fetchone()).toEqual(["b"]);
    expect(await cursor.fetchone()).toEqual([REPLACED]);
    db.rowFactory = Row;
    db.textFactory = Buffer;
    const rows = await db.execute(many("'é' || i AS a"));
    db.textFactory = String;
    expect((await rows.fetchall()).at(-1)).toEqual({ a: "é4999" });
    const strings = await db.execute(many("'é' || i AS a"));
    db.textFactory = Buffer;
    expect((await strings.fetchall()).at(-1)).toEqual({ a: Buffer.from("é4999") });
  });
});

/** The engine's functions read the rows: without the companion, and with an authorizer. */
async function byTheEngine(): Promise<Connection> {
  const db = await open();
  if (capabilities.authorizer) await db.setAuthorizer(() => 0);
  return db;
}

describe("text that the engine reads", () => {
  it("has replacement characters where it is not UTF-8, and is whole where it is", async () => {
    const db = await byTheEngine();
    db.textFactory = Buffer;
    const row = [Buffer.from(REPLACED), Buffer.from("é€"), hex("ff"), 1, null];
    const sql = `SELECT ${TEXT}, 'é€', x'ff', 1, NULL`;
    expect(await db.executeFetchall(sql)).toEqual([row]);
    expect(await db.get(sql)).toEqual(row);
    await db.execute("CREATE TABLE t (x)");
    expect(await db.executeFetchall(`INSERT INTO t VALUES ('é€') RETURNING x`)).toEqual([
      [Buffer.from("é€")],
    ]);
    const rows = await db.executeFetchall(many("'é' || i, 'x' || i"));
    expect(rows[4999]).toEqual([Buffer.from("é4999"), Buffer.from("x4999")]);
    // Its bytes are there for who asks for them.
    expect(await db.get(`SELECT CAST(${TEXT} AS BLOB)`)).toEqual([hex(BAD)]);
  });
});
