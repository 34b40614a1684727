// Run by disk.test.ts where the disk is small or cannot be written: `node disk-trial.ts <trial> <folder> <way> <seed>`.
// Tells what happened as JSON.
import { createRequire } from "node:module";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, createPool, SqliteError } from "@sqlite-aio/core";
import { random } from "../support/random.ts";
import { say } from "./say.ts";

const [trial, folder, way, seed] = process.argv.slice(2) as [string, string, string, string];
const below = random(Number(seed));
const Database = createRequire(new URL("../../../worker/package.json", import.meta.url))("better-sqlite3");
const INSERT = "INSERT INTO written (id, body) VALUES (?, ?)";
const TABLE = "CREATE TABLE IF NOT EXISTS written (id INTEGER PRIMARY KEY, body BLOB)";

/** An error as the caller sees it, and whether it is one of ours. */
export interface Told {
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

export function told(error: unknown): Told {
  if (error instanceof SqliteError) return { name: error.name, code: error.code, message: error.message };
  return {
    name: "not a SqliteError",
    code: "",
    message: String(error instanceof Error ? error.stack : error),
  };
}

export interface Filled {
  readonly acknowledged: number[];
  readonly errors: Told[];
  /** What its own connection, and then the engine itself, finds. */
  readonly seen: number[];
  readonly found: number[];
  readonly integrity: string;
  /** Writes acknowledged when there was room again. */
  readonly afterwards: number;
}

const ballast = join(folder, "ballast");
const path = join(folder, "test.db");
const body = (): Buffer => Buffer.alloc(500 + below(6000), below(256));

/** One way to write: a write is one or several rows, and is acknowledged or rejected. */
interface Writer {
  readonly write: (ids: readonly number[]) => Promise<unknown>;
  readonly rows: number;
  readonly inFlight: number;
  readonly ids: () => Promise<number[]>;
  readonly close: () => Promise<void>;
}

async function poolWriter(transactions: boolean): Promise<Writer> {
  const pool = await createPool(path);
  await pool.exec(TABLE);
  return {
    rows: transactions ? 3 : 1,
    inFlight: 16,
    write: (ids) =>
      transactions
        ? pool.transaction(async (tx) => {
            for (const id of ids) await tx.run(INSERT, [id, body()]);
          })
        : pool.run(INSERT, [ids[0]!, body()]),
    ids: async () => (await pool.all<{ id: number }>("SELECT id FROM written")).map(({ id }) => id),
    close: () => pool.close(),
  };
}

async function connectionWriter(journal: string, many: boolean): Promise<Writer> {
  const db = await connect(path, { pragmas: { journal_mode: journal } });
  await db.executescript(TABLE);
  return {
    rows: 3,
    inFlight: 1,
    async write(ids) {
      try {
        if (many)
          await db.executemany(
            INSERT,
            ids.map((id) => [id, body()]),
          );
        else for (const id of ids) await db.execute(INSERT, [id, body()]);
        await db.commit();
      } catch (error) {
        // As a program does that knows aiosqlite; SQLite may have done so itself.
        await db.rollback();
        throw error;
      }
    },
    ids: async () => (await db.executeFetchall<[number]>("SELECT id FROM written")).map(([id]) => id),
    close: () => db.close(),
  };
}

const ways: Readonly<Record<string, () => Promise<Writer>>> = {
  pool: () => poolWriter(false),
  transactions: () => poolWriter(true),
  wal: () => connectionWriter("wal", false),
  journal: () => connectionWriter("delete", false),
  many: () => connectionWriter("wal", true),
};

/** Writes until writing fails, then makes room and goes on. */
async function fill(): Promise<Filled> {
  // At least the room of the five writes afterwards, and their pages in the log.
  writeFileSync(ballast, Buffer.alloc(200_000 + below(200_000)));
  const writer = await ways[way]!();
  const acknowledged: number[] = [];
  const errors: Told[] = [];
  const given = { last: 0 };
  const write = async (): Promise<void> => {
    const ids = Array.from({ length: writer.rows }, () => ++given.last);
    try {
      await writer.write(ids);
      acknowledged.push(...ids);
    } catch (error) {
      errors.push(told(error));
    }
  };
  const caller = async (): Promise<void> => {
    while (errors.length < 20 && given.last < 5000) await write();
  };
  await Promise.all(Array.from({ length: writer.inFlight }, caller));
  const seen = (await writer.ids()).toSorted((a, b) => a - b);
  const before = acknowledged.length;
  rmSync(ballast);
  for (let i = 0; i < 5; i++) await write();
  const afterwards = (acknowledged.length - before) / writer.rows;
  await writer.close();
  const engine = new Database(path);
  const found = engine.prepare("SELECT id FROM written ORDER BY id").pluck().all();
  const integrity = engine.pragma("integrity_check", { simple: true });
  engine.close();
  return {
    acknowledged: acknowledged.toSorted((a, b) => a - b),
    errors,
    seen,
    found,
    integrity,
    afterwards,
  };
}

/** The results of opening, reading and writing a database. */
async function use(file: string): Promise<Record<string, unknown>> {
  const result: Record<string, unknown> = {};
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<boolean> => {
    try {
      result[what] = await work();
      return true;
    } catch (error) {
      result[what] = told(error);
      return false;
    }
  };
  const name = join(folder, file);
  await attempt("connect", async () => {
    const db = await connect(name);
    await attempt("read", () => db.executeFetchall("SELECT id FROM written"));
    await attempt("write", async () => {
      await db.execute(INSERT, [9, ""]);
      await db.commit();
    });
    await db.close();
    return "opened";
  });
  for (const readonly of [false, true]) {
    const kind = readonly ? "readonly pool" : "pool";
    await attempt(kind, async () => {
      const pool = await createPool(name, { readonly });
      await attempt(`${kind} reads`, () => pool.all("SELECT id FROM written"));
      await attempt(`${kind} writes`, () => pool.run(INSERT, [9, ""]));
      await pool.close();
      return "opened";
    });
  }
  return result;
}

/** An existing table on a disk that has no room for a write. */
async function full(): Promise<Record<string, unknown>> {
  const engine = new Database(path);
  engine.exec(TABLE);
  engine.close();
  // Not a byte is left.
  for (let size = 2 ** 20, n = 0; size >= 512; n++) {
    try {
      writeFileSync(`${ballast}${n}`, Buffer.alloc(size));
      if (statSync(`${ballast}${n}`).size < size) size /= 2;
    } catch {
      size /= 2;
    }
  }
  return await use("test.db");
}

const result =
  trial === "fill"
    ? await fill()
    : trial === "full"
      ? await full()
      : await Promise.all(way.split(",").map(async (file) => [file, await use(file)]));
say(JSON.stringify(result));
