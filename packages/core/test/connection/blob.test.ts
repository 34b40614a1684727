import { createReadStream, createWriteStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Blob as SqlBlob, capabilities, type Connection, createPool } from "@sqlite-aio/core";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { open, openEngine, rejection, temporaryFolder, temporaryPath } from "../support/database.ts";
import { python } from "../support/python.ts";

const ABORTED = { name: "OperationalError", code: "SQLITE_ABORT" };

async function gathered<T>(chunks: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const chunk of chunks) list.push(chunk);
  return list;
}

describe.runIf(capabilities.blobs)("blobopen()", () => {
  let db: Connection;

  beforeEach(async () => {
    db = await open();
    await db.executescript(`CREATE TABLE t (b); CREATE TABLE w (k PRIMARY KEY, b) WITHOUT ROWID;
      CREATE VIEW v AS SELECT * FROM t;
      INSERT INTO t VALUES (x'00010203040506070809'), (NULL), (5), ('text')`);
  });

  it("reads, writes and moves as CPython's blob does", async () => {
    const theirs = python(`
db = sqlite3.connect(":memory:")
db.executescript("create table t (b); insert into t values (x'00010203040506070809')")
b = db.blobopen("t", "b", 1); out = []
out += [len(b), b.tell(), list(b.read(2)), b.tell(), list(b.read(0)), list(b.read()), list(b.read()), b.tell()]
b.seek(-3, 2); out.append(b.tell()); b.write(b"xy"); out.append(b.tell()); b.seek(-1, 1); out.append(b.tell())
b.seek(10); out.append(b.tell()); b.seek(4); out.append(list(b.read(100))); b.close()
out.append(list(db.execute("select b from t").fetchone()[0]))
print(json.dumps(out))`);
    const blob = await db.blobopen("t", "b", 1);
    const bytes = async (size?: number): Promise<number[]> => [...(await blob.read(size))];
    const ours: unknown[] = [blob.length, blob.tell()];
    ours.push(await bytes(2), blob.tell(), await bytes(0), await bytes(), await bytes(), blob.tell());
    ours.push(await blob.seek(-3, 2));
    await blob.write(Buffer.from("xy"));
    ours.push(blob.tell(), await blob.seek(-1, 1), await blob.seek(10));
    await blob.seek(4);
    ours.push(await bytes(100));
    await blob.close();
    ours.push([...((await db.get<[Buffer]>("SELECT b FROM t"))?.[0] ?? [])]);
    expect(ours).toEqual(theirs);
  });

  it("fails as CPython's does", async () => {
    const theirs = python(`
db = sqlite3.connect(":memory:")
db.executescript("create table t (b); create table w (k primary key, b) without rowid; create view v as select * from t;"
  "insert into t values (x'00010203040506070809'), (null), (5)")
def error(f):
  try: f()
  except Exception as e: return [type(e).__name__, str(e)]
b = db.blobopen("t", "b", 1)
r = db.blobopen("t", "b", 1, readonly=True)
out = [error(lambda: db.blobopen("t", "b", 99)), error(lambda: db.blobopen("x", "b", 1)), error(lambda: db.blobopen("t", "x", 1)),
  error(lambda: db.blobopen("t", "b", 1, name="no")), error(lambda: db.blobopen("t", "b", 2)), error(lambda: db.blobopen("t", "b", 3)),
  error(lambda: db.blobopen("w", "b", 1)), error(lambda: db.blobopen("v", "b", 1)), error(lambda: b.write(b"x" * 11)),
  error(lambda: b.seek(11)), error(lambda: b.seek(-1)), error(lambda: b.seek(-11, 2)), error(lambda: r.write(b"x")), error(lambda: r.write(b""))]
r.close()
db.execute("update t set b = zeroblob(20) where rowid = 1")
out += [error(lambda: b.read(1)), error(lambda: b.write(b""))]
b.close()
out += [error(lambda: b.read()), error(lambda: b.write(b"x")), error(lambda: b.seek(0)), error(lambda: b.tell()), error(lambda: len(b))]
print(json.dumps(out))`);
    const NAMES: Record<string, string> = { RangeError: "ValueError" };
    const error = async (work: () => unknown): Promise<unknown> => {
      const { name, message } = (await rejection(work)) as Error;
      return [NAMES[name] ?? name, message];
    };
    const blob = await db.blobopen("t", "b", 1);
    const readonly = await db.blobopen("t", "b", 1, { readonly: true });
    const ours = [
      await error(() => db.blobopen("t", "b", 99)),
      await error(() => db.blobopen("x", "b", 1)),
      await error(() => db.blobopen("t", "x", 1)),
      await error(() => db.blobopen("t", "b", 1, { name: "no" })),
      await error(() => db.blobopen("t", "b", 2)),
      await error(() => db.blobopen("t", "b", 3)),
      await error(() => db.blobopen("w", "b", 1)),
      await error(() => db.blobopen("v", "b", 1)),
      await error(() => blob.write(new Uint8Array(11))),
      await error(() => blob.seek(11)),
      await error(() => blob.seek(-1)),
      await error(() => blob.seek(-11, 2)),
      await error(() => readonly.write(new Uint8Array(1))),
      await error(() => readonly.write(new Uint8Array(0))),
    ];
    await readonly.close();
    await db.execute("UPDATE t SET b = zeroblob(20) WHERE rowid = 1");
    ours.push(await error(() => blob.read(1)), await error(() => blob.write(new Uint8Array(0))));
    await blob.close();
    ours.push(
      await error(() => blob.read()),
      await error(() => blob.write(new Uint8Array(1))),
      await error(() => blob.seek(0)),
      await error(() => blob.tell()),
      await error(() => blob.length),
    );
    expect(ours).toEqual(theirs);
  });

  it("reads text, takes a bigint for the row, and other databases by name", async () => {
    await using text = await db.blobopen("t", "b", 4n);
    expect(String(await text.read())).toBe("text");
    await db.executescript(
      "ATTACH ':memory:' AS more; CREATE TABLE more.m (b); INSERT INTO m (rowid, b) VALUES (9007199254740993, 'far')",
    );
    await using far = await db.blobopen("m", "b", 2n ** 53n + 1n, { name: "more", readonly: true });
    expect(String(await far.read())).toBe("far");
  });

  it("reads and writes in the order of the calls, without waiting", async () => {
    await using blob = await db.blobopen("t", "b", 1);
    const bytes = Buffer.from("abc");
    const calls = [blob.read(2), blob.write(bytes), blob.read(2), blob.seek(2), blob.read(3)] as const;
    bytes.fill(0);
    expect([...(await calls[0])]).toEqual([0, 1]);
    await calls[1];
    expect([...(await calls[2])]).toEqual([5, 6]);
    expect(String(await calls[4])).toBe("abc");
    expect(blob.tell()).toBe(5);
  });

  it("refuses what makes no sense, and leaves the caller's memory alone", async () => {
    for (const call of [
      () => db.blobopen(5 as never, "b", 1),
      () => db.blobopen("t", "b\0", 1),
      () => db.blobopen("t", "b", 1.5),
      () => db.blobopen("t", "b", "1" as never),
      () => db.blobopen("t", "b", 1, { readonly: 1 as never }),
      () => db.blobopen("t", "b", 1, { writable: true } as never),
    ])
      expect(await rejection(call)).toBeInstanceOf(TypeError);
    expect(await rejection(db.blobopen("t", "b", 2n ** 63n))).toBeInstanceOf(RangeError);
    await using blob = await db.blobopen("t", "b", 1);
    for (const call of [
      () => blob.write("text" as never),
      () => blob.write([1] as never),
      () => blob.read(1.5),
      () => blob.seek(0.5),
    ])
      expect(await rejection(call)).toBeInstanceOf(TypeError);
    expect(await rejection(blob.seek(0, 3))).toBeInstanceOf(RangeError);
    const bytes = new Uint8Array([9, 9]);
    await blob.write(bytes.buffer);
    await blob.write(new DataView(bytes.buffer, 1) as never);
    expect([bytes.length, bytes.buffer.detached, blob.tell()]).toEqual([2, false, 3]);
  });

  it("commits what is written outside a transaction when it is closed, and is rolled back with one", async () => {
    const path = await temporaryPath();
    const file = await open(path, { timeout: 0 });
    await file.executescript("CREATE TABLE t (b); INSERT INTO t VALUES (zeroblob(4))");
    const other = openEngine(path);
    const blob = await file.blobopen("t", "b", 1);
    await blob.write(Buffer.from("new!"));
    expect(file.inTransaction).toBe(false);
    expect(() => other.exec("INSERT INTO t VALUES (1)")).toThrow("database is locked");
    await file.execute("INSERT INTO t VALUES (2)");
    expect(await rejection(file.commit())).toMatchObject({
      message: "cannot commit transaction - SQL statements in progress",
    });
    await blob.close();
    await file.commit();
    expect(other.prepare("SELECT b FROM t").pluck().all()).toEqual([Buffer.from("new!"), 2]);
    await rejection(
      file.transaction(async (tx) => {
        const inner = await tx.blobopen("t", "b", 1);
        await inner.write(Buffer.from("lost"));
        expect(String((await tx.get<[Buffer]>("SELECT b FROM t"))?.[0])).toBe("lost");
        throw new Error("undo");
      }),
    );
    expect(String((await file.get<[Buffer]>("SELECT b FROM t"))?.[0])).toBe("new!");
  });

  it("that was open for writing before a transaction keeps that from committing, and the error says so", async () => {
    const blob = await db.blobopen("t", "b", 1);
    const sql = "INSERT INTO t VALUES ('in vain')";
    const error = await rejection(db.transaction(async (tx) => await tx.run(sql)));
    expect(error).toMatchObject({
      code: "SQLITE_BUSY",
      message: "cannot commit transaction - SQL statements in progress",
    });
    expect(db.inTransaction).toBe(false);
    expect(await db.get("SELECT count(*) FROM t WHERE b = 'in vain'")).toEqual([0]);
    await blob.close();
    await db.transaction(async (tx) => await tx.run(sql));
    expect(await db.get("SELECT count(*) FROM t WHERE b = 'in vain'")).toEqual([1]);
  });

  it("that a transaction leaves open is closed with it, and does not keep it from committing", async () => {
    const left = await db.transaction(async (tx) => {
      const blob = await tx.blobopen("t", "b", 1);
      await blob.write(Buffer.from("kept"));
      return blob;
    });
    expect(String((await db.get<[Buffer]>("SELECT substr(b, 1, 4) FROM t"))?.[0])).toBe("kept");
    expect(await rejection(left.read())).toMatchObject({ message: "the transaction is over" });
    await left.close();
    expect(db.inTransaction).toBe(false);
  });

  it("that a lease leaves open keeps nothing of the pool, and changes are told of", async () => {
    const pool = await createPool(await temporaryPath(), { readers: 0, writers: 1 });
    onTestFinished(() => pool.close());
    await pool.exec("CREATE TABLE t (b); INSERT INTO t VALUES (zeroblob(4))");
    const changed = new Promise<readonly string[]>((resolve) => {
      pool.once("change", ({ tables }) => resolve(tables));
    });
    const lease = await pool.acquire();
    const blob = await lease.blobopen("t", "b", 1);
    await blob.write(Buffer.from("left"));
    await lease.close();
    expect(await rejection(blob.read())).toBeInstanceOf(Error);
    await blob.close();
    expect(await pool.get("SELECT CAST(b AS TEXT) AS b FROM t")).toEqual({ b: "left" });
    expect(await changed).toEqual(["t"]);
    await pool.run("INSERT INTO t VALUES (1)");
  });

  it("closes with the connection, also while it is busy, and with its contents", async () => {
    const blob = await db.blobopen("t", "b", 1);
    const source = await open();
    await source.executescript("CREATE TABLE s (b)");
    await source.backup(db);
    expect(await rejection(blob.read(1))).toMatchObject(ABORTED);
    expect(blob.tell()).toBe(0);
    await blob.close();
    await blob.close();
    const file = await open(await temporaryPath());
    await file.executescript("CREATE TABLE t (b); INSERT INTO t VALUES (zeroblob(1000000))");
    const busy = await file.blobopen("t", "b", 1);
    const reading = busy.read();
    const closing = file.close();
    expect((await reading).length).toBe(1_000_000);
    await closing;
    expect(await rejection(busy.read())).toMatchObject({ name: "ConnectionClosedError" });
    await busy.close();
  });

  it("outlives the interrupt of a statement beside it, and fails no statement after that", async () => {
    const endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    await db.executescript("INSERT INTO t VALUES (x''), (x'0a0b')");
    const expired = await db.blobopen("t", "b", 4, { readonly: true });
    await db.execute("UPDATE t SET b = x'00' WHERE rowid = 4");
    await db.commit();
    const read = await db.blobopen("t", "b", 1, { readonly: true });
    const written = await db.blobopen("t", "b", 6);
    const empty = await db.blobopen("t", "b", 5);
    expect([...(await read.read(4))]).toEqual([0, 1, 2, 3]);
    await written.write(Buffer.of(1));
    expect(await rejection(db.execute(endless, [], { timeout: 20 }))).toMatchObject({
      code: "SQLITE_INTERRUPT",
    });
    expect(await db.executeFetchall("SELECT hex(b) FROM t WHERE rowid = 6")).toEqual([["010B"]]);
    expect([...(await read.read(4))]).toEqual([4, 5, 6, 7]);
    await written.write(Buffer.of(2));
    expect((await empty.read()).length).toBe(0);
    expect(await rejection(expired.read())).toMatchObject(ABORTED);
    for (const blob of [read, written, empty]) await blob.close();
    expect(await db.executeFetchall("SELECT hex(b) FROM t WHERE rowid = 6")).toEqual([["0102"]]);
  });

  it("whose thread dies rejects", async () => {
    await db.createFunction("die", 0, new URL("../fixtures/deadly.mjs", import.meta.url), { export: "die" });
    const blob = await db.blobopen("t", "b", 1);
    const calls = [rejection(db.execute("SELECT die()")), rejection(blob.read(2))];
    for (const error of await Promise.all(calls)) expect(error).toMatchObject({ name: "WorkerCrashedError" });
    expect(await rejection(blob.read())).toMatchObject({ name: "WorkerCrashedError" });
  });
});

describe.runIf(capabilities.blobs)("the streams of a blob", () => {
  const size = 3_000_001;
  const contents = Buffer.from(
    Uint32Array.from({ length: Math.ceil(size / 4) }, (_, i) => i * 2654435761).buffer,
  ).subarray(0, size);

  async function filled(path?: string): Promise<Connection> {
    const db = await open(path ?? (await temporaryPath()));
    await db.executescript("CREATE TABLE t (b)");
    await db.execute("INSERT INTO t VALUES (?), (zeroblob(?))", [contents, size]);
    await db.commit();
    return db;
  }

  it("of Node's carry a file in and out", async () => {
    const db = await filled();
    const folder = await temporaryFolder();
    await writeFile(`${folder}/in`, contents);
    await using target = await db.blobopen("t", "b", 2);
    await pipeline(createReadStream(`${folder}/in`), target.createWriteStream());
    expect(target.tell()).toBe(size);
    await target.seek(0);
    await pipeline(target.createReadStream(), createWriteStream(`${folder}/out`));
    expect((await readFile(`${folder}/out`)).equals(contents)).toBe(true);
  });

  it("of the Web's carry one blob into another, and begin at the position", async () => {
    const db = await filled();
    await using source = await db.blobopen("t", "b", 1, { readonly: true });
    await using target = await db.blobopen("t", "b", 2);
    await source.readable().pipeTo(target.writable());
    await source.seek(size - 5);
    await target.seek(size - 5);
    const chunks = await gathered(target.readable());
    expect(Buffer.concat(chunks)).toEqual(contents.subarray(size - 5));
    await target.close();
    expect(await db.get("SELECT count(DISTINCT b) FROM t")).toEqual([1]);
  });

  it("write in one message what has come during a write", async () => {
    const pool = await createPool(await temporaryPath());
    onTestFinished(() => pool.close());
    await pool.exec(`CREATE TABLE t (b); INSERT INTO t VALUES (zeroblob(${size}))`);
    const executed = (): number => pool.stats().threads[0]!.executed;
    await using db = await pool.acquire();
    const blob = await db.blobopen("t", "b", 1);
    const before = executed();
    const stream = blob.createWriteStream();
    for (let at = 0; at < 20; at++) stream.write(contents.subarray(at * 1000, at * 1000 + 1000));
    await new Promise((resolve) => stream.end(resolve));
    expect(executed() - before).toBe(2);
    await blob.close();
    const [stored] = (await db.get("SELECT b FROM t")) as unknown as [Buffer];
    expect(stored.subarray(0, 20_000).equals(contents.subarray(0, 20_000))).toBe(true);
    expect(stored.subarray(20_000).every((byte) => byte === 0)).toBe(true);
  });

  it("read no further than is asked for, and end early without harm", async () => {
    const db = await filled();
    await using blob = await db.blobopen("t", "b", 1);
    let first = 0;
    for await (const chunk of blob.readable()) {
      first = chunk.length;
      break;
    }
    // One message's worth.
    expect(blob.tell()).toBeLessThanOrEqual(8 * first);
    const stream = blob.createReadStream();
    stream.once("data", () => stream.destroy());
    await new Promise((resolve) => stream.once("close", resolve));
    expect(blob.tell()).toBeLessThan(size);
    await blob.seek(0);
    expect((await blob.read(3)).equals(contents.subarray(0, 3))).toBe(true);
  });

  it("close the blob with autoClose: at their end, destroyed, cancelled, aborted, and where they fail", async () => {
    const path = await temporaryPath();
    const db = await filled(path);
    const autoClose = { autoClose: true };
    const closed = async (use: (blob: SqlBlob) => Promise<unknown>): Promise<void> => {
      const blob = await db.blobopen("t", "b", 2);
      await blob.seek(size - 100_000);
      await use(blob);
      expect(() => blob.tell()).toThrow("Cannot operate on a closed blob.");
      // It was the only thing that kept the transaction open.
      const other = await open(path);
      await other.executescript("BEGIN IMMEDIATE; COMMIT");
      await other.close();
    };
    const bytes = Buffer.alloc(90_000, 1);
    const long = Buffer.alloc(100_001);
    await closed(async (blob) => {
      expect(Buffer.concat(await gathered(blob.readable(autoClose)))).toHaveLength(100_000);
    });
    await closed(async (blob) => {
      expect(Buffer.concat(await gathered<Buffer>(blob.createReadStream(autoClose)))).toHaveLength(100_000);
    });
    await closed(async (blob) => await blob.readable(autoClose).cancel());
    await closed(async (blob) => {
      for await (const chunk of blob.createReadStream(autoClose)) if (chunk !== null) break;
    });
    await closed(async (blob) => await new Blob([bytes]).stream().pipeTo(blob.writable(autoClose)));
    await closed(async (blob) => await pipeline(Readable.from([bytes]), blob.createWriteStream(autoClose)));
    expect(await db.get("SELECT hex(substr(b, ?, 2)) FROM t WHERE rowid = 2", [size - 99_999])).toEqual([
      "0101",
    ]);
    await closed(async (blob) => await blob.writable(autoClose).abort(new Error("no more")));
    await closed(async (blob) => {
      const stream = blob.createWriteStream(autoClose).on("error", () => {});
      stream.destroy(new Error("no more"));
      await new Promise((resolve) => stream.once("close", resolve));
    });
    await closed(async (blob) => {
      const writer = blob.writable(autoClose).getWriter();
      writer.closed.catch(() => {});
      expect(await rejection(writer.write(long))).toBeInstanceOf(RangeError);
    });
    await closed(async (blob) => {
      const stream = blob.createWriteStream(autoClose);
      expect(await rejection(pipeline(Readable.from([long]), stream))).toBeInstanceOf(RangeError);
    });
    await using blob = await db.blobopen("t", "b", 2);
    for (const make of ["readable", "writable", "createReadStream", "createWriteStream"] as const) {
      expect(() => blob[make]({ autoClose: 1 as never })).toThrow(TypeError);
      expect(() => blob[make]({ autoclose: true } as never)).toThrow('unknown option "autoclose"');
    }
  });

  it("tell of a commit that fails when they close the blob", async () => {
    const path = await temporaryPath();
    const db = await open(path, { timeout: 0, pragmas: { journal_mode: "DELETE" } });
    await db.executescript("CREATE TABLE t (b); INSERT INTO t VALUES (zeroblob(10))");
    const reader = await open(path);
    const bytes = Buffer.alloc(10, 1);
    for (const write of [
      async (blob: SqlBlob) =>
        await pipeline(Readable.from([bytes]), blob.createWriteStream({ autoClose: true })),
      async (blob: SqlBlob) => await new Blob([bytes]).stream().pipeTo(blob.writable({ autoClose: true })),
    ]) {
      const cursor = await reader.execute(
        "WITH r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT i, b FROM r, t",
      );
      await cursor.fetchone();
      expect(await rejection(write(await db.blobopen("t", "b", 1)))).toMatchObject({ code: "SQLITE_BUSY" });
      await cursor.close();
    }
  });

  it("fail where the bytes are too many, or the blob is closed", async () => {
    const db = await filled();
    const blob = await db.blobopen("t", "b", 2);
    await blob.seek(size - 10);
    const long = Readable.from([Buffer.alloc(6), Buffer.alloc(6)]);
    expect(await rejection(pipeline(long, blob.createWriteStream()))).toBeInstanceOf(RangeError);
    const reading = blob.createReadStream();
    const web = blob.readable();
    await blob.close();
    expect(await rejection(gathered(reading))).toMatchObject({ name: "ProgrammingError" });
    expect(await rejection(gathered(web))).toMatchObject({ name: "ProgrammingError" });
    for (const make of ["readable", "writable", "createReadStream", "createWriteStream"] as const)
      expect(() => blob[make]()).toThrow("Cannot operate on a closed blob.");
  });
});

it.runIf(!capabilities.blobs)("without the companion blobopen() names the package", async () => {
  const db = await open();
  expect(await rejection(db.blobopen("t", "b", 1))).toMatchObject({
    name: "NotSupportedError",
    message: expect.stringContaining("@sqlite-aio/native"),
  });
});
