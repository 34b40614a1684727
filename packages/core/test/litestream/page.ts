import { readFileSync } from "node:fs";
import { join } from "node:path";

const page = readFileSync(join(import.meta.dirname, "../../../../docs/scaling-out.md"), "utf8");

/** Where the page has the database and the replica. */
const DATABASE = "/var/lib/app";
const REPLICA = "/mnt/backup/app";

/** The page's `litestream.yml`, for these folders. */
export function configFor(folder: string, replica: string): string {
  const [, text] = /^```yaml\n(.*?)^```$/ms.exec(page) ?? [];
  if (text === undefined) throw new Error("the page has no litestream.yml");
  return moved(text, folder, replica);
}

/** The only command of the page that begins like this, for these folders. */
export function commandFor(beginning: string, folder: string, replica: string): string {
  const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text]) => text ?? "");
  const lines = blocks.flatMap((text) => text.split("\n")).filter((line) => line.startsWith(beginning));
  if (lines.length !== 1) throw new Error(`${lines.length} commands of the page begin with ${beginning}`);
  return moved(lines[0] ?? "", folder, replica);
}

/** Milliseconds that a write may take to the replica, as the page's configuration has it: found, then sent. */
export function intervals(): number {
  const found = [...configFor("", "").matchAll(/(?:monitor|sync)-interval: (\d+)ms/g)].map(([, ms]) =>
    Number(ms),
  );
  if (found.length !== 2) throw new Error("the page's litestream.yml has not two intervals in ms");
  return found.reduce((sum, ms) => sum + ms, 0);
}

function moved(text: string, folder: string, replica: string): string {
  return text.replaceAll(DATABASE, folder).replaceAll(REPLICA, replica);
}
