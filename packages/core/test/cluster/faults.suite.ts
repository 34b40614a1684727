import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { temporaryPath } from "../support/database.ts";
import { AUDIT, SCHEMA, SOUND } from "./bank.ts";
import { Machine } from "./machine.ts";
import { openRemote, openReplica } from "./open.ts";
import { Proxy } from "./proxy.ts";
import { Server } from "./server.ts";

/** A primary with accounts, a server that is its replica, and three machines: two follow the primary, one that server. */
interface Cluster {
  readonly primary: Server;
  readonly secondary: Server;
  readonly machines: readonly Machine[];
}

/** Acknowledged transfers of all machines that each round waits for. */
const TRANSFERS = 30;

async function cluster(through: { readonly url: string } | null = null): Promise<Cluster> {
  const primary = await Server.start();
  await (await openRemote(primary)).batch(SCHEMA);
  const secondary = await Server.start({ primary });
  const near = { url: through?.url ?? primary.url, syncInterval: 50, timeout: 8000 };
  const far = { url: secondary.url, syncInterval: 50, timeout: 8000, readYourWrites: false };
  const machines = [await Machine.start(near), await Machine.start(near), await Machine.start(far)];
  return { primary, secondary, machines };
}

/** Resolves when this many more transfers were acknowledged and each machine has read its replica. */
async function work({ machines }: Cluster, transfers = TRANSFERS): Promise<void> {
  const before = total(machines);
  while (total(machines) < before + transfers || machines.some(({ isReady }) => !isReady)) {
    for (const machine of machines) machine.check();
    await sleep(20);
  }
}

function total(machines: readonly Machine[]): number {
  return machines.reduce((sum, { done }) => sum + done.length, 0);
}

/** The state of a cluster after everything has stopped. */
interface Reckoning {
  /** Transfers that were acknowledged and are missing at the primary. */
  readonly lost: readonly string[];
  /** Transfers that were reported as not done, but are there. */
  readonly risen: readonly string[];
  /** Snapshots of replicas that were not whole. */
  readonly torn: readonly string[];
  /** For the primary, then for each replica after a sync: the sums, and whether the file is sound. */
  readonly audits: readonly unknown[];
}

/** The expected result: the primary and all replicas are sound. */
function whole(replicas: number): Reckoning {
  const sound = { ...SOUND, integrity: "ok", complete: true };
  return { lost: [], risen: [], torn: [], audits: [SOUND, ...Array.from({ length: replicas }, () => sound)] };
}

async function reckon({ primary, machines }: Cluster, what: string): Promise<Reckoning> {
  for (const machine of machines) await machine.stop();
  const pool = await openRemote(primary);
  const audits: unknown[] = [await pool.get(AUDIT)];
  const rows = await pool.all<{ transfer: string }>("SELECT DISTINCT transfer FROM entry");
  const there = new Set(rows.map(({ transfer }) => transfer));
  const told = machines.flatMap(({ said }) => [...said]);
  const count = (state: string): string => {
    const names = told.filter(([, said]) => said === state).map(([name]) => name);
    return `${names.length} ${state} (${names.filter((name) => there.has(name)).length} there)`;
  };
  const codes = machines.flatMap((machine) => [...machine.codes].map((entry) => entry.join(" ")));
  const looks = machines.reduce((sum, machine) => sum + machine.looks, 0);
  console.log(
    `${what}: ${["done", "undone", "unknown", "begin"].map(count).join(", ")}; ${looks} looks; ${codes.join(", ")}`,
  );
  for (const { path } of machines) {
    const replica = await openReplica(primary, {}, path);
    await replica.sync();
    const audit = await replica.get<object>(AUDIT);
    const check = await replica.get<{ integrity_check: string }>("PRAGMA integrity_check");
    const transfers = await replica.get<{ n: number }>("SELECT count(DISTINCT transfer) AS n FROM entry");
    audits.push({ ...audit, integrity: check?.integrity_check, complete: transfers?.n === there.size });
    await replica.close();
  }
  return {
    lost: told.filter(([name, state]) => state === "done" && !there.has(name)).map(([name]) => name),
    risen: told.filter(([name, state]) => state === "undone" && there.has(name)).map(([name]) => name),
    torn: machines.flatMap((machine) => machine.torn),
    audits,
  };
}

describe("while three machines move money, no snapshot of a replica is torn and nothing acknowledged is lost", () => {
  let them: Cluster;
  beforeEach(async () => {
    them = await cluster();
    await work(them);
  });

  it("when nothing else happens", async () => {
    await work(them, 3 * TRANSFERS);
    expect(await reckon(them, "undisturbed")).toEqual(whole(3));
  });

  it("when the primary is killed, again and again", async () => {
    for (let round = 0; round < 3; round++) {
      await them.primary.kill();
      // Reads go on meanwhile: the machines read their replicas without a pause.
      const looks = them.machines.map((machine) => machine.looks);
      while (them.machines.some((machine, index) => machine.looks <= looks[index]!)) await sleep(20);
      await them.primary.start();
      await work(them);
    }
    expect(await reckon(them, "primary killed")).toEqual(whole(3));
  });

  it("when a program is killed, again and again", async () => {
    for (let round = 0; round < 3; round++) {
      const machine = them.machines[round % 3]!;
      await machine.kill();
      machine.start();
      await work(them);
    }
    expect(await reckon(them, "programs killed")).toEqual(whole(3));
  });

  it("when the server that is a replica is killed", async () => {
    for (let round = 0; round < 3; round++) {
      await them.secondary.kill();
      await them.secondary.start();
      await work(them);
    }
    expect(await reckon(them, "server replica killed")).toEqual(whole(3));
  });

  it("when the primary and two programs are killed at once", async () => {
    for (let round = 0; round < 3; round++) {
      const [first, second] = them.machines as [Machine, Machine];
      await Promise.all([them.primary.kill(), first.kill(), second.kill()]);
      first.start();
      await them.primary.start();
      second.start();
      await work(them);
    }
    expect(await reckon(them, "primary and programs killed")).toEqual(whole(3));
  });

  it("when the primary hangs for some time", async () => {
    for (let round = 0; round < 2; round++) {
      them.primary.hang();
      await sleep(3000);
      them.primary.resume();
      await work(them);
    }
    expect(await reckon(them, "primary hung")).toEqual(whole(3));
  });
});

describe("on a way that is long and breaks", () => {
  it("no snapshot is torn and nothing acknowledged is lost", async () => {
    const primary = await Server.start();
    const proxy = await Proxy.to(primary.port);
    await (await openRemote(primary)).batch(SCHEMA);
    const near = { url: proxy.url, syncInterval: 50, timeout: 8000 };
    const machines = [await Machine.start(near), await Machine.start(near)];
    const them = { primary, secondary: primary, machines };
    await work(them);
    proxy.delay = 15;
    for (let round = 0; round < 8; round++) {
      await work(them, 5);
      if (round % 2 === 0) proxy.cutsAnswers = true;
      else proxy.cut();
      await sleep(200);
      proxy.cutsAnswers = false;
    }
    proxy.delay = 0;
    await work(them);
    expect(await reckon(them, "connections cut")).toEqual(whole(2));
  });
});

describe("a replica", () => {
  it("that was away for long catches up in one sync", async () => {
    const primary = await Server.start();
    const remote = await openRemote(primary);
    await remote.run("CREATE TABLE t (a, b)");
    const path = await temporaryPath();
    const machine = await openReplica(primary, { syncInterval: 0 }, path);
    await machine.close();
    for (let i = 0; i < 300; i++) await remote.run("INSERT INTO t VALUES (?, zeroblob(2000))", [i]);
    await primary.kill();
    await primary.start();
    const back = await openReplica(primary, {}, path);
    await back.sync();
    expect(await back.get("SELECT count(*) AS n FROM t")).toEqual({ n: 300 });
  });
});
