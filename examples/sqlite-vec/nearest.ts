import { createPool, type Pool } from "@sqlite-aio/core";
import { getLoadablePath } from "sqlite-vec";
import { colors } from "./colors.ts";

export interface Neighbour {
  readonly name: string;
  readonly hex: string;
  readonly distance: number;
}

/** A pool that loads the extension into every connection, the readers and the writer. */
export async function openColors(path: string, readers: number): Promise<Pool> {
  const pool = await createPool(path, { readers, extensions: [{ path: getLoadablePath() }] });
  await pool.transaction(async (tx) => {
    await tx.exec("CREATE VIRTUAL TABLE color USING vec0(rgb FLOAT[3], +name TEXT, +hex TEXT)");
    for (const [name, hex] of Object.entries(colors)) {
      await tx.run("INSERT INTO color (rgb, name, hex) VALUES (?, ?, ?)", [vectorOf(hex), name, hex]);
    }
  });
  return pool;
}

/** The named colours closest to `hex`, the closest first. */
export async function nearest(pool: Pool, hex: string, count: number): Promise<Neighbour[]> {
  return await pool.all<Neighbour>(
    "SELECT name, hex, distance FROM color WHERE rgb MATCH ? AND k = ? ORDER BY distance",
    [vectorOf(hex), count],
  );
}

/** Red, green and blue, in the form that sqlite-vec takes: four bytes each. */
function vectorOf(hex: string): Float32Array {
  return Float32Array.from([1, 3, 5], (at) => Number.parseInt(hex.slice(at, at + 2), 16));
}
