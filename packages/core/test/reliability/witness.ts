import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { SqlValue } from "@sqlite-aio/worker/wire";

/** What a witness reports about a statement that fails. */
export interface Refusal {
  /** The class, of a witness that has any. */
  readonly name: string | null;
  /** Since CPython 3.11. */
  readonly code: string | null;
  readonly message: string;
}

/** Another program that reads and writes the file, and shares no code with this library. */
export interface Witness {
  readonly name: string;
  /** All columns of a table, in the order of the rowid; values in the form of {@link cellOf}. */
  read(path: string, table: string, columns: readonly string[]): Promise<string[][]>;
  /** Appends rows to a table. */
  write(path: string, table: string, rows: readonly (readonly string[])[]): Promise<void>;
  /** Runs one statement, and says what came of it: null if it has worked. */
  refusal(path: string, sql: string): Promise<Refusal | null>;
  close(): void;
}

/** A value as one word: `n`, `i` and digits, `r` and the eight bytes of a REAL, `t` and UTF-8, `b` and bytes, in hex. */
export function cellOf(value: SqlValue): string {
  switch (typeof value) {
    case "bigint":
      return `i${value}`;
    case "number": {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleBE(value);
      return `r${bytes.toString("hex")}`;
    }
    case "string":
      return `t${Buffer.from(value, "utf8").toString("hex")}`;
    default:
      return value === null ? "n" : `b${Buffer.from(value).toString("hex")}`;
  }
}

/** A quoted name. It does not use the library's own function, because the tests check that one. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** The message if there is no witness. */
export const NO_WITNESS = "needs the sqlite3 shell or python3, to compare with what that reads";

/** Every witness of this machine. */
export async function findWitnesses(): Promise<Witness[]> {
  const found = [shellWitness(), await pythonWitness()];
  return found.filter((witness) => witness !== null);
}

/** The `sqlite3` shell, if it has the functions that give the bytes of a REAL. */
function shellWitness(): Witness | null {
  const run = (
    path: string,
    input: string,
    ...sql: string[]
  ): ReturnType<typeof spawnSync> & { stdout: string; stderr: string } =>
    spawnSync("sqlite3", ["-batch", "-noheader", "-list", path, ...sql], {
      input,
      encoding: "utf8",
      maxBuffer: 2 ** 30,
    });
  const ask = (path: string, input: string, ...sql: string[]): string => {
    const { status, stdout, stderr, error } = run(path, input, ...sql);
    if (error !== undefined) throw error;
    if (status !== 0 || stderr !== "") throw new Error(`sqlite3: ${stderr}`);
    return stdout;
  };
  let version: string;
  try {
    version = ask(":memory:", "SELECT sqlite_version() || substr(hex(ieee754_to_blob(1.5)), 17);").trim();
  } catch {
    return null;
  }
  const literal = (cell: string): string => {
    const rest = cell.slice(1);
    switch (cell[0]) {
      case "n":
        return "NULL";
      case "i":
        // The digits of the smallest one alone would be a REAL.
        return rest === "-9223372036854775808" ? "(-9223372036854775807 - 1)" : rest;
      case "r":
        return `ieee754_from_blob(x'${rest}')`;
      case "t":
        return `cast(x'${rest}' AS TEXT)`;
      default:
        return `x'${rest}'`;
    }
  };
  return {
    name: `the sqlite3 shell ${version}`,
    async read(path, table, columns) {
      const cells = columns.map((column) => {
        const c = quoted(column);
        return `CASE typeof(${c}) WHEN 'null' THEN 'n' WHEN 'integer' THEN 'i' || ${c}
          WHEN 'real' THEN 'r' || lower(hex(ieee754_to_blob(${c})))
          WHEN 'text' THEN 't' || lower(hex(cast(${c} AS BLOB))) ELSE 'b' || lower(hex(${c})) END`;
      });
      // As an argument: of what it reads, the shell takes away each \r before a \n, in a name too.
      const sql = `SELECT ${cells.join(" || ',' || ")} FROM ${quoted(table)} ORDER BY rowid`;
      const lines = ask(path, "", sql).split("\n");
      return lines.slice(0, -1).map((line) => line.split(","));
    },
    async write(path, table, rows) {
      const lines = rows.map(
        (row) => `INSERT INTO ${quoted(table)} VALUES (${row.map(literal).join(", ")});`,
      );
      ask(path, `BEGIN IMMEDIATE;\n${lines.join("\n")}\nCOMMIT;\n`);
    },
    async refusal(path, sql) {
      const { stdout, stderr, error } = run(path, `PRAGMA foreign_keys = ON;\n${sql}\n;\n`);
      if (error !== undefined) throw error;
      if (stderr === "") return null;
      const message = /error[^:]*: (?:in prepare, )?(.*?)(?: \(\d+\))?$/im.exec(stderr)?.[1];
      return { name: null, code: null, message: message ?? `${stderr}${stdout}` };
    },
    close() {},
  };
}

async function pythonWitness(): Promise<Witness | null> {
  const script = fileURLToPath(new URL("witness.py", import.meta.url));
  const child = spawn("python3", [script]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const failed = new Promise<null>((resolve) => child.once("error", () => resolve(null)));
  const first = await Promise.race([failed, lines.next()]);
  if (first === null || first.done === true) return null;
  const [python, sqlite] = JSON.parse(first.value) as [string, string];
  return new PythonWitness(`CPython ${python} with SQLite ${sqlite}`, child, lines);
}

class PythonWitness implements Witness {
  readonly name: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(name: string, child: ChildProcessWithoutNullStreams, lines: AsyncIterator<string>) {
    this.name = name;
    this.#child = child;
    this.#lines = lines;
  }

  async read(path: string, table: string, columns: readonly string[]): Promise<string[][]> {
    const sql = `SELECT ${columns.map(quoted).join(", ")} FROM ${quoted(table)} ORDER BY rowid`;
    return (await this.#ask({ do: "read", path, sql })) as string[][];
  }

  async write(path: string, table: string, rows: readonly (readonly string[])[]): Promise<void> {
    const marks = rows[0]?.map(() => "?").join(", ") ?? "";
    await this.#ask({ do: "write", path, sql: `INSERT INTO ${quoted(table)} VALUES (${marks})`, rows });
  }

  async refusal(path: string, sql: string): Promise<Refusal | null> {
    return (await this.#ask({ do: "run", path, sql })) as Refusal | null;
  }

  close(): void {
    this.#child.stdin.end();
  }

  async #ask(request: object): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error("python3 has ended");
    const answer = JSON.parse(line.value) as { ok: unknown } | { failed: string };
    if ("failed" in answer) throw new Error(`python3: ${answer.failed}`);
    return answer.ok;
  }
}
