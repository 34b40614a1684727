import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { Cursor } from "@sqlite-aio/core";
import { open } from "../support/database.ts";
import { python } from "../support/python.ts";

/** A call of one of two cursors of a connection. No statement reads what another one writes: rows are read ahead. */
interface Step {
  readonly cursor: 0 | 1;
  readonly method: "execute" | "executemany" | "fetchone" | "fetchmany" | "fetchall";
  readonly argument?: string | number | undefined;
}

const SET_UP = "CREATE TABLE t (a); CREATE TABLE u (a UNIQUE); INSERT INTO u VALUES (1)";
const INSERT = "INSERT INTO t VALUES (?)";
const SETS = [[1], [2], [3]];

const select = fc
  .record({ first: fc.nat(9), rows: fc.constantFrom(0, 1, 3, 64, 65, 200, 3000) })
  .map(
    ({ first, rows }) =>
      `WITH RECURSIVE n (i) AS (SELECT ${first} UNION ALL SELECT i + 1 FROM n LIMIT ${rows}) SELECT i FROM n`,
  );
const writesOrFails = fc.constantFrom(
  "INSERT INTO t VALUES (4)",
  "INSERT INTO u VALUES (1)",
  "SELECT missing",
);
const step = fc.record({ cursor: fc.constantFrom(0 as const, 1 as const) }).chain(({ cursor }) =>
  fc.oneof(
    { weight: 3, arbitrary: select.map((argument): Step => ({ cursor, method: "execute", argument })) },
    {
      weight: 2,
      arbitrary: writesOrFails.map((argument): Step => ({ cursor, method: "execute", argument })),
    },
    { weight: 3, arbitrary: fc.constant<Step>({ cursor, method: "fetchone" }) },
    {
      weight: 2,
      arbitrary: fc
        .integer({ min: 1, max: 70 })
        .map((argument): Step => ({ cursor, method: "fetchmany", argument })),
    },
    { weight: 1, arbitrary: fc.constant<Step>({ cursor, method: "fetchall" }) },
    { weight: 1, arbitrary: fc.constant<Step>({ cursor, method: "executemany" }) },
  ),
);
const programs = fc.sample(fc.array(step, { minLength: 3, maxLength: 16 }), { seed: 1, numRuns: 60 });

/** What each call gives in CPython, where each one waits for the one before. */
const answers = (): unknown =>
  python(`
def run(steps):
    db = sqlite3.connect(":memory:")
    db.executescript(${JSON.stringify(SET_UP)})
    cursors = [db.cursor(), db.cursor()]
    def answer(step):
        cursor, method = cursors[step["cursor"]], step["method"]
        arguments = [${JSON.stringify(INSERT)}, ${JSON.stringify(SETS)}] if method == "executemany" else [step["argument"]] if "argument" in step else []
        try:
            result = getattr(cursor, method)(*arguments)
        except Exception as error:
            return type(error).__name__
        return "cursor" if result is cursor else result
    return [answer(step) for step in steps]
print(json.dumps([run(steps) for steps in json.loads(${JSON.stringify(JSON.stringify(programs))})]))
`);

async function run(steps: readonly Step[]): Promise<unknown[]> {
  const db = await open(":memory:", { warnOnRollback: false });
  await db.executescript(SET_UP);
  const cursors = [await db.cursor(), await db.cursor()] as const;
  const answer = async (result: Promise<unknown>): Promise<unknown> => {
    try {
      const given = await result;
      return cursors.includes(given as Cursor) ? "cursor" : given;
    } catch (error) {
      return (error as Error).name;
    }
  };
  const call = ({ cursor: number, method, argument }: Step): Promise<unknown> => {
    const cursor = cursors[number];
    if (method === "execute") return cursor.execute(argument as string);
    if (method === "executemany") return cursor.executemany(INSERT, SETS);
    return method === "fetchmany" ? cursor.fetchmany(argument as number) : cursor[method]();
  };
  return await Promise.all(steps.map((one) => answer(call(one))));
}

it("calls of cursors that are made in one tick give what CPython gives one after the other", async () => {
  const expected = answers() as unknown[];
  for (const [number, steps] of programs.entries())
    expect({ steps, answers: await run(steps) }).toEqual({ steps, answers: expected[number] });
});
