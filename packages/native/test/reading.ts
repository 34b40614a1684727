import { native } from "./engine.ts";

interface Wire {
  readonly BLOCK_END: number;
  readonly BLOCK_REPREPARED: number;
  appendBlock(out: unknown[], block: ArrayBuffer | Uint8Array, names: readonly string[] | null): void;
  blockFlags(block: ArrayBuffer): number;
  blockRows(block: ArrayBuffer): number;
  createControl(): SharedArrayBuffer;
  openControl(control: SharedArrayBuffer): {
    readonly block: Int32Array;
    readonly cancelled: Uint8Array;
    readonly group: Int32Array;
  };
  encodePacket(rows: unknown[][], columns: number, mode: string, transfer: ArrayBuffer[]): unknown[];
}

/** The worker's code for reading packets. */
export const wire = (await import(new URL("../../worker/dist/wire/index.js", import.meta.url).href)) as Wire;

export interface Reading {
  readonly values?: readonly (null | number | bigint | string | Uint8Array)[];
  readonly mode?: 0 | 1 | 2 | 4 | 5 | 6;
  readonly limit?: number;
  readonly bytes?: number;
}

/** All rows of the result as arrays, and the number of blocks. */
export function readAll(
  token: number,
  sql: string,
  { values = [], mode = 0, limit = 2048, bytes = 256 * 1024 }: Reading = {},
): { rows: unknown[][]; blocks: number } {
  const statement = native.prepare(token, sql)!;
  try {
    native.bind(token, statement.id, values);
    return rest(token, statement.id, { mode, limit, bytes });
  } finally {
    native.finalize(token, statement.id);
  }
}

/** The remaining rows of a run. */
export function rest(
  token: number,
  statement: number,
  { mode = 0, limit = 2048, bytes = 256 * 1024 }: Reading = {},
): { rows: unknown[][]; blocks: number } {
  const rows: unknown[][] = [];
  for (let blocks = 1; ; blocks++) {
    const block = native.rows(token, statement, limit, bytes, mode, false);
    wire.appendBlock(rows, block, null);
    if ((wire.blockFlags(block) & wire.BLOCK_END) !== 0) return { rows, blocks };
  }
}

/** Parameter sets in the form in which they cross to the thread. */
export function packet(sets: unknown[][]): unknown[] {
  return wire.encodePacket(sets, sets[0]?.length ?? 0, "auto", []);
}
