import { spawnSync } from "node:child_process";
import { existsSync, renameSync, rmSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { datasetFolderFile, removeDatabase } from "../datasets.ts";
import { nextKey } from "../trials/point-read.ts";
import type { Series } from "./series.ts";
import { powersOfTen, timed } from "./sizes.ts";

const SETTINGS = { synchronous: "NORMAL", callers: 1 } as const;
const ROW_BYTES = 3_900;
const READS = 200;
const common = { counts: "MB", sizes: powersOfTen(10, 10_000), quick: 100 };

export const fileSeries: readonly Series[] = [
  {
    ...common,
    name: "file-reads",
    title: "Reads by key, by the size of the file in MB",
    description: `${READS} rows of 3.9 KB by random keys, one after the other, from a file that is in no cache, and the same ones again.`,
    unit: "read",
    reason: "Warm, the tree of a larger file is one level deeper; cold, each read waits for the disk.",
    async measure({ driver, size }) {
      const { file, rows } = pagesOf(size);
      const session = await driver.open(file, SETTINGS);
      await session.get("select 1 as one", []);
      const read = async (): Promise<void> => {
        for (let at = 0, key = 1; at < READS; at++) {
          key = nextKey(key) + 1;
          const row = await session.get("select id, length(body) as size from pages where id = ?", [
            1 + (key % rows),
          ]);
          if (row?.["size"] !== ROW_BYTES) throw new Error("another row than the one that was asked for");
        }
      };
      const cold = (await forget(file)) ? await timed(READS, read) : undefined;
      const warm = await timed(READS, read);
      await session.close();
      return { ...warm, ...(cold && { coldUs: cold.unitUs }) };
    },
  },
  {
    ...common,
    name: "file-scan",
    title: "A query over the whole file, by its size in MB",
    description: "`sum(length(body))` of all rows of a file that is in no cache, and the same again.",
    unit: "MB",
    reason:
      "10 MB fit into SQLite's page cache (16 MB); a larger file comes from the system's cache each time.",
    async measure({ driver, size }) {
      const { file, rows } = pagesOf(size);
      const session = await driver.open(file, SETTINGS);
      await session.get("select 1 as one", []);
      const scan = async (): Promise<void> => {
        const row = await session.get("select sum(length(body)) as bytes from pages", []);
        if (row?.["bytes"] !== rows * ROW_BYTES) throw new Error(`${String(row?.["bytes"])} bytes were read`);
      };
      const cold = (await forget(file)) ? await timed(size, scan) : undefined;
      const warm = await timed(size, scan);
      await session.close();
      return { ...warm, ...(cold && { coldUs: cold.unitUs }) };
    },
  },
];

/** A file with one row per page, written once per run. Throws if the disk has less than twice that space free. */
function pagesOf(megabytes: number): { file: string; rows: number } {
  const file = datasetFolderFile(`pages-${megabytes}.db`);
  const rows = Math.floor((megabytes * 1e6) / 4_096);
  if (existsSync(file)) return { file, rows };
  const { bavail, bsize } = statfsSync(dirname(file));
  if (bavail * bsize < megabytes * 2e6) throw new Error(`the disk has no ${megabytes} MB to spare`);
  const unfinished = `${file}.unfinished`;
  rmSync(unfinished, { force: true });
  const database = new DatabaseSync(unfinished);
  database.exec(
    "pragma journal_mode = off; pragma synchronous = off; create table pages (id integer primary key, body blob)",
  );
  database.exec(
    `insert into pages with recursive i(n) as (select 1 union all select n + 1 from i limit ${rows}) select n, randomblob(${ROW_BYTES}) from i`,
  );
  database.exec("pragma journal_mode = wal");
  database.close();
  renameSync(unfinished, file);
  return { file, rows };
}

/** Frees the disk space. */
export function removePages(): void {
  for (const megabytes of common.sizes) removeDatabase(datasetFolderFile(`pages-${megabytes}.db`));
}

/** Makes the system drop its cache of a file; false if that is not possible. */
async function forget(file: string): Promise<boolean> {
  if (process.platform !== "linux") return false;
  const { status } = spawnSync("dd", [`of=${file}`, "oflag=nocache", "conv=notrunc,fdatasync", "count=0"], {
    stdio: "ignore",
  });
  return status === 0;
}
