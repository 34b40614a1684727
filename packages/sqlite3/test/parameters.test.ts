import { describe, expect, it } from "vitest";
import { called, failed, open, type Row } from "./support.ts";

describe("parameters", () => {
  it("are an array, one argument each, or an object of names with their prefix or of numbers", async () => {
    await using db = await open();
    const sql = "SELECT ?1 AS a, ?2 AS b";
    const named = "SELECT $x AS a, :y AS b";
    const get = (text: string, ...given: unknown[]): Promise<unknown> =>
      called((callback) => db.get(text, ...given, callback));
    for (const given of [[[1, "x"]], [1, "x"], [{ 1: 1, 2: "x" }]]) {
      expect(await get(sql, ...given)).toEqual({ a: 1, b: "x" });
    }
    expect(await get(named, { $x: 1, ":y": "x" })).toEqual({ a: 1, b: "x" });
    expect(await get(named, { 2: "x", 1: 1 })).toEqual({ a: 1, b: "x" });
  });

  it("are NULL where nothing is given", async () => {
    await using db = await open();
    for (const given of [
      [],
      [[]],
      [{}],
      [() => 1, 5],
      [undefined],
      [[undefined, undefined]],
      [{ $a: undefined }],
    ]) {
      const row = await called((callback) => db.get("SELECT $a AS a, $b AS b", ...given, callback));
      expect(row).toEqual({ a: null, b: null });
    }
  });

  it("are out of range where there is no such parameter, after the text was compiled", async () => {
    await using db = await open();
    const outOfRange = {
      message: "SQLITE_RANGE: column index out of range",
      errno: 25,
      code: "SQLITE_RANGE",
    };
    expect(await failed((callback) => db.get("SELECT ?", 1, 2, callback))).toEqual(outOfRange);
    expect(await failed((callback) => db.run("SELECT $a", { $b: 1 }, callback))).toEqual(outOfRange);
    expect(await failed((callback) => db.all("SELECT $a", { a: 1 }, callback))).toEqual(outOfRange);
    const text = await failed((callback) => db.all("SELECT ? FROM nowhere", 1, 2, callback));
    expect(text.message).toBe("SQLITE_ERROR: no such table: nowhere");
    const eachText = await failed((callback) => db.each("SELECT ? FROM nowhere", 1, 2, callback));
    expect(eachText.message).toBe("SQLITE_ERROR: no such table: nowhere");
    const statement = db.prepare("SELECT ? AS a");
    expect(await failed((callback) => statement.bind(1, 2, callback))).toEqual(outOfRange);
    statement.finalize();
  });

  it("bind as sqlite3 binds them", async () => {
    await using db = await open();
    const date = new Date(1_700_000_000_000);
    for (const [value, type, read] of [
      [1, "integer", 1],
      [-0, "integer", 0],
      [1.5, "real", 1.5],
      [true, "integer", 1],
      [2n ** 40n, "integer", 2 ** 40],
      ["text", "text", "text"],
      ["half \ud800 a pair", "text", "half \ufffd a pair"],
      [null, "null", null],
      [date, "integer", 1_700_000_000_000],
      [/a+b/i, "text", "/a+b/i"],
      [{ an: "object" }, "text", "[object Object]"],
      [Buffer.from("bytes"), "blob", Buffer.from("bytes")],
      [new Uint16Array([1, 2]), "blob", Buffer.from(new Uint16Array([1, 2]).buffer)],
      [Symbol("no value"), "null", null],
    ]) {
      const row = await called((callback) =>
        db.get("SELECT typeof(?1) AS type, ?1 AS read", [value], callback),
      );
      expect(row).toEqual({ type, read });
    }
  });

  it("throw a bigint that no INTEGER can be", async () => {
    await using db = await open();
    expect(() => db.run("SELECT ?", 2n ** 63n)).toThrow(RangeError);
  });

  it("stay until others are given, and bind() gives all of them anew", async () => {
    await using db = await open();
    const statement = db.prepare("SELECT ? AS a, ? AS b");
    const get = (...given: unknown[]): Promise<Row> =>
      called((callback) => statement.get(...given, callback));
    const again = async (): Promise<Row> => {
      await called((callback) => statement.reset(callback));
      return await get();
    };
    expect([await get(1, 2), await again()]).toEqual([
      { a: 1, b: 2 },
      { a: 1, b: 2 },
    ]);
    await called((callback) => statement.bind([3], callback));
    expect(await get()).toEqual({ a: 3, b: null });
    expect(await called((callback) => statement.all(callback))).toEqual([{ a: 3, b: null }]);
    statement.finalize();
  });
});
