import { createPool, PARSE_DECLTYPES, registerConverter } from "@sqlite-aio/core";
import { expect, it } from "vitest";

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
