import { setImmediate as turn } from "node:timers/promises";
import { USER_COUNT } from "../datasets.ts";
import type { PrismaUsers } from "../driver.ts";
import type { Trial, TrialContext } from "../trial.ts";
import { type Questions, timeLoad } from "./point-read.ts";

const DRIVERS = ["sqlite-aio-prisma", "prisma-better-sqlite3"];
const MANY = 100;
const PARALLEL = 8;

interface Work<Answer> {
  readonly callers?: number;
  readonly ask: (users: PrismaUsers, id: number, count: number) => Promise<Answer>;
  readonly right: (answer: Answer, id: number) => boolean;
}

export const prismaClients: readonly Trial[] = [
  trial("find-1", "find one", {
    ask: (users, id) => users.find(id),
    right: (user, id) => user?.id === id,
  }),
  trial("find-100", "find 100", {
    ask: (users, id) => users.findMany(id - 1, MANY),
    right: (users, id) => users.length === MANY && users[0]?.id === id,
  }),
  trial("find-8", "8 finds at a time", {
    callers: PARALLEL,
    ask: (users, id) => users.find(id),
    right: (user, id) => user?.id === id,
  }),
  trial("create", "create", {
    ask: (users, _, count) => users.create(`new ${count}`),
    right: ({ id }) => id > USER_COUNT,
  }),
  trial("transaction", "interactive transaction of three statements", {
    ask: (users, id) => users.transfer(id, id + 1),
    right: (count) => count === 2,
  }),
];

function trial<Answer>(name: string, title: string, work: Work<Answer>): Trial {
  const callers = work.callers ?? 1;
  return {
    name: `prisma-${name}`,
    title: `Prisma: ${title}`,
    description: `\`PrismaClient\` 7 over 20,000 users of ten columns, ${callers === 1 ? "one caller" : `${callers} callers`}, a turn of the loop after each answer; every answer is checked.`,
    dataset: "users",
    writes: true,
    settings: { synchronous: "FULL", callers },
    needs: ["get"],
    drivers: DRIVERS,
    maxRounds: 2,
    columns: ["opsPerSecond", "p50Us", "p99Us", "stallMs", "stallP99Ms", "cpuUsPerCall", "peakRssMb"],
    run: (context) => timeUsers(context, callers, work),
  };
}

async function timeUsers<Answer>(context: TrialContext, callers: number, work: Work<Answer>) {
  const users = await context.driver.openPrisma!(context.file);
  try {
    return await timeLoad(context.effort, { callers, blocks: false, ...questions(users, callers, work) });
  } finally {
    await users.close();
  }
}

function questions<Answer>(users: PrismaUsers, callers: number, work: Work<Answer>): Questions<Answer> {
  const ids = new Int32Array(callers);
  let count = 0;
  return {
    ask: async (caller) => {
      const id = 1 + ((count++ * 7_919) % (USER_COUNT - MANY));
      ids[caller] = id;
      const answer = await work.ask(users, id, count);
      // As in a server, where the next request comes from outside.
      await turn();
      return answer;
    },
    check: (answer, caller) => {
      if (!work.right(answer, ids[caller] ?? 0)) throw new Error(`user ${ids[caller]} was answered wrongly`);
    },
  };
}
