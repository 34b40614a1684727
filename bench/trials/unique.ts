import { TAKEN_CODE } from "../datasets.ts";
import type { Eventually, Session } from "../driver.ts";
import type { Metrics } from "../measure.ts";
import type { Trial, TrialContext } from "../trial.ts";
import { type Questions, timeCalls } from "./point-read.ts";

const SQL = "insert into codes (code, stock) values (?, ?)";
const COUNT = "select count(*) as inserted from codes";
const CALLERS = 64;
/** One in this many inserts has a code that exists already. */
const ONE_IN = 20;

export const uniqueInserts: readonly Trial[] = [
  trial("unique-64", "none refused", 0),
  trial("unique-refused-64", "one in 20 refused", ONE_IN),
];

function trial(name: string, title: string, oneIn: number): Trial {
  return {
    name,
    title: `Inserts under a UNIQUE constraint, 64 in flight, ${title}`,
    description: `Single-row inserts, synchronous=FULL, each committed before its caller is answered${oneIn === 0 ? "" : `; one in ${oneIn} has an existing value and must reject`}. Calls/s counts the rows that were stored; they are counted afterwards.`,
    dataset: "codes",
    writes: true,
    settings: { synchronous: "FULL", callers: CALLERS },
    needs: ["run", "get"],
    drivers: ["sqlite-aio-connection", "sqlite-aio-pool", "better-sqlite3", "sqlite3", "comlink"],
    maxRounds: 2,
    columns: ["opsPerSecond", "p50Us", "p99Us", "stallMs", "stallP99Ms", "cpuUsPerCall", "peakRssMb"],
    run: (context) => countedInserts(context, oneIn),
  };
}

async function countedInserts(context: TrialContext, oneIn: number): Promise<Metrics> {
  let [calls, stored] = [0, 0];
  let session: Session | undefined;
  const metrics = await timeCalls(context, CALLERS, (opened): Questions<boolean> => {
    session = opened;
    return {
      ask: () => {
        calls++;
        const taken = oneIn !== 0 && calls % oneIn === 0;
        return taken ? refused(opened) : accepted(opened, `code ${calls}`);
      },
      check: (isStored) => {
        if (isStored) stored++;
      },
    };
  });
  const found = (await session?.get(COUNT, []))?.["inserted"];
  if (found !== stored + 1) throw new Error(`${stored} inserts answered, ${Number(found) - 1} rows stored`);
  const share = oneIn === 0 ? 1 : 1 - 1 / oneIn;
  return { ...metrics, opsPerSecond: (metrics["opsPerSecond"] ?? 0) * share };
}

function accepted(session: Session, code: string): Eventually<boolean> {
  const answer = session.run?.(SQL, [code, 7]);
  return answer instanceof Promise ? answer.then(() => true) : true;
}

function refused(session: Session): Eventually<boolean> {
  const not = (): never => {
    throw new Error("a code was stored twice");
  };
  const asItShould = (error: unknown): false => {
    if (!/UNIQUE/.test(String(error))) throw error;
    return false;
  };
  let answer: unknown;
  try {
    answer = session.run?.(SQL, [TAKEN_CODE, 7]);
  } catch (error) {
    return asItShould(error);
  }
  return answer instanceof Promise ? answer.then(not, asItShould) : not();
}
