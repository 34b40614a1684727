import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  connect,
  createPool,
  DatabaseError,
  OperationalError,
  type Pool,
  type SqliteError,
} from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { open, openEngine, rejection, temporaryFolder } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";
import { random } from "../support/random.ts";
import { start } from "./child.ts";
import type { Filled } from "./disk-trial.ts";
import { figure, seed, times, within } from "./scale.ts";
import { inOwnMounts, needs } from "./tools.ts";

const WAYS = ["pool", "transactions", "wal", "journal", "many"] as const;
/** The figures of each way to write. */
const ROUNDS = times(1, 12);
const LIMIT_MS = within(60_000, 1_800_000);
const TABLE = "CREATE TABLE written (id INTEGER PRIMARY KEY, body BLOB)";

const mounts = inOwnMounts();
const tally = { full: 0, limited: 0, acknowledged: 0, damaged: 0, other: 0 };
const cannotOpen = {
  name: "OperationalError",
  code: "SQLITE_CANTOPEN",
  message: expect.stringMatching(/^unable to open database file/) as string,
};
const cannotWrite = {
  name: "OperationalError",
  code: "SQLITE_READONLY",
  message: "attempt to write a readonly database",
};
const isFull = { name: "OperationalError", code: "SQLITE_FULL", message: "database or disk is full" };
const isMalformed = {
  name: "DatabaseError",
  code: expect.stringMatching(/^SQLITE_CORRUPT/),
  message: "database disk image is malformed",
};
const isJunk = {
  name: "DatabaseError",
  code: "SQLITE_NOTADB",
  message: expect.stringMatching(/^file is not a database: .*\.db /) as string,
};

/** The start of a command that sees a full megabyte, or a folder that cannot be written, at `folder`. */
function mounted(script: string, folder: string): readonly string[] {
  return [...mounts.under, "sh", "-c", `${script} && exec "$@"`, folder];
}

const MEGABYTE = 'mount -t tmpfs -o size=1m none "$0"';
const READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"';
/** In units of 512 bytes, or of 1,024 in some shells. */
const LIMITED = ["sh", "-c", 'ulimit -f 1200 && exec "$@"', "sh"] as const;

async function trial<T>(under: readonly string[], ...args: readonly string[]): Promise<T> {
  const child = start("disk-trial.ts", args, { under, limitMs: 60_000 });
  const { code, stdout, stderr } = await child.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as T;
}

/** Nothing that was acknowledged is missing, nothing that was refused is there, and everybody was told why. */
function checkFilled(filled: Filled, codes: RegExp): void {
  const { acknowledged, errors, seen, found, integrity } = filled;
  expect(errors.length).toBeGreaterThan(0);
  for (const error of errors) {
    expect(error.name).toBe("OperationalError");
    expect(error.code).toMatch(codes);
  }
  expect(found).toEqual(acknowledged);
  expect(acknowledged.slice(0, seen.length)).toEqual(seen);
  expect(integrity).toBe("ok");
  tally.acknowledged += acknowledged.length;
}

describe("a disk that fails", () => {
  it.for(WAYS)("because it is full: %s", { timeout: LIMIT_MS }, async (way, { skip }) => {
    needs(mounts.missing, skip);
    for (let round = 0; round < ROUNDS; round++) {
      const folder = await temporaryFolder();
      const filled = await trial<Filled>(
        mounted(MEGABYTE, folder),
        "fill",
        folder,
        way,
        String(seed + round),
      );
      checkFilled(filled, /^SQLITE_(FULL|IOERR_WRITE)$/);
      // There is room again, and the same connection goes on.
      expect(filled.afterwards).toBe(5);
      tally.full++;
    }
  });

  it.each(WAYS)(
    "because files may not grow further: %s",
    async (way) => {
      for (let round = 0; round < ROUNDS; round++) {
        const folder = await temporaryFolder();
        const filled = await trial<Filled>(LIMITED, "fill", folder, way, String(seed + round));
        checkFilled(filled, /^SQLITE_(FULL|IOERR_WRITE)$/);
        // A few small writes may still fit.
        expect(filled.afterwards).toBeLessThan(5);
        tally.limited++;
      }
    },
    LIMIT_MS,
  );

  it(
    "because nothing at all is left when it is opened",
    async ({ skip }) => {
      needs(mounts.missing, skip);
      const folder = await temporaryFolder();
      expect(await trial(mounted(MEGABYTE, folder), "full", folder, "", "1")).toEqual({
        connect: "opened",
        read: [],
        write: isFull,
        pool: isFull,
        "readonly pool": "opened",
        "readonly pool reads": [],
        "readonly pool writes": cannotWrite,
      });
      tally.other++;
    },
    LIMIT_MS,
  );

  it(
    "because it cannot be written",
    async ({ skip }) => {
      needs(mounts.missing, skip);
      const folder = await temporaryFolder();
      for (const [name, journal] of [
        ["plain.db", "delete"],
        ["closed.db", "wal"],
        ["crashed.db", "wal"],
      ] as const) {
        const engine = openEngine(join(folder, name));
        engine.pragma(`journal_mode = ${journal}`);
        engine.exec(`${TABLE}; INSERT INTO written VALUES (1, '')`);
        // The other one keeps its log.
        if (name !== "crashed.db") engine.close();
      }
      const files = ["absent.db", "plain.db", "closed.db", "crashed.db"].join(",");
      const results = await trial<[string, unknown][]>(mounted(READ_ONLY, folder), "use", folder, files, "1");
      const refused = { connect: cannotOpen, pool: cannotOpen, "readonly pool": cannotOpen };
      const readable = {
        connect: "opened",
        read: [[1]],
        write: cannotWrite,
        "readonly pool": "opened",
        "readonly pool reads": [{ id: 1 }],
        "readonly pool writes": cannotWrite,
      };
      expect(Object.fromEntries(results)).toEqual({
        "absent.db": refused,
        // It cannot be put into WAL mode.
        "plain.db": { ...readable, pool: cannotWrite },
        // Its log would have to be made.
        "closed.db": refused,
        "crashed.db": { ...readable, pool: "opened", "pool reads": [{ id: 1 }], "pool writes": cannotWrite },
      });
      tally.other += results.length;
    },
    LIMIT_MS,
  );

  it("because its folder is missing, or is gone", async () => {
    const folder = await temporaryFolder();
    const missing = join(folder, "missing", "test.db");
    for (const work of [() => connect(missing), () => createPool(missing), () => connect(folder)]) {
      const error = await rejection(work);
      expect(error).toBeInstanceOf(OperationalError);
      expect((error as SqliteError).code).toMatch(/^SQLITE_CANTOPEN(_ISDIR)?$/);
      expect((error as SqliteError).message).toEqual(cannotOpen.message);
      tally.other++;
    }
    const inside = join(folder, "inside");
    mkdirSync(inside);
    const pool = await openPool({ readers: 1 }, join(inside, "test.db"));
    await pool.exec(TABLE);
    rmSync(inside, { recursive: true });
    // The reader has not been opened yet; the writer holds the file, wherever that is.
    expect(await rejection(pool.get("SELECT 1 FROM written"))).toMatchObject(cannotOpen);
    expect(await pool.run("INSERT INTO written VALUES (1, '')")).toMatchObject({ changes: 1 });
    await pool.close();
    tally.other++;
  });
});

describe("a file that is not as it was", () => {
  it("because its log was deleted: who has it open loses nothing, who opens it is told", async () => {
    for (const suffixes of [["-wal"], ["-wal", "-shm"]]) {
      for (const warm of [false, true]) {
        const path = join(await temporaryFolder(), "test.db");
        const pool = await openPool({ readers: 1 }, path);
        await pool.exec(TABLE);
        const acknowledged: number[] = [];
        const write = async (): Promise<void> => {
          const id = acknowledged.length + 1;
          await pool.run("INSERT INTO written VALUES (?, zeroblob(3000))", [id]);
          acknowledged.push(id);
        };
        for (let i = 0; i < 20; i++) await write();
        if (warm) await pool.get("SELECT 1 FROM written");
        for (const suffix of suffixes) rmSync(path + suffix);
        await write();
        const count = pool.get("SELECT count(*) AS n FROM written");
        if (warm) expect(await count).toEqual({ n: acknowledged.length });
        else
          expect(await rejection(count)).toMatchObject({
            name: "OperationalError",
            code: "SQLITE_IOERR_SHORT_READ",
            message: "disk I/O error",
          });
        await write();
        await pool.close();
        const engine = openEngine(path);
        expect(engine.prepare("SELECT id FROM written ORDER BY id").pluck().all()).toEqual(acknowledged);
        expect(engine.pragma("integrity_check", { simple: true })).toBe("ok");
        tally.other++;
      }
    }
  });

  it("because it is no database: nobody touches it", async () => {
    const below = random(seed);
    const folder = await temporaryFolder();
    for (let i = 0; i < times(4, 40); i++) {
      const path = join(folder, `${i}.db`);
      const junk = Buffer.from(Array.from({ length: 600 + below(9000) }, () => below(256)));
      writeFileSync(path, junk);
      const use = async (): Promise<void> => {
        await using db = await connect(path);
        await db.executeFetchall("SELECT * FROM sqlite_schema");
      };
      for (const error of [await rejection(use), await rejection(createPool(path))]) {
        expect(error).toBeInstanceOf(DatabaseError);
        expect(error).toMatchObject(isJunk);
      }
      expect(readFileSync(path).equals(junk)).toBe(true);
      tally.damaged++;
    }
  });

  it(
    "because a page is overwritten, or the end is cut off: what is whole is read, what is not is an error",
    async () => {
      const below = random(seed);
      const folder = await temporaryFolder();
      const sound = join(folder, "sound.db");
      const engine = openEngine(sound);
      engine.pragma("page_size = 1024");
      engine.pragma("journal_mode = wal");
      engine.exec(`${TABLE}; CREATE TABLE other (x); INSERT INTO other VALUES (7)`);
      const insert = engine.prepare("INSERT INTO written VALUES (?, ?)");
      for (let id = 1; id <= 300; id++) insert.run(id, `${id}:`.padEnd(100, "x"));
      engine.close();
      const image = readFileSync(sound);
      const pages = image.length / 1024;
      for (let i = 0; i < times(6, 120); i++) {
        const path = join(folder, `${i}.db`);
        tally.damaged++;
        if (i % 3 === 0) {
          // The file says itself how long it should be, so that nothing of it is trusted.
          writeFileSync(path, image.subarray(0, (1 + below(pages - 1)) * 1024));
          for (const opening of [() => connect(path), () => createPool(path)])
            expect(await rejection(opening)).toMatchObject(isMalformed);
          continue;
        }
        // Behind the roots of both tables.
        const page = 3 + below(pages - 3);
        const damaged = Buffer.from(image);
        for (let at = page * 1024; at < (page + 1) * 1024; at++) damaged[at] = 200 + below(56);
        writeFileSync(path, damaged);
        const [db, pool] = [await open(path), await openPool({ readers: 1 }, path)];
        for (const all of [
          () => db.executeFetchall("SELECT id, body FROM written"),
          () => pool.all("SELECT id, body FROM written"),
        ]) {
          const error = await rejection(all);
          expect(error).toBeInstanceOf(DatabaseError);
          expect(error).toMatchObject(isMalformed);
        }
        // The same connections go on.
        await wholeRows(pool);
        expect(await pool.all("SELECT x FROM other")).toEqual([{ x: 7 }]);
        expect(await db.executeFetchall("SELECT x FROM other")).toEqual([[7]]);
        expect(pool.stats().respawned).toBe(0);
        await db.close();
        await pool.close();
      }
      figure(
        "disk",
        `${tally.full} full disks, ${tally.limited} file size limits, ${tally.damaged} damaged or junk files, ${tally.other} other faults; ${tally.acknowledged} writes acknowledged around the failures, 0 lost, and each error with its class and code`,
      );
    },
    LIMIT_MS,
  );
});

/** Each row by itself is what was stored, or an error. */
async function wholeRows(pool: Pool): Promise<void> {
  let whole = 0;
  const one = async (id: number): Promise<void> => {
    try {
      const row = await pool.get<{ body: string }>("SELECT body FROM written WHERE id = ?", [id]);
      expect(row?.body).toBe(`${id}:`.padEnd(100, "x"));
      whole++;
    } catch (error) {
      expect((error as SqliteError).code).toMatch(/^SQLITE_CORRUPT/);
    }
  };
  await Promise.all(Array.from({ length: 300 }, (_, i) => one(i + 1)));
  expect(whole).toBeLessThan(300);
}
