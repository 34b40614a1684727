import { join } from "node:path";
import { connect, type Connection, createPool, OperationalError } from "@sqlite-aio/core";
import { expect, it } from "vitest";
import { compiledExtensions, SUFFIX } from "../support/compiled-extensions.ts";
import { open, rejection, temporaryPath } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";

const NO_SEVEN = { code: "SQLITE_ERROR", message: "no such function: seven" };
const extension = (name: string): string => join(compiledExtensions(), name);

async function loading(): Promise<Connection> {
  const db = await open();
  await db.enableLoadExtension(true);
  return db;
}

it("an extension's own words are in the error, beside the file's name", async () => {
  const db = await loading();
  const path = extension("fails");
  const message = `the extension ${path} does not load: error during initialization: no licence`;
  const error = await rejection(db.loadExtension(path));
  expect(error).toBeInstanceOf(OperationalError);
  expect(error).toMatchObject({ code: "SQLITE_ERROR", message });
  const opening = { extensions: [{ path: extension("good") }, { path }] };
  expect(await rejection(connect(":memory:", opening))).toMatchObject({ message });
  expect(await rejection(createPool(await temporaryPath(), opening))).toMatchObject({ message });
});

it("a file that is no library is named by its own name, with its suffix or without", async () => {
  const db = await loading();
  for (const name of ["text", `text${SUFFIX}`, "missing", `missing${SUFFIX}`]) {
    const { message } = (await rejection(db.loadExtension(extension(name)))) as Error;
    expect(message).toContain(extension(name));
    expect(message).not.toContain(SUFFIX + SUFFIX);
  }
});

it("a statement that has failed for want of a function finds it when it is loaded", async () => {
  const db = await loading();
  expect(await rejection(db.executeFetchall("SELECT seven()"))).toMatchObject(NO_SEVEN);
  await db.transaction(async (tx) => {
    await tx.loadExtension(extension("good"));
    expect(await tx.executeFetchall("SELECT seven()")).toEqual([[7]]);
  });
  expect(await db.executeFetchall("SELECT seven()")).toEqual([[7]]);
});

it("every connection of a pool has the pool's extensions, and none of them load_extension()", async () => {
  const extensions = [{ path: extension("good") }, { path: extension("other"), entryPoint: "other_entry" }];
  const pool = await openPool({ extensions, readers: 2 });
  await pool.exec("CREATE TABLE s (x)");
  await pool.run("INSERT INTO s VALUES (seven())");
  const both = [pool.acquire({ mode: "read" }), pool.acquire({ mode: "read" }), pool.acquire()];
  for (const lease of await Promise.all(both)) {
    expect(await lease.executeFetchall("SELECT x = seven() FROM s")).toEqual([[1]]);
    const loaded = lease.executeFetchall("SELECT load_extension(?)", [extension("good")]);
    expect(await rejection(loaded)).toMatchObject({ message: "not authorized" });
    await pool.release(lease);
  }
  expect(await rejection(pool.run("INSERT INTO s VALUES (boom())"))).toMatchObject({ message: "on purpose" });
});

it("an extension that a lease has loaded ends with it, and so does the permission", async () => {
  const pool = await openPool({ readers: 1 });
  const lease = await pool.acquire();
  await lease.enableLoadExtension(true);
  await lease.loadExtension(extension("good"));
  expect(await lease.executeFetchall("SELECT seven()")).toEqual([[7]]);
  await pool.release(lease);
  expect(await rejection(pool.run("CREATE TABLE s AS SELECT seven()"))).toMatchObject(NO_SEVEN);
  const next = await pool.acquire();
  expect(await rejection(next.loadExtension(extension("good")))).toMatchObject({ message: "not authorized" });
  await pool.release(next);
});

it("an extension or a setup module that leaves a transaction open keeps a connection from opening", async () => {
  const path = extension("begins");
  const setup = new URL("../fixtures/setup-begins.mjs", import.meta.url);
  for (const [options, who] of [
    [{ extensions: [{ path }] }, `the extension ${path}`],
    [{ setup }, `the setup module ${setup.href}`],
  ] as const) {
    const refused = { code: "SQLITE_ERROR", message: `${who} has left a transaction open` };
    const file = await temporaryPath();
    for (const opening of [connect(file, options), createPool(file, options)]) {
      const error = await rejection(opening);
      expect(error).toBeInstanceOf(OperationalError);
      expect(error).toMatchObject(refused);
    }
  }
});
