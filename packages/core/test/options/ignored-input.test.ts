import { type Connection, connect, createPool, type Pool } from "@sqlite-aio/core";
import { expect, it } from "vitest";
import { open } from "../support/database.ts";

/** What a program without types may give. */
const wrong = (value: unknown): never => value as never;

class Sum {
  step() {}
  inverse() {}
  value() {
    return 0;
  }
  finalize() {
    return 0;
  }
}

const functions = new URL("data:text/javascript,export const one = 1");

/** Definitions that would only fail, or be ignored, later. */
const definitions: readonly [(on: Connection | Pool) => Promise<void>, message: string][] = [
  [
    (on) =>
      on.createAggregate(
        "a",
        1,
        wrong(() => 1),
      ),
    "the aggregate must be a class",
  ],
  [
    (on) =>
      on.createWindowFunction(
        "a",
        1,
        wrong(() => 1),
      ),
    "the window function must be a class",
  ],
  [
    (on) => on.createAggregate("a", 1, wrong({})),
    "the aggregate must be a class, null, or the URL of a module",
  ],
  [(on) => on.createFunction("f", 1, wrong(undefined)), "the function must be a function, null, or the URL"],
  [(on) => on.createFunction("f", 1, wrong("./f.js")), "the function must be a function, null, or the URL"],
  [
    (on) => on.createAggregate("a", 1, Sum, { export: "Sum" }),
    'option "export" goes with the URL of a module',
  ],
  [(on) => on.createFunction("f", 1, () => 1, { export: "f" }), "not with a function"],
  [(on) => on.createFunction("f", 1, null, { export: "f" }), "not with null"],
  [(on) => on.createFunction("f", 1, () => 1, wrong(new Map())), "not something to iterate over"],
  [(on) => on.createTable("t", functions, { export: "none" }), 'has no export "none"'],
  [(on) => on.createTable("t", functions, { export: "one" }), 'must be an object with "columns" and "rows"'],
];

it("refuses at once what is no function, no class or no module", async () => {
  const db = await open();
  const pool = await createPool(":memory:");
  for (const on of [db, pool])
    for (const [define, message] of definitions) await expect(define(on)).rejects.toThrow(message);
  await db.createAggregate("bound", 0, wrong(Sum.bind(null)));
  expect(await db.executeFetchall("SELECT bound()")).toEqual([[0]]);
  await pool.close();
});

it.each([
  [[], "the options must be an object, not an array"],
  [new Map([["readonly", true]]), "the options must be an object, not something to iterate over"],
  [undefined, null],
  [{ pragmas: new Map([["foreign_keys", false]]) }, 'option "pragmas" must be an object'],
  [{ pragmas: ["journal_mode = WAL"] }, 'option "pragmas" must be an object'],
  [{ limits: [5] }, 'option "limits" must be an object'],
  [{ limits: new Map() }, 'option "limits" must be an object'],
  [{ resourceLimits: [] }, 'option "resourceLimits" must be an object'],
  [{ resourceLimits: { maxOldGenerationSizeMB: 50 } }, 'there is no limit "maxOldGenerationSizeMB"'],
  [{ resourceLimits: { stackSizeMb: "4" } }, '"stackSizeMb" must be a number'],
])("refuses options that would be ignored: %o", async (options, message) => {
  const opened = [connect(":memory:", wrong(options)), createPool(":memory:", wrong(options))];
  for (const each of opened) {
    if (message === null) await (await each).close();
    else await expect(each).rejects.toThrow(message);
  }
});

it("does not take undefined for a value of autocommit", async () => {
  const db = await open();
  db.autocommit = true;
  expect(() => {
    db.autocommit = wrong(undefined);
  }).toThrow("autocommit must be true, false, or LEGACY_TRANSACTION_CONTROL");
  expect(db.autocommit).toBe(true);
});

it("says what is wrong with options of pragma(), and with what should be SQL", async () => {
  const pool = await createPool(":memory:");
  await expect(pool.pragma("user_version", wrong({ simpl: true }))).rejects.toThrow(
    'unknown option "simpl"; there is "simple", "signal", "timeout", "integers"',
  );
  await expect(pool.get(wrong({ text: "SELECT 1" }))).rejects.toThrow('not an object with no "sql"');
  await expect(pool.get(wrong({ sql: 1, values: [] }))).rejects.toThrow('not an object with a wrong "sql"');
  await expect(pool.get(wrong({ sql: "SELECT 1" }))).rejects.toThrow('not an object with no "values"');
  await expect(pool.get(wrong(["SELECT 1"]))).rejects.toThrow("not an array");
  await pool.close();
});
