import { connect, type ConnectOptions } from "@sqlite-aio/core";
import { expect, it, onTestFinished } from "vitest";
import { rejection, temporaryPath } from "../support/database.ts";

/** The codes of the warnings that come until the test is over. */
function warnings(): string[] {
  const codes: string[] = [];
  const listener = (warning: Error & { code?: string }): void => void codes.push(String(warning.code));
  process.on("warning", listener);
  onTestFinished(() => void process.off("warning", listener));
  return codes;
}

async function closedWith(sql: string, options: ConnectOptions = {}): Promise<string[]> {
  const seen = warnings();
  const db = await connect(await temporaryPath(), options);
  await db.execute("CREATE TABLE t (a)");
  await db.executescript(`${sql}; SELECT 1`.replace(/^;/, ""));
  if (sql === "") await db.execute("INSERT INTO t VALUES (1)");
  await db.close();
  await new Promise((resolve) => setImmediate(resolve));
  return seen.filter((code) => code === "SQLITE_AIO_ROLLED_BACK");
}

it("close() warns once of a transaction that nobody has committed, unless told not to", async () => {
  expect(await closedWith("")).toEqual(["SQLITE_AIO_ROLLED_BACK"]);
  expect(await closedWith("", { warnOnRollback: false })).toEqual([]);
  expect(await closedWith("INSERT INTO t VALUES (1)")).toEqual([]);
  expect(await closedWith("", { isolationLevel: null })).toEqual([]);
  expect(await rejection(connect(":memory:", { warnOnRollback: 1 as never }))).toBeInstanceOf(TypeError);
});

it("close() warns of nothing on a readonly connection, where a refused write has begun a transaction", async () => {
  const path = await temporaryPath();
  await using writer = await connect(path);
  await writer.execute("CREATE TABLE t (a)");
  const seen = warnings();
  const reader = await connect(path, { readonly: true });
  expect(await rejection(reader.execute("INSERT INTO t VALUES (1)"))).toMatchObject({
    code: "SQLITE_READONLY",
  });
  expect(reader.inTransaction).toBe(true);
  await reader.close();
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual([]);
});

it("close() does not wait for ever for an executemany without end", async () => {
  const db = await connect(":memory:", { warnOnRollback: false });
  await db.execute("CREATE TABLE t (a)");
  function* endless(): Generator<[number]> {
    for (let i = 0; ; i++) yield [i];
  }
  const batch = db.executemany("INSERT INTO t VALUES (?)", endless());
  batch.catch(() => {});
  await db.close();
  expect(await rejection(batch)).toMatchObject({ message: "Connection closed" });
});
