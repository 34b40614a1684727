import { readdir } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { connect } from "@sqlite-aio/core";

/** Whether a database was closed as it should be: all is in the file, and there is none beside it. */
export async function isCheckpointed(path: string): Promise<boolean> {
  const name = basename(path);
  const files = (await readdir(dirname(path))).filter((file) => file.startsWith(name));
  return files.length === 1 && files[0] === name;
}

/** How many visits a database holds. */
export async function visitsIn(path: string): Promise<unknown> {
  await using db = await connect(path);
  const [[visits] = []] = await db.executeFetchall<[number]>("SELECT count(*) FROM visit");
  return visits;
}
