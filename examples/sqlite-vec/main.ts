/**
 * Nearest neighbours by the extension sqlite-vec, on the readers of a pool:
 *
 *     node examples/sqlite-vec/main.ts '#ff7f51' '#336699'
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Table from "cli-table3";
import { nearest, openColors } from "./nearest.ts";

const wanted = process.argv.length > 2 ? process.argv.slice(2) : ["#ff7f51", "#336699", "#0a0a14"];
const wrong = wanted.find((hex) => !/^#[0-9a-f]{6}$/i.test(hex));
if (wrong !== undefined) {
  console.error(`"${wrong}" is no colour: give it as #rrggbb`);
  process.exit(2);
}

const folder = await mkdtemp(join(tmpdir(), "colors-"));
try {
  await using pool = await openColors(join(folder, "colors.db"), 2);
  const found = await Promise.all(wanted.map((hex) => nearest(pool, hex, 3)));
  const table = new Table({ head: ["colour", "nearest", "", "distance"], style: { head: [], border: [] } });
  for (const [at, hex] of wanted.entries()) {
    for (const [place, { name, hex: other, distance }] of (found[at] ?? []).entries()) {
      table.push([place === 0 ? hex : "", name, other, distance.toFixed(1)]);
    }
  }
  console.log(table.toString());
  const { version } = (await pool.get<{ version: string }>("SELECT vec_version() AS version")) ?? {};
  console.log(`sqlite-vec ${version}, ${pool.stats().readers} reader(s)`);
} finally {
  await rm(folder, { recursive: true });
}
