import { fork } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ClusterPool, createPool, type Pool } from "@sqlite-aio/core";
import { afterAll, expect, it, onTestFinished } from "vitest";
import { writeMeasured } from "../../../../docs/measured.ts";
import { temporaryPath } from "../support/database.ts";
import { openRemote, openReplica } from "./open.ts";
import { Proxy } from "./proxy.ts";
import { Server } from "./server.ts";

// Compares figures of one run, for docs/scaling-out.md: only their ratio counts.

/** How long each is measured, in ms. */
const TIME = 2500;
const TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL, at REAL)";
const INSERT = "INSERT INTO t (text, at) VALUES (?, ?)";
const ROW = ["some text of a usual length, as a note may have", 0];

/** Calls per second of this many callers; each makes its next call when the last is answered. */
async function rate(callers: number, call: () => Promise<unknown>, of = 1): Promise<number> {
  const end = performance.now() + TIME;
  let done = 0;
  const began = performance.now();
  const caller = async (): Promise<void> => {
    while (performance.now() < end) {
      await call();
      done += of;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return Math.round((done / (performance.now() - began)) * 1000);
}

/** A local file, with the engine of a replica or with the default engine. */
async function openLocal(engine: "better-sqlite3" | "libsql"): Promise<Pool> {
  const pool = await createPool(await temporaryPath(), { engine });
  onTestFinished(() => pool.close());
  await pool.exec(TABLE);
  return pool;
}

/** In the order of the document. */
const tables: string[] = [];

function table(head: readonly string[], rows: Readonly<Record<string, readonly (number | string)[]>>): void {
  const line = (cells: readonly unknown[]): string => `| ${cells.join(" | ")} |`;
  const rule = line(head.map((_, column) => (column === 0 ? "---" : "--:")));
  const body = Object.entries(rows).map(([name, values]) =>
    line([name, ...values.map((value) => value.toLocaleString("en"))]),
  );
  tables.push([line(head), rule, ...body].join("\n"));
  console.log(tables.at(-1));
}

/** The number of tables that all tests make. */
const ALL = 5;

afterAll(() => {
  if (tables.length < ALL) return;
  const { length: cores } = cpus();
  const where = `Node ${process.version}, ${process.platform} ${process.arch}, ${cores} cores for the server and all programs`;
  writeMeasured("docs/scaling-out.md", "cluster", [`Of one run: ${where}.`, ...tables].join("\n\n"));
});

it("writes a second", async () => {
  const local = await openLocal("better-sqlite3");
  const plain = await openLocal("libsql");
  const remote = await openRemote(await Server.start());
  await remote.run(TABLE);
  // Uses its own server: otherwise it would have to wait for the writes of the others.
  const replica = await openReplica(await Server.start());
  await replica.run(TABLE);
  const batch = Array.from({ length: 16 }, () => [INSERT, ROW] as const);
  const write = (pool: Pool | ClusterPool) => () => pool.run(INSERT, ROW);
  const two = async (tx: Pick<Pool, "run">): Promise<void> => {
    await tx.run(INSERT, ROW);
    await tx.run(INSERT, ROW);
  };
  const ways = async (
    pool: Pool | ClusterPool,
    transaction: () => Promise<void>,
  ): Promise<readonly (number | string)[]> => [
    await rate(1, write(pool)),
    await rate(16, write(pool)),
    pool instanceof ClusterPool ? await rate(1, () => pool.batch(batch), 16) : "",
    await rate(1, transaction, 2),
  ];
  table(["writes a second", "1 caller", "16 callers", "batches of 16", "transactions of two"], {
    "into a file of this machine": await ways(local, () => local.transaction(two)),
    'the same by `engine: "libsql"`': await ways(plain, () => plain.transaction(two)),
    "at the primary, without a replica": await ways(remote, () => remote.transaction(two)),
    "at the primary, answered when the replica has it": await ways(replica, () => replica.transaction(two)),
  });
  expect(await remote.get("SELECT count(*) > 0 AS some FROM t")).toEqual({ some: 1 });
});

it("milliseconds on a way of 25 ms each way", async () => {
  const server = await Server.start();
  const proxy = await Proxy.to(server.port);
  const remote = await openRemote(proxy);
  const replica = await openReplica(proxy);
  await remote.run(TABLE);
  proxy.delay = 25;
  const took = async (call: () => Promise<unknown>): Promise<number> => {
    const times: number[] = [];
    for (let i = 0; i < 15; i++) {
      const began = performance.now();
      await call();
      times.push(performance.now() - began);
    }
    return Math.round(times.toSorted((a, b) => a - b)[7]!);
  };
  table(["with 25 ms of network delay each way to the primary", "ms (median of 15)"], {
    "a read of the replica": [await took(() => replica.get("SELECT 1"))],
    "a read of the primary, without a replica": [await took(() => remote.get("SELECT 1"))],
    "a write at the primary, without a replica": [await took(() => remote.run(INSERT, ROW))],
    "a write that is answered when the replica has it": [await took(() => replica.run(INSERT, ROW))],
    "a transaction of two writes": [
      await took(() =>
        remote.transaction(async (tx) => {
          await tx.run(INSERT, ROW);
          await tx.run(INSERT, ROW);
        }),
      ),
    ],
    "the same as a batch": [
      await took(() =>
        remote.batch([
          [INSERT, ROW],
          [INSERT, ROW],
        ]),
      ),
    ],
  });
  expect(await replica.get("SELECT count(*) > 0 AS some FROM t")).toEqual({ some: 1 });
});

it("reads a second", async () => {
  const rows = Array.from({ length: 1000 }, () => [INSERT, ROW] as const);
  const local = await openLocal("better-sqlite3");
  const plain = await openLocal("libsql");
  for (const pool of [local, plain]) for (const [sql, values] of rows) await pool.run(sql, values);
  const server = await Server.start();
  const remote = await openRemote(server);
  await remote.batch([TABLE, ...rows] as never);
  const replica = await openReplica(server);
  let id = 0;
  const read = (pool: Pool | ClusterPool) => () =>
    pool.get("SELECT text FROM t WHERE id = ?", [1 + (id++ % 1000)]);
  table(["reads by key, 16 callers", "a second"], {
    "of a file of this machine": [await rate(16, read(local))],
    'the same by `engine: "libsql"`': [await rate(16, read(plain))],
    "of a replica": [await rate(16, read(replica))],
    "of the primary, without a replica": [await rate(16, read(remote))],
  });
  const path = await temporaryPath();
  await (await openReplica(server, {}, path)).close();
  const growth: Record<string, readonly number[]> = {};
  for (const programs of [1, 2, 4]) {
    const children = await Promise.all(
      Array.from({ length: programs }, async () => {
        const child = fork(join(import.meta.dirname, "reader.ts"), [
          server.url,
          await temporaryPath(),
          String(TIME),
        ]);
        onTestFinished(() => void child.kill("SIGKILL"));
        await once(child, "message");
        return child;
      }),
    );
    const rates = children.map(async (child) => {
      child.send("go");
      const [reads] = (await once(child, "message")) as [number];
      return reads;
    });
    const together = (await Promise.all(rates)).reduce((a, b) => a + b, 0);
    growth[programs === 1 ? "1 program" : `${programs} programs`] = [together];
    for (const child of children) child.kill();
  }
  table(["programs, each with a replica; reads by key, 16 callers per program", "a second, in all"], growth);
  expect(Object.keys(growth)).toHaveLength(3);
});

it("lag", async () => {
  const lags: Record<string, readonly number[]> = {};
  for (const perSecond of [10, 100, 300]) {
    const server = await Server.start();
    const remote = await openRemote(server);
    await remote.run(TABLE);
    const replica = await openReplica(server, { syncInterval: 100, timeout: 60_000 });
    const seen: number[] = [];
    const writes: Promise<unknown>[] = [];
    let last = 0;
    const look = async (): Promise<void> => {
      const now = Date.now();
      const rows = await replica.all<{ id: number; at: number }>("SELECT id, at FROM t WHERE id > ?", [last]);
      for (const { id, at } of rows) {
        if (id <= last) continue;
        last = id;
        seen.push(now - at);
      }
    };
    const looks: Promise<void>[] = [];
    replica.on("change", () => looks.push(look()));
    const end = performance.now() + 2 * TIME;
    const began = performance.now();
    while (performance.now() < end) {
      const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
      while (writes.length < due) writes.push(remote.run(INSERT, ["x", Date.now()]));
      await sleep(5);
    }
    await Promise.all(writes);
    await replica.sync();
    // The rows of the last sync may have arrived before the last look.
    await look();
    await Promise.all(looks);
    expect(seen).toHaveLength(writes.length);
    const sorted = seen.toSorted((a, b) => a - b);
    const at = (part: number): number => Math.round(sorted[Math.floor(sorted.length * part)]!);
    lags[`${perSecond} writes a second`] = [at(0.5), at(0.99), seen.length];
    await replica.close();
    await remote.close();
    await server.kill();
  }
  table(
    ["from a write until another replica reports it, `syncInterval: 100`", "p50, ms", "p99, ms", "rows"],
    lags,
  );
  expect(Object.keys(lags)).toHaveLength(3);
});
