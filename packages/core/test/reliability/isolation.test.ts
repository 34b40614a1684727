import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import type { Connection, Pool, PoolTransaction } from "@sqlite-aio/core";
import { afterAll, describe, expect, it } from "vitest";
import { open, openEngine, temporaryPath } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";
import { random } from "../support/random.ts";
import { figure, seed, times, within } from "./scale.ts";

const CALLERS = 50;
const ACCOUNTS = 12;
const START = 1000;
const SCHEMA = `
  CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
  CREATE TABLE latest (version INTEGER NOT NULL);
  CREATE TABLE entry (version INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE,
    source INTEGER, target INTEGER, amount INTEGER, source_seen INTEGER, target_seen INTEGER);
  CREATE TABLE note (id INTEGER);
  INSERT INTO latest VALUES (0);
  INSERT INTO account WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${ACCOUNTS}) SELECT i, ${START} FROM n;
`;

/** The steps of a transaction, drawn before it begins. */
interface Plan {
  readonly id: number;
  readonly source: number;
  readonly target: number;
  readonly amount: number;
  /** Before which of its statements it throws, if ever. */
  readonly throwsAt: number;
  /** A savepoint that holds the second half, one that is undone, or none. */
  readonly savepoint: "kept" | "undone" | "none";
  readonly aborts: boolean;
}

/** The common part of a pool's and a connection's transactions. */
interface Handle {
  row(sql: string, parameters: number[]): Promise<number[]>;
  run(sql: string, parameters: number[]): Promise<unknown>;
  nested(fn: (handle: Handle) => Promise<void>): Promise<void>;
}

interface Bank {
  readonly path: string;
  transaction(fn: (handle: Handle) => Promise<void>, signal: AbortSignal | undefined): Promise<void>;
  /** Runs `fn` in one snapshot. */
  snapshot(fn: (handle: Pick<Handle, "row">) => Promise<void>): Promise<void>;
  /** A write of its own between the transactions. */
  note(id: number): Promise<unknown>;
}

interface Snapshot {
  readonly version: number;
  readonly balances: string;
}

const planned = new Error("planned");
const enough = new Error("enough");

function planOf(id: number, below: (n: number) => number): Plan {
  const source = 1 + below(ACCOUNTS);
  return {
    id,
    source,
    target: 1 + ((source + below(ACCOUNTS - 1)) % ACCOUNTS),
    amount: 1 + below(50),
    throwsAt: id % 3 === 0 ? below(6) : Number.POSITIVE_INFINITY,
    savepoint: (["kept", "undone", "none", "none"] as const)[below(4)]!,
    aborts: below(5) === 0,
  };
}

/** Moves money; reads, then writes what follows from that, so that a neighbour's write between the two would be lost. */
async function transfer(handle: Handle, plan: Plan): Promise<void> {
  const { source, target, amount } = plan;
  let statements = 0;
  const step = (): void => {
    if (statements++ === plan.throwsAt) throw planned;
  };
  step();
  const [version, sourceSeen, targetSeen] = (await handle.row(
    "SELECT (SELECT version FROM latest), (SELECT balance FROM account WHERE id = ?), (SELECT balance FROM account WHERE id = ?)",
    [source, target],
  )) as [number, number, number];
  step();
  await handle.run("UPDATE account SET balance = ? WHERE id = ?", [sourceSeen - amount, source]);
  const rest = async (inner: Handle): Promise<void> => {
    step();
    await inner.run("UPDATE account SET balance = ? WHERE id = ?", [targetSeen + amount, target]);
    step();
    await inner.run("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", [
      version + 1,
      plan.id,
      source,
      target,
      amount,
      sourceSeen,
      targetSeen,
    ]);
    step();
  };
  if (plan.savepoint === "kept") await handle.nested(rest);
  else {
    if (plan.savepoint === "undone") await undone(handle);
    await rest(handle);
  }
  await handle.run("UPDATE latest SET version = ?", [version + 1]);
  step();
}

/** A savepoint that ruins everything, and is rolled back. */
async function undone(handle: Handle): Promise<void> {
  const ruin = new Error("undone");
  try {
    await handle.nested(async (inner) => {
      await inner.run("UPDATE account SET balance = balance + ?", [1_000_000]);
      await inner.run("INSERT INTO note VALUES (?)", [-1]);
      throw ruin;
    });
  } catch (error) {
    if (error !== ruin) throw error;
  }
}

/** Lets a moment pass: none, some turns of the loop, or a millisecond or two. */
async function moment(below: (n: number) => number): Promise<void> {
  const kind = below(3);
  if (kind === 1) for (let turns = below(30); turns > 0; turns--) await turn();
  if (kind === 2) await sleep(below(4));
}

/** The history, and the violations found in it. */
interface History {
  readonly acknowledged: Set<number>;
  readonly notes: Set<number>;
  readonly snapshots: Snapshot[];
  readonly violations: string[];
  aborted: number;
  threw: number;
}

async function perform(bank: Bank, transactions: number): Promise<History> {
  const history: History = {
    acknowledged: new Set(),
    notes: new Set(),
    snapshots: [],
    violations: [],
    aborted: 0,
    threw: 0,
  };
  const below = random(seed);
  const state = { over: false };
  let next = 0;
  const call = async (): Promise<void> => {
    while (next < transactions) {
      const plan = planOf(next++, below);
      const controller = plan.aborts ? new AbortController() : null;
      const work = bank
        .transaction((handle) => transfer(handle, plan), controller?.signal)
        .then(
          () => void history.acknowledged.add(plan.id),
          (error: unknown) => {
            if (error === planned && plan.throwsAt < 6) history.threw++;
            else if (error === enough && plan.aborts) history.aborted++;
            else history.violations.push(`transaction ${plan.id} rejected with ${String(error)}`);
          },
        );
      if (controller !== null) {
        await moment(below);
        controller.abort(enough);
      }
      if (plan.id % 7 === 0) {
        await bank.note(plan.id);
        history.notes.add(plan.id);
      }
      await work;
    }
  };
  const look = async (): Promise<void> => {
    while (!state.over) {
      await bank.snapshot(async (handle) => {
        const [version] = (await handle.row("SELECT version FROM latest", [])) as [number];
        await turn();
        const balances = await handle.row(
          "SELECT group_concat(balance) FROM (SELECT balance FROM account ORDER BY id)",
          [],
        );
        const [again, ruins] = (await handle.row(
          "SELECT version, (SELECT count(*) FROM note WHERE id < 0) FROM latest",
          [],
        )) as [number, number];
        if (again !== version) history.violations.push(`a snapshot moved from ${version} to ${again}`);
        if (ruins !== 0) history.violations.push(`the snapshot of ${version} has what was undone`);
        history.snapshots.push({ version, balances: String(balances[0]) });
      });
      // Room for the writers between two snapshots.
      await sleep(1);
    }
  };
  const looks = Array.from({ length: 3 }, look);
  await Promise.all(Array.from({ length: CALLERS }, call));
  state.over = true;
  await Promise.all(looks);
  return history;
}

type Entry = [
  version: number,
  id: number,
  source: number,
  target: number,
  amount: number,
  sourceSeen: number,
  targetSeen: number,
];

/** Does the transactions again one after the other, in the order that they say they had, and compares what each has seen. */
function replay(path: string, history: History): void {
  const { violations } = history;
  const engine = openEngine(path);
  const entries = engine.prepare("SELECT * FROM entry ORDER BY version").raw().all() as Entry[];
  const balances = Array.from({ length: ACCOUNTS }, () => START);
  const states = [balances.join(",")];
  for (const [i, [version, id, source, target, amount, sourceSeen, targetSeen]] of entries.entries()) {
    if (version !== i + 1) violations.push(`entry ${i} has version ${version}`);
    if (!history.acknowledged.has(id)) violations.push(`transaction ${id} was rejected and is there`);
    if (balances[source - 1] !== sourceSeen || balances[target - 1] !== targetSeen)
      violations.push(`transaction ${id} has seen balances that there were not at version ${version}`);
    balances[source - 1]! -= amount;
    balances[target - 1]! += amount;
    states.push(balances.join(","));
  }
  if (entries.length !== history.acknowledged.size)
    violations.push(`${history.acknowledged.size} were acknowledged, ${entries.length} are there`);
  for (const snapshot of history.snapshots) {
    if (states[snapshot.version] !== snapshot.balances)
      violations.push(`a snapshot of version ${snapshot.version} shows balances of another`);
  }
  const last = engine
    .prepare("SELECT group_concat(balance) FROM (SELECT balance FROM account ORDER BY id)")
    .pluck()
    .get();
  if (last !== balances.join(",")) violations.push("the balances are not those of the entries");
  const notes = engine.prepare("SELECT id FROM note ORDER BY id").pluck().all() as number[];
  if (notes.join() !== [...history.notes].toSorted((a, b) => a - b).join())
    violations.push("the notes are not those that were written");
  engine.close();
}

function poolHandle(
  tx: Pick<PoolTransaction, "execute"> & Partial<Pick<PoolTransaction, "run" | "transaction">>,
): Handle {
  return {
    row: async (sql, parameters) => (await tx.execute(sql, parameters)).rows[0] as number[],
    run: (sql, parameters) => tx.run!(sql, parameters),
    nested: (fn) => tx.transaction!((inner) => fn(poolHandle(inner))),
  };
}

function connectionHandle(tx: Pick<Connection, "executeFetchall" | "execute" | "transaction">): Handle {
  return {
    row: async (sql, parameters) => (await tx.executeFetchall<number[]>(sql, parameters))[0]!,
    run: (sql, parameters) => tx.execute(sql, parameters),
    nested: (fn) => tx.transaction((inner) => fn(connectionHandle(inner))),
  };
}

function poolBank(pool: Pool, path: string): Bank {
  return {
    path,
    transaction: (fn, signal) => pool.transaction((tx) => fn(poolHandle(tx)), { signal }),
    snapshot: (fn) => pool.read((tx) => fn(poolHandle(tx))),
    note: (id) => pool.run("INSERT INTO note VALUES (?)", [id]),
  };
}

const performed = { transactions: 0, snapshots: 0, threw: 0, aborted: 0, arrangements: 0 };

async function hold(bank: Bank, transactions: number): Promise<void> {
  const history = await perform(bank, transactions);
  replay(bank.path, history);
  expect(history.violations).toEqual([]);
  expect(history.acknowledged.size + history.threw + history.aborted).toBe(transactions);
  expect(Math.min(history.threw, history.aborted, history.snapshots.length)).toBeGreaterThan(0);
  performed.transactions += transactions;
  performed.snapshots += history.snapshots.length;
  performed.threw += history.threw;
  performed.aborted += history.aborted;
  performed.arrangements++;
}

/** An aborted call is answered before its transaction is rolled back. */
async function everyConnectionIsFree(pool: Pool, writers: number, readers: number): Promise<void> {
  const modes = [...Array<"write">(writers).fill("write"), ...Array<"read">(readers).fill("read")];
  const leases = await Promise.all(modes.map((mode) => pool.acquire({ mode })));
  await Promise.all(leases.map((lease) => pool.release(lease)));
}

describe(`${CALLERS} callers, of whom a third throw and some abort, have a serial order that every snapshot agrees with`, () => {
  const pragmas = { synchronous: "OFF" };
  const limit = within(60_000, 900_000);

  it("on a pool of one writer and readers", { timeout: limit }, async () => {
    const path = await temporaryPath();
    const pool = await openPool({ readers: 3, pragmas, acquireTimeout: 0 }, path);
    await pool.exec(SCHEMA);
    await hold(poolBank(pool, path), times(400, 35_000));
    await everyConnectionIsFree(pool, 1, 3);
    expect(pool.stats()).toMatchObject({ pending: 0, waiting: 0, busy: 0, respawned: 0 });
  });

  it("on a pool of equal connections", { timeout: limit }, async () => {
    const path = await temporaryPath();
    const pool = await openPool(
      { readers: 0, writers: 3, pragmas, acquireTimeout: 0, timeout: 120_000 },
      path,
    );
    await pool.exec(SCHEMA);
    await hold(poolBank(pool, path), times(250, 30_000));
    await everyConnectionIsFree(pool, 3, 0);
    expect(pool.stats()).toMatchObject({ pending: 0, waiting: 0, busy: 0, respawned: 0 });
  });

  it("on one connection that all of them share", { timeout: limit }, async () => {
    const path = await temporaryPath();
    const db = await open(path, { isolationLevel: null, pragmas });
    await db.executescript(SCHEMA);
    await hold(
      {
        path,
        transaction: (fn, signal) =>
          db.transaction((tx) => fn(connectionHandle(tx)), { mode: "immediate", signal }),
        snapshot: (fn) => db.transaction((tx) => fn(connectionHandle(tx))),
        note: (id) => db.execute("INSERT INTO note VALUES (?)", [id]),
      },
      times(350, 35_000),
    );
    expect(db.inTransaction).toBe(false);
  });

  afterAll(() => {
    if (performed.arrangements < 3) return;
    const { transactions, snapshots, threw, aborted } = performed;
    figure(
      "isolation",
      `${transactions} transactions of ${CALLERS} callers (${threw} thrown, ${aborted} aborted), ${snapshots} snapshots, 0 violations`,
    );
  });
});
