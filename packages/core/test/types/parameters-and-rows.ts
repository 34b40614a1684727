// Compiled by the compilers of declarations.test.ts and never run: what is refused is refused by all of them.
import {
  type Connection,
  createPool,
  type ObjectRow,
  type Parameters,
  type Pool,
  registerAdapter,
  type SqlValue,
} from "@sqlite-aio/core";

interface City {
  readonly id: number;
  name: string;
  picture?: Buffer | null;
}

interface Visit {
  readonly at: Date;
}

class Celsius {
  readonly degrees: number;
  constructor(degrees: number) {
    this.degrees = degrees;
  }
  toFahrenheit(): number {
    return this.degrees * 1.8 + 32;
  }
}

declare module "@sqlite-aio/core" {
  interface AdaptedTypes {
    celsius: Celsius;
  }
}

type Probe<A> = <T>() => T extends A ? 1 : 2;
type Equal<A, B> = Probe<A> extends Probe<B> ? true : false;
const same = <T extends true>(proof: T): T => proof;

export async function parameters(pool: Pool, db: Connection, city: City, given?: Parameters): Promise<void> {
  const sql = "SELECT 1";
  const visit: Visit = { at: new Date() };
  registerAdapter(Celsius, ({ degrees }) => degrees);

  await pool.run(sql);
  await pool.run(sql, []);
  await pool.run(sql, [1, 1n, 1.5, "a", true, null, undefined, Buffer.alloc(1), new ArrayBuffer(1)]);
  await pool.run(sql, [new Uint8Array(1), new Float64Array(1), new DataView(new ArrayBuffer(8))]);
  await pool.run(sql, { a: 1, b: "b", c: null });
  await pool.run(sql, given, { timeout: 10 });
  await pool.run(sql, [1, 2] as const);
  await pool.run(sql, [new Celsius(1)]);
  await pool.get<City>(sql, { degrees: new Celsius(1) });
  // An interface has no index signature.
  await pool.run(sql, city);
  await pool.get(sql, city);
  await pool.get<City>(sql, city);
  await pool.all<City>(sql, city);
  await pool.execute(sql, city);
  for await (const { name } of pool.iterate<City>(sql, city)) name.at(0);
  await pool.watch<City>(sql, city).return();
  await pool.read(async (tx) => await tx.get<City>(sql, city));
  await pool.transaction(async (tx) => await tx.run(sql, city));
  await db.execute(sql, city);
  await db.get<City>(sql, city);
  await db.run(sql, city);
  await db.executemany(sql, [city]);
  await db.executemany(sql, new Set([[1, "a"]]));
  await db.executeFetchall<City>(sql, city);

  // @ts-expect-error: a Date has no adapter here
  await pool.run(sql, [new Date()]);
  // @ts-expect-error: nor in an object
  await pool.run(sql, { when: new Date() });
  // @ts-expect-error: and it is no object of parameters
  await pool.run(sql, new Date());
  // @ts-expect-error: an array is no value
  await pool.run(sql, [[1, 2]]);
  // @ts-expect-error: not in an object either
  await pool.run(sql, { ids: [1, 2] });
  // @ts-expect-error: nor is a function
  await pool.run(sql, [() => 1]);
  // @ts-expect-error: which is no object of parameters
  await pool.run(sql, () => 1);
  // @ts-expect-error: a Map is none, either
  await pool.run(sql, new Map([["a", 1]]));
  // @ts-expect-error: nor is it a value
  await pool.run(sql, [new Map()]);
  // @ts-expect-error: nor is any other object
  await pool.run(sql, [{ a: 1 }]);
  // @ts-expect-error: values go into an array
  await pool.run(sql, 5);
  // @ts-expect-error: text, too
  await pool.run(sql, "a");
  // @ts-expect-error: and bytes
  await pool.run(sql, Buffer.alloc(1));
  // @ts-expect-error: and what is promised
  await pool.run(sql, Promise.resolve([1]));
  // @ts-expect-error: a symbol is no value
  await pool.run(sql, [Symbol.iterator]);
  // @ts-expect-error: also where the type of the rows is given
  await pool.get<City>(sql, [new Date()]);
  // @ts-expect-error: so with the type of the rows
  await pool.get<City>(sql, { when: new Date() });
  // @ts-expect-error: so with the type of the rows
  await pool.get<City>(sql, new Date());
  // @ts-expect-error: so with the type of the rows
  await pool.all<City>(sql, { ids: [1] });
  // @ts-expect-error: so with the type of the rows
  await pool.all<City>(sql, new Map());
  // @ts-expect-error: so with the type of the rows
  await pool.all<City>(sql, () => 1);
  // @ts-expect-error: so with the type of the rows
  pool.iterate<City>(sql, Buffer.alloc(1));
  // @ts-expect-error: so with the type of the rows
  pool.watch<City>(sql, [new Date()]);
  // @ts-expect-error: so with the type of the rows
  await pool.transaction(async (tx) => await tx.run(sql, [new Date()]));
  // @ts-expect-error: so with the type of the rows
  await pool.read(async (tx) => await tx.get(sql, [new Date()]));
  // @ts-expect-error: so with the type of the rows
  await db.execute(sql, [new Date()]);
  // @ts-expect-error: so with the type of the rows
  await db.get(sql, { when: new Date() });
  // @ts-expect-error: so with the type of the rows
  await db.executemany(sql, [[new Date()]]);
  // @ts-expect-error: an interface with a value that cannot be bound
  await pool.run(sql, visit);
}

export async function rows(db: Connection): Promise<void> {
  const pool = await createPool(":memory:");
  const sql = "SELECT 1 AS id";

  const first = await pool.get(sql);
  same<Equal<typeof first, ObjectRow | undefined>>(true);
  same<Equal<ObjectRow, Record<string, SqlValue>>>(true);
  same<Equal<SqlValue, string | number | bigint | Buffer | null>>(true);
  // @ts-expect-error: there may be no row
  void first.id;
  const all = await pool.all(sql);
  same<Equal<typeof all, ObjectRow[]>>(true);
  for await (const row of pool.iterate(sql)) same<Equal<typeof row, ObjectRow>>(true);
  for await (const found of pool.watch(sql)) same<Equal<typeof found, ObjectRow[]>>(true);

  const city = await pool.get<City>(sql);
  same<Equal<typeof city, City | undefined>>(true);
  const read = await pool.read(async (tx) => await tx.get(sql));
  same<Equal<typeof read, ObjectRow | undefined>>(true);
  const written = await pool.transaction(async (tx) => await tx.all(sql));
  same<Equal<typeof written, ObjectRow[]>>(true);

  const cells = await db.get(sql);
  // @ts-expect-error: there may be no row
  void cells[0];
  cells?.[0].toFixed();
  cells?.["id"].toFixed();
  const cursor = await db.execute(sql);
  const next = await cursor.fetchone();
  // @ts-expect-error: there may be none left
  void next[0];
  const [id] = (await cursor.fetchone()) ?? [0];
  id.toFixed();
  const named = await cursor.fetchone<City>();
  same<Equal<typeof named, City | null>>(true);
  for await (const [anything] of db.execute(sql)) anything.toFixed();
  for await (const { anything } of cursor) anything.toFixed();
}
