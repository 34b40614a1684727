// Opens images of a database with flipped bits, reads what can be read, and prints what came of it.
import { readFileSync } from "node:fs";
import { connect, createPool, SqliteError } from "@sqlite-aio/core";
import { random } from "../support/random.ts";

/** What the parent is told. */
export interface FlipReport {
  /** Images that were opened, and those that were refused by the error's code. */
  readonly opened: number;
  readonly refused: Record<string, number>;
  readonly violations: readonly string[];
}

const [path, seed, count] = process.argv.slice(2) as [string, string, string];
const image = readFileSync(path);
const below = random(Number(seed));
const refused: Record<string, number> = {};
const violations: string[] = [];
let opened = 0;

/** One bit, some bits, a run of noise, or a shorter file. */
function damaged(): Buffer {
  const copy = Buffer.from(image);
  // Most of what decides is in the header and at the beginning of pages.
  const place = (): number =>
    below(3) === 0
      ? below(100)
      : below(3) === 0
        ? below(copy.length >> 9) * 512 + below(16)
        : below(copy.length);
  const flip = (): void => {
    const at = Math.min(place(), copy.length - 1);
    copy[at] = copy[at]! ^ (1 << below(8));
  };
  const kind = below(10);
  if (kind === 0)
    for (let at = place(), left = 64; left > 0 && at < copy.length; left--) copy[at++] = below(256);
  else if (kind === 1) return copy.subarray(0, below(copy.length));
  else if (kind === 2) for (let left = 1 + below(20); left > 0; left--) flip();
  else flip();
  return copy;
}

const QUERIES = [
  "SELECT count(*), sum(a), max(length(b)), total(c) FROM t",
  "SELECT b FROM t WHERE a BETWEEN 10 AND 20 ORDER BY a",
  "SELECT * FROM t ORDER BY b LIMIT 50",
  "INSERT INTO t VALUES (1000, 'new', 1.5, x'00')",
  "UPDATE t SET c = c + 1 WHERE a % 3 = 0",
  "SELECT name, sql FROM sqlite_schema",
  "SELECT * FROM v",
  "PRAGMA integrity_check(5)",
];

function note(error: unknown): void {
  if (!(error instanceof SqliteError) || !error.code.startsWith("SQLITE_")) {
    violations.push(`rejected with ${String(error)}`);
  } else refused[error.code] = (refused[error.code] ?? 0) + 1;
}

/** As a user does. */
async function through(bytes: Buffer): Promise<void> {
  const before = Buffer.from(bytes);
  try {
    const db = await connect(":memory:", { image: bytes, isolationLevel: null });
    opened++;
    for (const sql of QUERIES) await db.executeFetchall(sql).catch(note);
    await db.close();
  } catch (error) {
    note(error);
  }
  if (!bytes.equals(before)) violations.push("the caller's image was written to");
}

for (let i = 0; i < Number(count); i++) await through(damaged());

// Nothing of it has hurt the process.
const pool = await createPool(":memory:");
const row = await pool.get("SELECT 1 AS one");
await pool.close();
if (JSON.stringify(row) !== '{"one":1}') violations.push(JSON.stringify(row));
if (Object.keys(Object.prototype).length > 0) violations.push("Object.prototype has got properties");
process.stdout.write(JSON.stringify({ opened, refused, violations } satisfies FlipReport));
