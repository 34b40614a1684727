import { createPool, PARSE_DECLTYPES, registerConverter } from "@sqlite-aio/core";
import { expect, it } from "vitest";
import { rejection } from "../support/database.ts";

registerConverter("pool_point", (bytes) => bytes.toString().split(";").map(Number));

it("converts what get, all, iterate and a transaction read by its declared type, and reads other integers as numbers", async () => {
  await using pool = await createPool(":memory:", { detectTypes: PARSE_DECLTYPES });
  await pool.exec(
    "CREATE TABLE place (id INTEGER PRIMARY KEY, at pool_point); INSERT INTO place VALUES (1, '2;3')",
  );
  const row = { id: 1, at: [2, 3] };

  expect(await pool.get("SELECT * FROM place")).toEqual(row);
  expect(await pool.all("SELECT * FROM place")).toEqual([row]);
  expect(await pool.get("SELECT * FROM place WHERE id = 2")).toBeUndefined();
  expect(await pool.transaction((tx) => tx.all("SELECT * FROM place"))).toEqual([row]);
  const rows: unknown[] = [];
  for await (const read of pool.iterate("SELECT * FROM place")) rows.push(read);
  expect(rows).toEqual([row]);
});

it("that throws ends an iteration, which gives its connection back", async () => {
  registerConverter("pool_picky", (bytes) => {
    if (bytes.toString() === "2") throw new RangeError("not 2");
    return bytes;
  });
  await using pool = await createPool(":memory:", { detectTypes: PARSE_DECLTYPES });
  await pool.exec("CREATE TABLE t (a pool_picky); INSERT INTO t VALUES (1), (2), (3)");

  const error = await rejection(async () => {
    for await (const row of pool.iterate("SELECT a FROM t")) expect(row).toEqual({ a: Buffer.from("1") });
  });
  expect(error).toEqual(new RangeError("not 2"));
  expect(pool.stats()).toMatchObject({ busy: 0, pending: 0 });
});
