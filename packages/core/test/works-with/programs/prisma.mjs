// Prisma's client, generated here, over the adapter.
import { createPool } from "@sqlite-aio/core";
import { PrismaSqliteAio } from "@sqlite-aio/core/prisma";
import { generate, SCHEMA } from "./prisma-schema.mjs";

generate();
const { Prisma, PrismaClient } = (await import("@prisma/client")).default;

const pool = await createPool("prisma.db", { timeout: 100 });
await pool.exec(SCHEMA);
const prisma = new PrismaClient({ adapter: new PrismaSqliteAio({ pool }), errorFormat: "minimal" });

/** Prisma's code for what a call is rejected with, and what else tells the application what was wrong. */
async function failure(work) {
  try {
    await work();
    return "it was not rejected";
  } catch (error) {
    const { fields, index } = error.meta?.driverAdapterError?.cause.constraint ?? {};
    const known = error instanceof Prisma.PrismaClientKnownRequestError;
    return [
      error.code,
      ...(fields ?? []),
      ...(index === undefined ? [] : [index]),
      ...(known ? [] : [error.name]),
    ];
  }
}

const told = {};

// Values
const at = new Date("2026-01-31T12:00:00.123Z");
const data = {
  email: "ada",
  big: 2n ** 62n,
  bytes: new Uint8Array([1, 2]),
  at,
  json: { a: [1, null] },
  price: "5",
  score: 3,
};
const ada = await prisma.user.create({
  data: {
    ...data,
    posts: { create: [{ title: "one", tags: { create: [{ name: "x" }] } }, { title: "two" }] },
  },
});
const half = await prisma.user.update({
  where: { email: "ada" },
  data: { price: { divide: 2 }, score: { multiply: 1.5 } },
});
told.values = [
  ada.big === 2n ** 62n,
  [...ada.bytes],
  ada.at.toISOString(),
  ada.json,
  ada.admin,
  half.price.toString(),
  half.score,
];

// Relations, many rows, aggregates
await prisma.user.createMany({
  data: Array.from({ length: 300 }, (_, i) => ({ email: `user ${i}`, name: `${i % 3}`, score: i })),
});
const many = Array.from({ length: 33_000 }, (_, i) => i);
told.queries = {
  include: (
    await prisma.user.findUniqueOrThrow({
      where: { id: ada.id },
      include: { posts: { include: { tags: true } } },
    })
  ).posts,
  some: await prisma.user.count({ where: { posts: { some: { tags: { some: { name: "x" } } } } } }),
  groups: await prisma.user.groupBy({
    by: ["name"],
    _count: true,
    where: { name: { not: null } },
    orderBy: { name: "asc" },
  }),
  average: Object.values(
    (await prisma.user.aggregate({ _avg: { score: true }, where: { name: "0" } }))["_avg"],
  ),
  in: (await prisma.user.findMany({ where: { id: { in: many } }, select: { id: true } })).length,
  upsert: (
    await prisma.user.upsert({ where: { email: "ada" }, create: { email: "ada" }, update: { name: "Ada" } })
  ).name,
  deleted: (await prisma.user.deleteMany({ where: { name: "2" } })).count,
};

// Errors
const { post, user } = prisma;
told.errors = {
  unique: await failure(() => user.create({ data: { email: "ada" } })),
  foreignKey: await failure(() => post.create({ data: { title: "lost", authorId: 99_999 } })),
  restrict: await failure(() => user.delete({ where: { id: ada.id } })),
  null: await failure(() => prisma.$executeRaw`INSERT INTO "User" ("email") VALUES (NULL)`),
  missing: await failure(() => user.update({ where: { id: 99_999 }, data: { name: "x" } })),
  raw: await failure(() => prisma.$queryRaw`SELECT * FROM missing`),
  pragma: await failure(() => prisma.$executeRaw`PRAGMA synchronous = OFF`),
  isolation: await failure(() => prisma.$transaction(async () => {}, { isolationLevel: "ReadCommitted" })),
};
await pool.exec('ALTER TABLE "User" RENAME COLUMN "json" TO "other"; ALTER TABLE "Tag" RENAME TO "Gone"');
told.errors.table = await failure(() => prisma.tag.findMany());
told.errors.column = await failure(() => user.findMany());
await pool.exec('ALTER TABLE "User" RENAME COLUMN "other" TO "json"; ALTER TABLE "Gone" RENAME TO "Tag"');
await pool.exec(
  'CREATE TRIGGER not_null BEFORE INSERT ON "Tag" WHEN new.name = \'\' BEGIN INSERT INTO "User" (email) VALUES (NULL); END',
);
told.errors.null = await failure(() => prisma.tag.create({ data: { name: "" } }));

// Interactive transactions
const counts = () => user.count();
const before = await counts();
const inside = await prisma.$transaction(async (tx) => {
  await tx.user.create({ data: { email: "inside" } });
  return [(await tx.user.count()) - before, (await counts()) - before];
});
const undone = await failure(() =>
  prisma.$transaction(async (tx) => {
    await tx.user.deleteMany({ where: { name: "1" } });
    await tx.user.create({ data: { email: "ada" } });
  }),
);
const late = await failure(() =>
  prisma.$transaction(
    async (tx) => {
      await tx.user.create({ data: { email: "late" } });
      // Until Prisma has given up.
      for (;;) await tx.user.count();
    },
    { timeout: 100 },
  ),
);
const first = Promise.withResolvers();
const holder = prisma.$transaction(() => first.promise, { timeout: 20_000 });
const waited = await failure(() => prisma.$transaction(async () => {}, { maxWait: 50 }));
const reads = await counts();
first.resolve();
await holder;
told.transactions = {
  inside,
  undone,
  late,
  waited,
  reads: reads - before,
  batch: await prisma.$transaction([user.count({ where: { email: "late" } }), post.count()]),
  after: (await counts()) - before,
};

// Raw queries
told.raw = {
  declared: (
    await prisma.$queryRaw`SELECT id, "big", "bytes", "at", "json", "price", "score", "admin" FROM "User" WHERE email = ${"ada"}`
  ).map((row) => [
    row.id,
    `${row.big}`,
    [...row.bytes],
    row.at.toISOString(),
    row.json,
    row.price.toString(),
    row.score,
    row.admin,
  ])[0],
  expressions: (
    await prisma.$queryRaw`SELECT count(*) AS n, 7 / ${2} AS quotient, x'0102' AS bytes FROM "Post"`
  ).map(({ n, quotient, bytes }) => [`${n}n`, quotient, [...bytes]])[0],
  changed: await prisma.$executeRaw`UPDATE "Post" SET title = ${"raw"}`,
};

// The pool was given, so it stays open.
await prisma.$disconnect();
told.disconnected = (await pool.get('SELECT count(*) AS n FROM "Tag"')).n;
const first20 = await createPool("prisma.db", { acquireTimeout: 20, readers: 0 });
const impatient = new PrismaClient({
  adapter: new PrismaSqliteAio({ pool: first20 }),
  errorFormat: "minimal",
});
const held = Promise.withResolvers();
const holding = first20.transaction(() => held.promise);
told.pool = await failure(() => impatient.user.count());
held.resolve();
await holding;
const other = await createPool("prisma.db");
const locked = await createPool("prisma.db", { timeout: 20 });
const unlucky = new PrismaClient({ adapter: new PrismaSqliteAio({ pool: locked }), errorFormat: "minimal" });
told.busy = await other.transaction(() => failure(() => unlucky.tag.create({ data: { name: "y" } })));
await Promise.all([impatient, unlucky].map((client) => client.$disconnect()));
await Promise.all([pool, first20, other, locked].map((each) => each.close()));

// A pool of its own, closed and opened again.
const own = new PrismaClient({ adapter: new PrismaSqliteAio({ url: "file:./prisma.db" }) });
const twice = [await own.post.count()];
await own.$disconnect();
twice.push(await own.post.count());
await own.$disconnect();
told.twice = twice;
console.log(JSON.stringify(told));
