import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import {
  appendCells,
  appendPacket,
  type Column,
  encodePacket,
  fromEngine,
  type IntegerMode,
  isSafe,
  Kind,
  objectBuilder,
  type Packet,
  packetRows,
  pushTransfer,
  sizeOf,
  type SqlValue,
  toBinding,
} from "../../dist/wire/index.js";

/** The other side of a thread boundary: cloned, with what is transferred moved. */
function cross<T>(value: T, transfer: ArrayBuffer[]): T {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(value, transfer);
  const received = receiveMessageOnPort(port2)!.message as T;
  port1.close();
  return received;
}

interface Crossed {
  packet: Packet;
  rows: SqlValue[][];
  objects: Record<string, SqlValue>[];
}

/** Rows through a packet and over a port, as arrays and as objects. */
function roundTrip(rows: SqlValue[][], mode: IntegerMode = "auto"): Crossed {
  const columns = rows[0]?.length ?? 0;
  const names = Array.from({ length: columns }, (_, c) => `c${c}`);
  const through = (): Packet => {
    const transfer: ArrayBuffer[] = [];
    // A transfer takes the memory away, so each transfer uses a copy.
    const copy = rows.map((row) => row.map((value) => (value instanceof Uint8Array ? value.slice() : value)));
    return cross(encodePacket(copy, columns, mode, transfer), transfer);
  };
  const packet = through();
  const arrays: SqlValue[][] = [];
  appendPacket(arrays, packet, null);
  const objects: Record<string, SqlValue>[] = [];
  appendPacket(objects, through(), names);
  expect(objects.map((object) => names.map((name) => object[name]))).toEqual(arrays);
  return { packet, rows: arrays, objects };
}

const column = (values: SqlValue[]): SqlValue[][] => values.map((value) => [value]);
const kindOf = (packet: Packet, c = 0): number => (packet[c + 1] as Column)[0];

describe("a column of a packet", () => {
  const repeat = (values: SqlValue[], count: number): SqlValue[] =>
    Array.from({ length: count }, (_, i) => values[i % values.length]!);
  const texts = Array.from({ length: 600 }, (_, i) => `text ${i} ä日🙂`);
  const large = new Uint8Array(10_000).fill(7);

  // Kind, then values that make it, all read back as they are.
  const cases: [name: string, kind: number, values: SqlValue[]][] = [
    ["no row", Kind.NULL, []],
    ["nulls", Kind.NULL, [null, null, null]],
    ["numbers", Kind.NUMBER, [1, -1, 0.5, -0, 1e300, Number.NaN, Number.POSITIVE_INFINITY]],
    ["numbers and nulls", Kind.NUMBER, [null, 1, null, 2.5]],
    ["large integers", Kind.MIXED, [9007199254740993n, -9223372036854775808n, 9223372036854775807n]],
    ["a large integer among numbers", Kind.MIXED, [1, 2.5, 9007199254740992n, null]],
    ["texts", Kind.TEXT, ["a", "", "ä日🙂", "nul\0nul"]],
    ["texts and nulls", Kind.TEXT, [null, "a", null, "", "b", null]],
    ["different texts, many of them", Kind.TEXT, texts],
    ["few texts, many times", Kind.TERMS, repeat(["a", "b", "ä"], 600)],
    ["few texts and nulls, many times", Kind.TERMS, repeat(["a", null, ""], 600)],
    ["few texts at first, and then many", Kind.TEXT, [...repeat(["a", "b"], 100), ...texts]],
    ["few texts, and then a number", Kind.MIXED, [...repeat(["a", "b"], 400), 5]],
    ["small blobs", Kind.BLOB, [Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)]],
    ["small blobs and nulls", Kind.BLOB, [null, Uint8Array.of(1), null]],
    ["a blob of the limit", Kind.BLOB, [new Uint8Array(4096).fill(1)]],
    ["a large blob", Kind.MIXED, [Uint8Array.of(1), large, null]],
    ["texts and blobs", Kind.MIXED, ["a", Uint8Array.of(1)]],
    ["numbers and texts", Kind.MIXED, [1, "a", 2.5, null]],
    ["a text after numbers", Kind.MIXED, [...repeat([1, 2], 300), "x"]],
    ["blobs after nulls", Kind.BLOB, [...repeat([null], 300), Uint8Array.of(5)]],
  ];

  it.each(cases)("of %s is of kind %i, and its values come back", (_, kind, values) => {
    const { packet, rows } = roundTrip(column(values));
    if (values.length > 0) expect(kindOf(packet)).toBe(kind);
    expect(rows).toHaveLength(values.length);
    for (const [r, value] of values.entries()) {
      const read = rows[r]![0];
      if (value instanceof Uint8Array) {
        expect(Buffer.isBuffer(read)).toBe(true);
        expect((read as Buffer).equals(value)).toBe(true);
      } else expect(Object.is(read, value), `row ${r}`).toBe(true);
    }
  });

  it("of integers read as bigints follows the mode", () => {
    const values = [1n, -5n, null, 9007199254740991n];
    const numbers = [1, -5, null, 9007199254740991];
    expect(roundTrip(column(values), "auto").rows).toEqual(column(numbers));
    expect(kindOf(roundTrip(column(values), "auto").packet)).toBe(Kind.NUMBER);
    expect(roundTrip(column(values), "bigint").rows).toEqual(column(values));
    expect(kindOf(roundTrip(column(values), "bigint").packet)).toBe(Kind.INT64);
    const unsafe = [...values, 9007199254740993n, -9223372036854775808n];
    expect(roundTrip(column(unsafe), "auto").rows).toEqual(column([...numbers, ...unsafe.slice(4)]));
    expect(roundTrip(column(unsafe), "bigint").rows).toEqual(column(unsafe));
    expect(roundTrip(column(unsafe), "number").rows).toEqual(
      column([...numbers, 9007199254740992, -9223372036854775808]),
    );
    expect(roundTrip(column([1.5, 2n, null]), "bigint").rows).toEqual(column([1.5, 2n, null]));
    expect(roundTrip(column([2n, 1.5]), "bigint").rows).toEqual(column([2n, 1.5]));
    expect(roundTrip(column(["x", 2n, 9007199254740993n]), "auto").rows).toEqual(
      column(["x", 2, 9007199254740993n]),
    );
  });

  it("gives blobs that own their memory", () => {
    const { rows } = roundTrip([
      [Uint8Array.of(1, 2), large],
      [Uint8Array.of(3), large],
    ]);
    const blobs = rows.flat() as Buffer[];
    expect(new Set(blobs.map((blob) => blob.buffer)).size).toBe(4);
    for (const blob of blobs) expect(blob.buffer.byteLength).toBe(blob.byteLength);
  });
});

describe("a packet", () => {
  it("of columns of every kind keeps rows together", () => {
    const rows = Array.from({ length: 2048 }, (_, i): SqlValue[] => [
      null,
      i % 3 === 0 ? null : i / 2,
      BigInt(i) * 4503599627370497n,
      `row ${i}`,
      i % 2 === 0 ? "even" : null,
      i % 5 === 0 ? null : Uint8Array.of(i & 255, i >> 8),
      [i, `t${i}`, null][i % 3]!,
    ]);
    const { rows: read, objects } = roundTrip(rows, "auto");
    expect(read).toEqual(
      rows.map((row) =>
        row.map((value) =>
          value instanceof Uint8Array
            ? Buffer.from(value)
            : typeof value === "bigint" && isSafe(value)
              ? Number(value)
              : value,
        ),
      ),
    );
    expect(Object.keys(objects[0]!)).toEqual(["c0", "c1", "c2", "c3", "c4", "c5", "c6"]);
    const again: SqlValue[][] = [["before"]];
    appendPacket(again, encodePacket(rows, 7, "auto", []), null);
    expect(again).toHaveLength(2049);
    expect(again[0]).toEqual(["before"]);
    expect(packetRows(encodePacket(rows, 7, "auto", []))).toEqual(again.slice(1));
  });

  it("moves what it can instead of copying it, each memory once", () => {
    const large = new Uint8Array(5000);
    const view = new Uint8Array(new ArrayBuffer(6000), 500, 5000);
    const transfer: ArrayBuffer[] = [];
    const packet = encodePacket(
      [
        [1, Uint8Array.of(1), large],
        [2, Uint8Array.of(2), view],
      ],
      3,
      "auto",
      transfer,
    );
    // The numbers, the joined blobs, and the blob that is all of its memory; not the view.
    expect(transfer).toHaveLength(3);
    expect(new Set(transfer).size).toBe(3);
    expect(transfer).toContain(large.buffer);
    expect(transfer).not.toContain(view.buffer);
    const received = cross(packet, transfer);
    expect([large.byteLength, view.byteLength]).toEqual([0, 5000]);
    expect(packetRows(received)[1]).toEqual([2, Buffer.of(2), Buffer.alloc(5000)]);
  });

  it("of no columns, or of no rows, gives no cells", () => {
    expect(packetRows(encodePacket([[], []], 0, "auto", []))).toEqual([[], []]);
    expect(packetRows(encodePacket([], 3, "auto", []))).toEqual([]);
    const out: unknown[] = [];
    appendPacket(out, encodePacket([], 2, "auto", []), ["a", "b"]);
    expect(out).toEqual([]);
  });

  it("gives objects whose names may be anything, the last of the same name winning", () => {
    const names = ["__proto__", "constructor", "a", "a", "", "0", "\u2028", '"', "\\", "]", "${x}", "日"];
    const out: Record<string, SqlValue>[] = [];
    appendPacket(out, encodePacket([names.map((_, c) => c)], names.length, "auto", []), names);
    const [object] = out;
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
    const last = new Map(names.map((name, c) => [name, c]));
    expect(new Map(Object.entries(object!))).toEqual(new Map([["0", 5], ...last]));
  });

  it("of the same names but other kinds of columns is not read by the other's reader", () => {
    for (const value of [1, "x", null, Uint8Array.of(1), 2n ** 60n, 2.5, "y"]) {
      const out: Record<string, SqlValue>[] = [];
      appendPacket(out, encodePacket([[value]], 1, "auto", []), ["same"]);
      expect(out).toEqual([{ same: value instanceof Uint8Array ? Buffer.from(value) : value }]);
    }
  });

  it("is read right beyond the number of shapes that are kept", () => {
    for (let i = 0; i < 1200; i++) {
      const name = `shape ${i % 600}`;
      const out: Record<string, SqlValue>[] = [];
      appendPacket(out, encodePacket([[i]], 1, "auto", []), [name]);
      expect(out).toEqual([{ [name]: i }]);
    }
  });
});

describe("flat cells", () => {
  it("become arrays or objects, from any place in a reply", () => {
    const reply = ["head", 1, "a", 2, null, "tail"];
    const arrays: unknown[] = [];
    appendCells(arrays, reply, 1, 2, 2, null);
    expect(arrays).toEqual([
      [1, "a"],
      [2, null],
    ]);
    const objects: unknown[] = [];
    appendCells(objects, reply, 1, 2, 2, ["x", "__proto__"]);
    expect(objects.map((object) => Object.entries(object as object))).toEqual([
      [
        ["x", 1],
        ["__proto__", "a"],
      ],
      [
        ["x", 2],
        ["__proto__", null],
      ],
    ]);
    appendCells(arrays, reply, 5, 0, 0, null);
    expect(arrays).toHaveLength(2);
  });

  it("give blobs as Buffers of the same memory", () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const out: SqlValue[][] = [];
    appendCells(out, [bytes, bytes.subarray(1)], 0, 1, 2, null);
    const [row] = out as [Buffer, Buffer][];
    expect(row!.every((blob) => Buffer.isBuffer(blob))).toBe(true);
    expect([[...row![0]], [...row![1]]]).toEqual([
      [1, 2, 3],
      [2, 3],
    ]);
    expect(row![0].buffer).toBe(bytes.buffer);
  });

  it("are built into objects by one function per list of names", () => {
    const build = objectBuilder(["a", "b"]);
    expect(objectBuilder(["a", "b"])).toBe(build);
    expect(build([0, 1, 2, 3], 1)).toEqual({ a: 1, b: 2 });
  });
});

describe("values", () => {
  it("are bound as the type they have: integers as bigint, -0 and what is no safe integer as they are", () => {
    expect(toBinding(1)).toBe(1n);
    expect(toBinding(-(2 ** 53) + 1)).toBe(-(2n ** 53n) + 1n);
    expect(Object.is(toBinding(-0), -0)).toBe(true);
    for (const value of [1.5, 2 ** 53, Number.POSITIVE_INFINITY, "1", 5n, null]) {
      expect(toBinding(value)).toBe(value);
    }
    expect(toBinding(Number.NaN)).toBeNaN();
  });

  it("are read as the mode says", () => {
    const safe = 2n ** 53n - 1n;
    expect(fromEngine(safe, "auto")).toBe(Number(safe));
    expect(fromEngine(safe + 1n, "auto")).toBe(safe + 1n);
    expect(fromEngine(-safe - 1n, "auto")).toBe(-safe - 1n);
    expect(fromEngine(1n, "bigint")).toBe(1n);
    expect(fromEngine(safe + 1n, "number")).toBe(2 ** 53);
    for (const value of [1.5, "x", null]) expect(fromEngine(value, "auto")).toBe(value);
  });

  it("count for what they weigh", () => {
    expect([sizeOf(1), sizeOf(null), sizeOf(1n), sizeOf("abc"), sizeOf(new Uint8Array(5))]).toEqual([
      8, 8, 8, 3, 5,
    ]);
  });

  it("are moved only if they are all of their memory", () => {
    const transfer: ArrayBuffer[] = [];
    const own = new Uint8Array(3);
    pushTransfer(own, transfer);
    pushTransfer(new Uint8Array(new ArrayBuffer(4), 0, 3), transfer);
    pushTransfer(new Uint8Array(0), transfer);
    pushTransfer(new Uint8Array(new SharedArrayBuffer(3)), transfer);
    expect(transfer).toEqual([own.buffer]);
  });
});
