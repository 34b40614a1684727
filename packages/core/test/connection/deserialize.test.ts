import { writeFile } from "node:fs/promises";
import { capabilities, createPool } from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { python } from "../support/python.ts";

async function image(sql = "CREATE TABLE t (x); INSERT INTO t VALUES (1)"): Promise<Uint8Array> {
  const db = await open();
  await db.executescript(sql);
  return await db.serialize();
}

describe("deserialize()", () => {
  it("puts contents in the place of a file's, which stays as it is, and takes what CPython has serialized", async () => {
    const path = await temporaryPath();
    const db = await open(path);
    await db.executescript("CREATE TABLE f (y); INSERT INTO f VALUES ('in the file')");
    const hex = python(`
db = sqlite3.connect(":memory:"); db.executescript("create table t (x); insert into t values ('from CPython')")
print(json.dumps(db.serialize().hex()))`) as string;
    await db.deserialize(Buffer.from(hex, "hex"));
    expect(await db.executeFetchall("SELECT x FROM t")).toEqual([["from CPython"]]);
    await db.execute("INSERT INTO t VALUES ('more')");
    await db.commit();
    expect(await db.get("SELECT count(*) FROM t")).toEqual([2]);
    expect(openEngine(path).prepare("SELECT y FROM f").pluck().all()).toEqual(["in the file"]);
    const bytes = Buffer.from(await db.serialize()).toString("hex");
    const read = python(`
db = sqlite3.connect(":memory:"); db.deserialize(bytes.fromhex("${bytes}"))
print(json.dumps([x for (x,) in db.execute("select x from t")]))`);
    expect(read).toEqual(["from CPython", "more"]);
  });

  it("keeps the functions, hooks and settings of the connection, and takes the image of the moment", async () => {
    const db = await open();
    await db.createFunction("f", 0, () => 7);
    const bytes = await image();
    const done = db.deserialize(bytes);
    bytes.fill(0);
    await done;
    expect(await db.executeFetchall("SELECT x, f() FROM t")).toEqual([[1, 7]]);
    expect(bytes.length).toBeGreaterThan(0);
  });

  it("of bytes that are no sound database changes nothing", async () => {
    const db = await open();
    await db.executescript("CREATE TABLE mine (a); INSERT INTO mine VALUES (1)");
    const sound = await image(
      "CREATE TABLE t (x); INSERT INTO t SELECT 'x' || value FROM json_each('[1,2,3]')",
    );
    const broken = Buffer.from(sound);
    broken.fill(0xff, 4096 + 8, 4096 + 40);
    for (const bytes of [Buffer.from("junk".repeat(2000)), broken])
      expect(await rejection(db.deserialize(bytes))).toMatchObject({ name: "DatabaseError" });
    expect(await rejection(db.deserialize(new Uint8Array(0)))).toBeInstanceOf(RangeError);
    expect(await rejection(db.deserialize("text" as never))).toBeInstanceOf(TypeError);
    expect(await rejection(db.deserialize(sound, { name: 5 as never }))).toBeInstanceOf(TypeError);
    expect(await rejection(db.deserialize(sound, { name: "nothing" }))).toMatchObject({
      message: "unknown database nothing",
    });
    expect(await db.executeFetchall("SELECT a FROM mine")).toEqual([[1]]);
  });

  it("is refused inside a transaction", async () => {
    const db = await open();
    await db.executescript("CREATE TABLE mine (a); INSERT INTO mine VALUES (1), (2), (3)");
    await db.execute("INSERT INTO mine VALUES (4)");
    expect(await rejection(db.deserialize(await image()))).toMatchObject({
      name: "OperationalError",
      message: "cannot deserialize inside a transaction",
    });
    await db.commit();
    expect(await rejection(db.transaction(async (tx) => tx.deserialize(await image())))).toMatchObject({
      name: "ProgrammingError",
    });
  });

  it("loses no row of a half-read cursor without a word", async () => {
    const db = await open();
    await db.executescript("CREATE TABLE mine (a); INSERT INTO mine VALUES (1), (2), (3), (4)");
    const cursor = await db.cursor();
    cursor.iterChunkSize = 1;
    await cursor.execute("SELECT a FROM mine");
    expect(await cursor.fetchone()).toEqual([1]);
    const bytes = await image();
    if (!capabilities.images) {
      expect(await rejection(db.deserialize(bytes))).toMatchObject({ code: "SQLITE_BUSY" });
      return;
    }
    await db.deserialize(bytes);
    expect(await cursor.fetchall()).toEqual([[2], [3], [4]]);
    expect(await db.get("SELECT x FROM t")).toEqual([1]);
    const source = await open();
    await cursor.execute("SELECT x FROM t, (VALUES (1), (2), (3))");
    expect(await cursor.fetchone()).toEqual([1]);
    await source.backup(db);
    expect(await rejection(cursor.fetchall())).toMatchObject({ code: "SQLITE_INTERRUPT" });
  });

  it("takes the image of a file in WAL mode", async () => {
    const path = await temporaryPath();
    const engine = openEngine(path);
    engine.pragma("journal_mode = wal");
    engine.exec("CREATE TABLE t (x); INSERT INTO t VALUES ('from WAL')");
    const db = await open();
    await db.deserialize(engine.serialize());
    expect(await db.get("SELECT x FROM t")).toEqual(["from WAL"]);
  });

  it.runIf(capabilities.images)(
    "goes into an attached database by name, and serialize() comes out of one",
    async () => {
      const db = await open();
      await db.executescript("ATTACH ':memory:' AS more; CREATE TEMP TABLE kept (a)");
      await db.deserialize(await image(), { name: "more" });
      expect(await db.executeFetchall("SELECT x FROM more.t")).toEqual([[1]]);
      expect(await db.get("SELECT count(*) FROM kept")).toEqual([0]);
      const other = await open();
      await other.deserialize(await db.serialize({ name: "more" }));
      expect(await other.get("SELECT x FROM t")).toEqual([1]);
      expect(await rejection(db.serialize({ name: 5 as never }))).toBeInstanceOf(TypeError);
      expect(await rejection(db.deserialize(await image(), { name: "Temp" }))).toMatchObject({
        name: "OperationalError",
        message: "the temporary database cannot be deserialized into",
      });
    },
  );

  it.runIf(!capabilities.images)("needs the companion for any other than the main database", async () => {
    const db = await open();
    await db.executescript("ATTACH ':memory:' AS more");
    expect(await rejection(db.deserialize(await image(), { name: "more" }))).toMatchObject({
      name: "NotSupportedError",
      message: expect.stringContaining("@sqlite-aio/native"),
    });
  });

  it("on a lease is gone with it, where the pool has a file", async () => {
    const path = await temporaryPath();
    const pool = await createPool(path, { readers: 0, writers: 1 });
    onTestFinished(() => pool.close());
    await pool.exec("CREATE TABLE mine (a); INSERT INTO mine VALUES (1)");
    const lease = await pool.acquire();
    await lease.deserialize(await image());
    expect(await lease.get("SELECT x FROM t")).toEqual([1]);
    await lease.close();
    expect(await pool.all("SELECT * FROM mine")).toEqual([{ a: 1 }]);
    await pool.run("INSERT INTO mine VALUES (2)");
    expect(openEngine(path).prepare("SELECT count(*) FROM mine").pluck().get()).toBe(2);
  });

  it("of a closed connection rejects", async () => {
    const db = await open();
    await db.close();
    expect(await rejection(db.deserialize(await image()))).toMatchObject({ name: "ConnectionClosedError" });
  });
});

describe("iterdump({ filter })", () => {
  it("gives what has a name that is LIKE the pattern", async () => {
    const db = await open();
    const tables = [
      'CREATE TABLE "some_2" ("a" INTEGER);',
      'INSERT INTO "some_2" VALUES(3);',
      'INSERT INTO "some_2" VALUES(4);',
      'CREATE TABLE "test_1" ("b" INTEGER);',
      'INSERT INTO "test_1" VALUES(1);',
    ];
    const views = [
      'CREATE VIEW "view_1" AS SELECT * FROM "some_2";',
      'CREATE VIEW "view_2" AS SELECT * FROM "test_1";',
    ];
    await db.executescript([...tables, ...views].join(""));
    const dump = async (filter: string | null | undefined): Promise<string[]> => {
      const lines: string[] = [];
      for await (const line of db.iterdump({ filter })) lines.push(line);
      return lines;
    };
    const around = (...lines: string[]): string[] => ["BEGIN TRANSACTION;", ...lines, "COMMIT;"];
    expect(await dump("%_1")).toEqual(around(...tables.slice(3), views[0]!));
    expect(await dump("VIEW_%")).toEqual(around(...views));
    expect(await dump("some_%")).toEqual(around(...tables.slice(0, 3)));
    expect(await dump("nothing")).toEqual(around());
    const all = around(...tables, ...views);
    for (const filter of [null, undefined, "", "%"]) expect(await dump(filter)).toEqual(all);
    expect(() => db.iterdump({ filter: 5 as never })).toThrow(TypeError);
    expect(() => db.iterdump({ pattern: "%" } as never)).toThrow(TypeError);
  });

  it("restores what it gave, into a file too", async () => {
    const db = await open();
    await db.executescript(`CREATE TABLE keep (id INTEGER PRIMARY KEY AUTOINCREMENT, a); CREATE TABLE leave (b);
      INSERT INTO keep (a) VALUES ('x'); CREATE INDEX keep_a ON keep (a); CREATE INDEX leave_b ON leave (b)`);
    const lines: string[] = [];
    for await (const line of db.iterdump({ filter: "keep%" })) lines.push(line);
    const path = await temporaryPath("restored.db");
    await writeFile(path, "");
    const engine = openEngine(path);
    engine.exec(lines.join("\n"));
    const names = engine.prepare("SELECT name FROM sqlite_schema ORDER BY name").pluck().all();
    expect(names).toEqual(["keep", "keep_a", "sqlite_sequence"]);
  });
});
