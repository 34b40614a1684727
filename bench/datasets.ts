import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import type { Value } from "./driver.ts";

/** Raise it when the contents change: new files are then written, and the old ones are not used. */
const GENERATION = 2;
const DIRECTORY = fileURLToPath(new URL("./.data/", import.meta.url));

export const ITEM_COUNT = 100_000;
export const ORDER_COUNT = 1_000_000;
export const BATCH_TABLES = 20;
export const USER_COUNT = 20_000;
/** The one code that exists already. */
export const TAKEN_CODE = "taken";

export const ITEM_BY_KEY = "select id, name, price, stock from items where id = ?";
export const ORDER_COLUMNS = "id, customer, city, amount, quantity, note";
const ORDERS_SCHEMA =
  "id integer primary key, customer text, city text, amount real, quantity integer, note text";

export type DatasetName = "items" | "orders" | "scratch" | "codes" | "users";

const WRITERS: Readonly<Record<DatasetName, (database: DatabaseSync) => void>> = {
  items: writeItems,
  orders: writeOrders,
  scratch: writeScratch,
  codes: writeCodes,
  users: writeUsers,
};

/** Writes the database once; every later run reads the same bytes. */
export function prepareDataset(name: DatasetName): void {
  const file = datasetFile(name);
  if (existsSync(file)) return;
  mkdirSync(DIRECTORY, { recursive: true });
  const unfinished = `${file}.unfinished`;
  rmSync(unfinished, { force: true });
  const database = new DatabaseSync(unfinished);
  database.exec("pragma journal_mode = off; pragma synchronous = off; begin");
  WRITERS[name](database);
  database.exec("commit; pragma journal_mode = wal");
  database.close();
  renameSync(unfinished, file);
}

export function datasetFile(name: DatasetName): string {
  return `${DIRECTORY}${name}-${GENERATION}.db`;
}

/** The path of another file in the same folder. */
export function datasetFolderFile(name: string): string {
  return `${DIRECTORY}${name}`;
}

/** A copy for a trial that writes. */
export function copyDataset(name: DatasetName, label: string): string {
  const copy = `${DIRECTORY}${label}.db`;
  removeDatabase(copy);
  copyFileSync(datasetFile(name), copy);
  return copy;
}

export function removeDatabase(file: string): void {
  for (const suffix of ["", "-wal", "-shm", "-tshm"]) rmSync(file + suffix, { force: true });
}

/** Six columns of the kinds applications store: a key, a distinct text, a repeated text, a real, a small integer, a text that may be NULL. */
export function* orders(count: number): Generator<readonly Value[]> {
  const random = sequence(20_240_229);
  for (let id = 1; id <= count; id++) {
    const note = random() < 0.3 ? `leave with neighbour ${Math.floor(random() * 1_000)}` : null;
    yield [
      id,
      `customer-${Math.floor(random() * 1e9).toString(36)}`,
      `city-${Math.floor(random() * 200)}`,
      Math.floor(random() * 1e6) / 100 + 0.001,
      1 + Math.floor(random() * 20),
      note,
    ];
  }
}

function writeItems(database: DatabaseSync): void {
  database.exec("create table items (id integer primary key, name text, price real, stock integer)");
  const insert = database.prepare("insert into items values (?, ?, ?, ?)");
  const random = sequence(20_230_315);
  for (let id = 1; id <= ITEM_COUNT; id++) {
    insert.run(id, `item number ${id}`, Math.floor(random() * 1e5) / 100 + 0.001, Math.floor(random() * 500));
  }
}

function writeOrders(database: DatabaseSync): void {
  database.exec(`create table orders (${ORDERS_SCHEMA})`);
  insertAll(database.prepare("insert into orders values (?, ?, ?, ?, ?, ?)"), orders(ORDER_COUNT));
}

function writeScratch(database: DatabaseSync): void {
  database.exec("create table log (id integer primary key, name text, price real, stock integer)");
  for (let table = 0; table < BATCH_TABLES; table++)
    database.exec(`create table batch_${table} (${ORDERS_SCHEMA})`);
}

function writeCodes(database: DatabaseSync): void {
  database.exec("create table codes (id integer primary key, code text not null unique, stock integer)");
  database.prepare("insert into codes (code, stock) values (?, 0)").run(TAKEN_CODE);
}

/** Creates the table of prisma/schema.prisma as Prisma's migrations do. */
function writeUsers(database: DatabaseSync): void {
  database.exec(
    `CREATE TABLE "User" (
      "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "email" TEXT NOT NULL, "name" TEXT, "big" BIGINT, "bytes" BLOB,
      "at" DATETIME, "json" JSONB, "price" DECIMAL, "score" REAL, "admin" BOOLEAN NOT NULL DEFAULT false
    );
    CREATE UNIQUE INDEX "User_email_key" ON "User" ("email")`,
  );
  const insert = database.prepare(
    "insert into \"User\" (email, name, score, at) values (?, ?, ?, '2026-01-31T12:00:00.000+00:00')",
  );
  for (let id = 1; id <= USER_COUNT; id++) insert.run(`user ${id}`, `name ${id % 500}`, id);
}

function insertAll(insert: StatementSync, rows: Iterable<readonly Value[]>): void {
  for (const row of rows) insert.run(...row);
}

/** A linear congruential generator: the same numbers on every machine. */
function sequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
