import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Autocommit,
  type Blob as SqlBlob,
  connect,
  type Connection,
  type Cursor,
  LEGACY_TRANSACTION_CONTROL,
  registerConverter,
  SqliteError,
  SqliteRow,
} from "@sqlite-aio/core";
import * as core from "@sqlite-aio/core";
import {
  AUTHORIZERS,
  CLASSES,
  COLLATIONS,
  CONVERTERS,
  fail,
  FUNCTIONS,
  HANDLERS,
  OBJECTS,
  OnPurpose,
  ROW_FACTORIES,
  TEXT_FACTORIES,
} from "./callbacks.ts";
import { compiledExtensions, SUFFIX } from "../support/compiled-extensions.ts";
import { WAYS } from "./ways.ts";

/** A method of `Run` here and in program.py, and its arguments as JSON has them; blobs, large and odd numbers as in `given()`. */
export type Step = readonly [method: string, ...parameters: unknown[]];

/** The result of a step: a value, or the name of an error's class and its code. */
export interface Outcome {
  readonly ok?: unknown;
  readonly error?: string;
  readonly code?: string;
}

function given(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(given);
  if (typeof value !== "object" || value === null) return value;
  if ("$blob" in value) return Buffer.from(String(value.$blob), "hex");
  if ("$int" in value) return BigInt(String(value.$int));
  if ("$real" in value) return Number(String(value.$real).replace("inf", "Infinity"));
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, given(each)]));
}

function shown(value: unknown): unknown {
  if (value === undefined) return null;
  if (value instanceof Uint8Array) return { $blob: Buffer.from(value).toString("hex") };
  if (typeof value === "bigint") return { $int: String(value) };
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "number" && !Number.isFinite(value))
    return { $real: String(value).toLowerCase().replace("infinity", "inf") };
  if (value instanceof SqliteRow) return { row: Array.from(value as Iterable<unknown>, shown) };
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shown(each)]));
}

function extension(name: string): string {
  return join(compiledExtensions(), name.replace(".so", SUFFIX));
}

const camel = (name: string): string => name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
type Rows = Promise<unknown[]>;
type Parameters = never;

/** The steps by the names that they have in program.py. */
class Run {
  readonly #folder: string;
  readonly #connections = new Map<string, Connection>();
  readonly #opened: Connection[] = [];
  #db!: Connection;
  #cursor!: Cursor;
  #blob!: SqlBlob;
  #traced: string[] = [];
  readonly #steps: unknown[] = [];
  #lines: string[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  async end(): Promise<void> {
    for (const connection of this.#opened) await connection.close();
  }

  async connect(name = "db", path = ":memory:", options: Record<string, unknown> = {}): Promise<void> {
    const { timeout, autocommit, ...rest } = options;
    this.#db = await connect(path === ":memory:" ? path : join(this.#folder, path), {
      ...Object.fromEntries(Object.entries(rest).map(([key, value]) => [camel(key), value])),
      ...(timeout === undefined ? {} : { timeout: Number(timeout) * 1000 }),
      ...(autocommit === undefined ? {} : { autocommit: autocommitOf(autocommit) }),
      // As CPython's build has them.
      pragmas: { foreign_keys: false, trusted_schema: true },
      warnOnRollback: false,
    });
    this.#connections.set(name, this.#db);
    this.#opened.push(this.#db);
  }

  async open(how: string, path = "db", name = "db"): Promise<void> {
    this.#db = await WAYS[how]!(join(this.#folder, path));
    this.#connections.set(name, this.#db);
    this.#opened.push(this.#db);
  }

  async files(): Promise<string[]> {
    return (await readdir(this.#folder)).toSorted();
  }

  async write_file(name: string, bytes: Uint8Array): Promise<void> {
    await writeFile(join(this.#folder, name), bytes);
  }

  async attach(name: string): Promise<void> {
    await this.#db.execute(`ATTACH '${this.#folder}/${name}' AS other`);
  }

  on(name: string): void {
    this.#db = this.#connections.get(name)!;
  }

  async execute(sql: string, parameters?: Parameters): Promise<void> {
    this.#cursor = await this.#db.execute(sql, parameters);
  }

  async execute_object(sql: string, name: string): Promise<void> {
    this.#cursor = await this.#db.execute(sql, [OBJECTS[name]!()] as never);
  }

  async all(sql: string, parameters?: Parameters): Rows {
    return await (await this.#db.execute(sql, parameters)).fetchall();
  }

  async many(sql: string, sets: Parameters): Promise<number> {
    return (await this.#db.executemany(sql, sets)).rowcount;
  }

  async many_iterator(sql: string, sets: never[]): Promise<number> {
    return (await this.#db.executemany(sql, sets.values())).rowcount;
  }

  async many_generator(sql: string, sets: never[], at: number | null): Promise<number> {
    function* generate(): Generator<never> {
      for (const [i, each] of sets.entries()) {
        if (i === at) fail();
        yield each;
      }
    }
    return (await this.#db.executemany(sql, generate())).rowcount;
  }

  async script(sql: string): Promise<void> {
    await this.#db.executescript(sql);
  }

  async new_cursor(): Promise<void> {
    this.#cursor = await this.#db.cursor();
  }

  async cursor_execute(sql: string, parameters?: Parameters): Promise<void> {
    await this.#cursor.execute(sql, parameters);
  }

  async cursor_many(sql: string, sets: Parameters): Promise<void> {
    await this.#cursor.executemany(sql, sets);
  }

  async cursor_script(sql: string): Promise<void> {
    await this.#cursor.executescript(sql);
  }

  async fetchone(): Promise<unknown> {
    return await this.#cursor.fetchone();
  }

  async fetchmany(size?: number): Rows {
    return await this.#cursor.fetchmany(size);
  }

  async fetchall(): Rows {
    return await this.#cursor.fetchall();
  }

  async iterate(): Rows {
    const rows: unknown[] = [];
    for await (const row of this.#cursor) rows.push(row);
    return rows;
  }

  async close_cursor(): Promise<void> {
    await this.#cursor.close();
  }

  cursor_get(name: string): unknown {
    return Reflect.get(this.#cursor, camel(name));
  }

  cursor_set(name: string, value: unknown): void {
    Reflect.set(this.#cursor, camel(name), value);
  }

  get(name: string): unknown {
    const value: unknown = Reflect.get(this.#db, camel(name));
    return value === LEGACY_TRANSACTION_CONTROL ? -1 : value;
  }

  set(name: string, value: unknown): void {
    if (name === "autocommit") this.#db.autocommit = autocommitOf(value);
    else Reflect.set(this.#db, camel(name), value);
  }

  async commit(): Promise<void> {
    await this.#db.commit();
  }

  async rollback(): Promise<void> {
    await this.#db.rollback();
  }

  async close(): Promise<void> {
    await this.#db.close();
  }

  async interrupt(): Promise<void> {
    await this.#db.interrupt();
  }

  async create_function(name: string, n: number, fn: string | null, deterministic = false): Promise<void> {
    await this.#db.createFunction(name, n, fn === null ? null : (FUNCTIONS[fn] as never), { deterministic });
  }

  async create_innocuous(name: string, n: number, fn: string): Promise<void> {
    await this.#db.createFunction(name, n, FUNCTIONS[fn] as never, { innocuous: true });
  }

  async create_aggregate(name: string, n: number, cls: string | null): Promise<void> {
    await this.#db.createAggregate(name, n, cls === null ? null : CLASSES[cls]!);
  }

  async create_window_function(name: string, n: number, cls: string | null): Promise<void> {
    await this.#db.createWindowFunction(name, n, cls === null ? null : (CLASSES[cls] as never));
  }

  async create_collation(name: string, collation: string | null): Promise<void> {
    await this.#db.createCollation(name, collation === null ? null : COLLATIONS[collation]!);
  }

  async set_authorizer(authorizer: string | null): Promise<void> {
    await this.#db.setAuthorizer(authorizer === null ? null : AUTHORIZERS[authorizer]!);
  }

  async set_progress_handler(handler: string | null, n: number): Promise<void> {
    await this.#db.setProgressHandler(handler === null ? null : HANDLERS[handler]!, n);
  }

  async trace_failing(): Promise<void> {
    await this.#db.setTraceCallback(fail);
  }

  async trace(on: boolean): Promise<void> {
    await this.#db.setTraceCallback(on ? (sql) => this.#traced.push(sql) : null);
  }

  taken(): string[] {
    const traced = this.#traced;
    this.#traced = [];
    return traced;
  }

  row_factory(name: string): void {
    this.#db.rowFactory = ROW_FACTORIES[name]!;
  }

  cursor_row_factory(name: string): void {
    this.#cursor.rowFactory = ROW_FACTORIES[name]!;
  }

  text_factory(name: string): void {
    this.#db.textFactory = TEXT_FACTORIES[name]!;
  }

  converter(name: string, converter: string): void {
    registerConverter(name, CONVERTERS[converter]!);
  }

  async row(sql: string, key: number | string): Promise<unknown> {
    const row: SqliteRow | null = await (await this.#db.execute(sql)).fetchone();
    return row!.get(key);
  }

  async row_keys(sql: string): Promise<unknown> {
    const row: SqliteRow | null = await (await this.#db.execute(sql)).fetchone();
    return row!.keys();
  }

  async blobopen(table: string, column: string, row: number, options = {}): Promise<void> {
    this.#blob = await this.#db.blobopen(table, column, row, options);
  }

  async blob_do(method: "read" | "write" | "seek" | "tell" | "close", ...args: never[]): Promise<unknown> {
    return await (this.#blob[method] as (...args: never[]) => unknown)(...args);
  }

  blob_length(): number {
    return this.#blob.length;
  }

  async dump(filter?: string): Promise<string[]> {
    this.#lines = [];
    for await (const line of this.#db.iterdump(filter === undefined ? {} : { filter }))
      this.#lines.push(line);
    return this.#lines;
  }

  async restored(sql: string): Rows {
    await using copy = await connect(":memory:");
    await copy.executescript(this.#lines.join("\n"));
    return await copy.executeFetchall(sql);
  }

  async backup(sql: string, options = {}): Rows {
    await using copy = await connect(":memory:");
    await this.#db.backup(copy, { progress: (...step) => this.#steps.push(step), ...options });
    return await copy.executeFetchall(sql);
  }

  async backup_failing(): Promise<void> {
    await using copy = await connect(":memory:");
    await this.#db.backup(copy, { progress: fail });
  }

  async backup_beside_own_write(): Promise<void> {
    await using copy = await connect(":memory:");
    await this.#db.backup(copy, { sleep: 1 });
  }

  async backup_modifying(sql: string): Rows {
    await using copy = await connect(":memory:");
    const written: Promise<unknown>[] = [];
    const progress = (): void => {
      if (written.length > 0) return;
      written.push(this.#db.execute("INSERT INTO foo VALUES ('late')"), this.#db.commit());
    };
    await this.#db.backup(copy, { pages: 2, progress });
    await Promise.all(written);
    return await copy.executeFetchall(sql);
  }

  async backup_wrong(what: "target" | "progress"): Promise<void> {
    await using copy = await connect(":memory:");
    const wrong = what === "progress" ? { progress: "bar" as never } : {};
    await this.#db.backup(what === "target" ? (null as never) : copy, wrong);
  }

  async backup_path(path: string): Promise<void> {
    await this.#db.backup(join(this.#folder, path));
  }

  async backup_into(name: string): Promise<void> {
    await this.#db.backup(this.#connections.get(name)!);
  }

  progressed(): unknown[] {
    return this.#steps;
  }

  async serialized(sql: string): Rows {
    await using copy = await connect(":memory:");
    await copy.deserialize(await this.#db.serialize());
    return await copy.executeFetchall(sql);
  }

  async deserialize(bytes: Uint8Array): Promise<void> {
    await this.#db.deserialize(bytes);
  }

  async getlimit(category: number): Promise<number> {
    return await this.#db.getlimit(category);
  }

  async setlimit(category: number, limit: number): Promise<number> {
    return await this.#db.setlimit(category, limit);
  }

  async enable_load_extension(enabled: boolean): Promise<void> {
    await this.#db.enableLoadExtension(enabled);
  }

  async load_extension(name: string): Promise<void> {
    await this.#db.loadExtension(extension(name));
  }

  async load_path(path: string): Promise<void> {
    await this.#db.loadExtension(path);
  }

  async load_entry(name: string, entry: string): Promise<void> {
    await this.#db.loadExtension(extension(name), entry);
  }

  async load_by_sql(name: string): Promise<void> {
    await this.#db.executeFetchall("SELECT load_extension(?)", [extension(name)]);
  }

  async limit(category: number, limit: number): Promise<void> {
    await this.#db.setlimit(category, limit);
  }

  async config(name: string, ...on: boolean[]): Promise<unknown> {
    const op = Reflect.get(core, name) as number;
    return on.length === 0 ? await this.#db.getconfig(op) : await this.#db.setconfig(op, on[0]);
  }

  module(name: string): unknown {
    const value: unknown =
      Reflect.get(core, { Error: "SqliteError" }[name] ?? camel(name)) ?? Reflect.get(core, name);
    if (typeof value !== "function") return value;
    const line: string[] = [];
    for (let each: unknown = value; typeof each === "function"; each = Object.getPrototypeOf(each)) {
      if (each === Error) break;
      if (each.name !== "") line.push(each.name === "SqliteError" ? "Error" : each.name);
    }
    return line;
  }
}

function autocommitOf(value: unknown): Autocommit {
  return value === -1 ? LEGACY_TRANSACTION_CONTROL : (value as boolean);
}

const ARGUMENT = new Set(["TypeError", "RangeError"]);

async function outcome(work: () => unknown): Promise<Outcome> {
  try {
    return { ok: shown(await work()) };
  } catch (thrown) {
    if (thrown instanceof OnPurpose) return { error: "thrown" };
    if (!(thrown instanceof Error)) return { error: String(thrown) };
    if (thrown instanceof SqliteError)
      return { error: thrown.name, ...(thrown.code === undefined ? {} : { code: thrown.code }) };
    return { error: ARGUMENT.has(thrown.name) ? "argument" : thrown.name };
  }
}

/** Runs the steps in a new folder, and returns the result of each. */
export async function perform(steps: readonly Step[], folder: string): Promise<Outcome[]> {
  const run = new Run(folder);
  const answers: Outcome[] = [];
  try {
    if (steps[0]![0] !== "connect") await run.connect();
    for (const [method, ...parameters] of steps) {
      answers.push(
        await outcome(() =>
          (Reflect.get(run, method) as (...given: unknown[]) => unknown).apply(
            run,
            given(parameters) as unknown[],
          ),
        ),
      );
    }
  } finally {
    await run.end();
  }
  return answers;
}
