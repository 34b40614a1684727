// Prisma's client over the adapter and over @prisma/adapter-better-sqlite3, one after the other: calls a second, and how
// long the main thread was kept from its timers at the most.
import { rmSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { createPool } from "@sqlite-aio/core";
import { PrismaSqliteAio } from "@sqlite-aio/core/prisma";
import { PrismaBetterSqlite3 } from "@prisma/adapter-better-sqlite3";
import { generate, SCHEMA } from "./prisma-schema.mjs";

generate();
const { PrismaClient } = (await import("@prisma/client")).default;

const USERS = 20_000;

/** Calls a second of `callers` at a time that go on for `ms`, and the longest time between two ticks, in ms. */
async function measure(call, callers, ms) {
  const end = performance.now() + ms;
  let calls = 0;
  let longest = 0;
  let last = performance.now();
  const ticker = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const began = performance.now();
  const loop = async (caller) => {
    for (let i = 0; performance.now() < end; i++) {
      await call(caller, i);
      calls++;
      // As a server does, whose next request comes from outside.
      await turn();
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => loop(caller)));
  const seconds = (performance.now() - began) / 1000;
  clearInterval(ticker);
  return { perSecond: calls / seconds, stall: Math.max(longest, performance.now() - last) };
}

const id = (caller, i) => ((caller * 7919 + i * 31) % USERS) + 1;
const works = {
  "find one, 1 caller": [1, (prisma, c, i) => prisma.user.findUnique({ where: { id: id(c, i) } })],
  "find one, 32 callers": [
    32,
    (prisma, c, i) => prisma.user.findFirst({ where: { email: `user ${id(c, i)}` } }),
  ],
  "find 100 of them, 4 callers": [
    4,
    (prisma, c, i) => prisma.user.findMany({ where: { id: { gt: id(c, i) } }, take: 100 }),
  ],
  "a report over all, 4 callers": [
    4,
    (prisma) =>
      prisma.$queryRaw`SELECT name, count(*), avg(score), max(length(email)) FROM "User" GROUP BY name, length(email) ORDER BY 3`,
  ],
  "create, 1 caller": [
    1,
    (prisma, c, i) => prisma.user.create({ data: { email: `new ${c} ${i} ${Math.random()}` } }),
  ],
  "create, 32 callers": [
    32,
    (prisma, c, i) => prisma.user.create({ data: { email: `new ${c} ${i} ${Math.random()}` } }),
  ],
  "a transaction of 3, 8 callers": [
    8,
    (prisma, c, i) =>
      prisma.$transaction(
        async (tx) => {
          await tx.user.update({ where: { id: id(c, i) }, data: { score: { increment: 1 } } });
          await tx.user.update({ where: { id: id(c, i + 1) }, data: { score: { decrement: 1 } } });
          return await tx.user.count({ where: { id: id(c, i) } });
        },
        { maxWait: 20_000 },
      ),
  ],
};

const database = (name) => `figures-${name}.db`;
for (const name of ["ours", "theirs"]) {
  for (const end of ["", "-wal", "-shm"]) rmSync(`${database(name)}${end}`, { force: true });
  // Both in WAL mode, as a pool's file is.
  await using pool = await createPool(database(name));
  await pool.exec(SCHEMA);
  await pool.run(
    `INSERT INTO "User" (email, name, score, at) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${USERS})
     SELECT 'user ' || i, 'name ' || (i % 500), i, '2026-01-31T12:00:00.000+00:00' FROM n`,
  );
}
const clients = {
  ours: new PrismaClient({ adapter: new PrismaSqliteAio({ url: database("ours") }) }),
  theirs: new PrismaClient({ adapter: new PrismaBetterSqlite3({ url: database("theirs") }) }),
};
// A pool's commits are on the disk when they are answered; in WAL mode the engine alone leaves that open.
await clients.theirs.$queryRaw`PRAGMA synchronous = FULL`;
const ms = Number(process.argv[2] ?? 1000);
const told = {};
for (const [work, [callers, call]] of Object.entries(works)) {
  const rounds = { ours: [], theirs: [] };
  // Turn by turn, so that what else the machine does falls on both.
  for (let round = 0; round < 4; round++) {
    for (const name of round % 2 === 0 ? ["ours", "theirs"] : ["theirs", "ours"]) {
      const measured = await measure(
        (c, i) => call(clients[name], c, round * 1_000_000 + i),
        callers,
        round === 0 ? ms / 4 : ms,
      );
      if (round > 0) rounds[name].push(measured);
    }
  }
  const median = (name, what) => rounds[name].map((round) => round[what]).toSorted((a, b) => a - b)[1];
  told[work] = Object.fromEntries(
    ["ours", "theirs"].map((name) => [
      name,
      { perSecond: median(name, "perSecond"), stall: median(name, "stall") },
    ]),
  );
}
for (const client of Object.values(clients)) await client.$disconnect();
console.log(JSON.stringify(told));
