import { parentPort, workerData } from "node:worker_threads";
import { codeOf, type Engine, native, open } from "./engine.ts";

/** Orders for a thread. It answers each with one message. */
export type Order =
  /** Opens a handle and answers its token. */
  | { kind: "open" }
  /** Runs a statement, and sets word 0 when it runs. Answers its value or `{ code }`. */
  | { kind: "count"; steps: number }
  /**
   * Opens, runs and closes `rounds` handles, with the token of the open one in word 1. Answers how each round ended.
   */
  | { kind: "churn"; rounds: number }
  /**
   * Sets word 0, then interrupts the handle in word 1 until that word is -1. Answers how often the handle was open and
   * how often not.
   */
  | { kind: "storm" }
  /** Installs an authorizer and answers what it was asked for `select a from t`. */
  | { kind: "authorize" }
  | { kind: "close" };

const words = workerData as BigInt64Array;
const endless = (steps: number) =>
  `with recursive n(i) as (select started() union all select i + 1 from n limit ${steps}) select count(*) from n`;

let handle: ReturnType<typeof open> | undefined;

function count(db: Engine, steps: number): unknown {
  let value: unknown;
  const code = codeOf(() => {
    value = db.prepare(endless(steps)).pluck().get();
  });
  return code === undefined ? value : { code };
}

function started(): number {
  Atomics.store(words, 0, 1n);
  Atomics.notify(words, 0);
  return 1;
}

function opened(): ReturnType<typeof open> {
  const fresh = open();
  fresh.db.function("started", {}, started);
  return fresh;
}

function churn(rounds: number): { finished: number; interrupted: number; tokens: number } {
  const tokens = new Set<number>();
  let interrupted = 0;
  for (let round = 0; round < rounds; round++) {
    const { db, token } = opened();
    tokens.add(token);
    Atomics.store(words, 1, BigInt(token));
    const value = count(db, 2_000);
    if (value !== 2_000) {
      if ((value as { code: string }).code !== "SQLITE_INTERRUPT")
        throw new Error(`round ${round}: ${String(value)}`);
      interrupted++;
    }
    db.close();
  }
  Atomics.store(words, 1, -1n);
  return { finished: rounds - interrupted, interrupted, tokens: tokens.size };
}

function storm(): { alive: number; dead: number } {
  const seen = { alive: 0, dead: 0 };
  started();
  for (;;) {
    const token = Atomics.load(words, 1);
    if (token === -1n) return seen;
    seen[native.interrupt(Number(token)) ? "alive" : "dead"]++;
  }
}

function authorize(): unknown[] {
  const asked: unknown[] = [];
  const { db, token } = (handle ??= opened());
  db.exec("create table t (a)");
  native.setAuthorizer(token, (...all) => {
    asked.push(all);
    return 0;
  });
  db.prepare("select a from t");
  return asked;
}

function carryOut(order: Order): unknown {
  switch (order.kind) {
    case "open":
      handle = opened();
      return handle.token;
    case "count":
      return count((handle ??= opened()).db, order.steps);
    case "churn":
      return churn(order.rounds);
    case "storm":
      return storm();
    case "authorize":
      return authorize();
    case "close":
      handle?.db.close();
      return true;
  }
}

parentPort?.on("message", (order: Order) => parentPort?.postMessage(carryOut(order)));
