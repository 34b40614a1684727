import { describe, expect, it } from "vitest";
import { Executor } from "../../dist/handle/executor.js";
import { FrameReader } from "../../dist/loop/frame-reader.js";
import { Session } from "../../dist/handle/session.js";
import {
  Answer,
  answerEnd,
  appendCells,
  checkHead,
  createControl,
  encodePacket,
  Kind,
  Op,
  openControl,
  packetRows,
  UsageError,
} from "../../dist/wire/index.js";

/** The error that `work` throws. */
function thrown(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("it threw nothing");
}

const MALFORMED = { name: "UsageError", code: "PROTOCOL" };

describe("a frame", () => {
  const read = (...frame: unknown[]): unknown => {
    const reader = new FrameReader(new Executor({} as never, {} as never));
    reader.add([Op.DEFINE, 1, "SELECT ?", null, ...frame]);
    const operations = [];
    for (let operation = reader.next(); operation !== null; operation = reader.next())
      operations.push(operation);
    return operations;
  };

  it("whose operation has fewer parameters than none is refused, and not read for ever", () => {
    expect(read(Op.QUERY, 1, 0, 0, 0, -1, 1, "x")).toMatchObject([{ code: Op.QUERY, values: ["x"] }]);
    for (const count of [-1, -7, -8, 0.5, 2, Number.NaN, "1", null, undefined, 2 ** 60]) {
      expect(
        thrown(() => read(Op.QUERY, 1, 0, 0, 0, -1, count, "x")),
        String(count),
      ).toMatchObject(MALFORMED);
    }
  });

  it("with an operation that is not known, or that is cut short, is refused", () => {
    for (const frame of [
      [99],
      [-1],
      [0.5],
      ["toString"],
      [null],
      [[0]],
      [{ toString: 1 }],
      [Op.FETCH, 1],
      [Op.CALL],
    ]) {
      expect(thrown(() => read(...frame))).toMatchObject(MALFORMED);
    }
    expect(thrown(() => read(Op.QUERY, 2, 0, 0, 0, -1, 0))).toMatchObject(MALFORMED);
  });
});

describe("a packet", () => {
  it.each<[string, unknown]>([
    ["is no array", { 0: 1 }],
    ["has more rows than fit into any", [4_000_000_000, [Kind.NULL]]],
    ["has fewer rows than none", [-1, [Kind.NULL]]],
    ["has a column of no kind", [1, [77, []]]],
    ["has a column that is none", [1, "x"]],
    ["has fewer values than rows", [2, [Kind.MIXED, [1]]]],
    ["has numbers in another form", [1, [Kind.NUMBER, [1], null]]],
    ["has fewer numbers than rows", [2, [Kind.NUMBER, new Float64Array(1), null]]],
    ["has marks of null for other rows", [1, [Kind.INT64, new BigInt64Array(1), new Uint8Array(2)]]],
    ["has texts that end beyond the text", [1, [Kind.TEXT, "ab", Uint32Array.of(3), null]]],
    ["has texts that end before they begin", [2, [Kind.TEXT, "ab", Uint32Array.of(2, 1), null]]],
    ["has ends of texts in another form", [1, [Kind.TEXT, "ab", [2], null]]],
    ["has ends of fewer texts than rows", [2, [Kind.TEXT, "ab", Uint32Array.of(2), null]]],
    ["has blobs of gigabytes", [1, [Kind.BLOB, new Uint8Array(1), Uint32Array.of(4_000_000_000), null]]],
    ["has terms that there are not", [1, [Kind.TERMS, ["a"], Uint16Array.of(1)]]],
    ["has terms in another form", [1, [Kind.TERMS, ["a"], [0]]]],
    ["has terms that are no texts", [1, [Kind.TERMS, [{}], Uint16Array.of(0)]]],
    ["has a value of no type", [1, [Kind.MIXED, [{}]]]],
    ["lacks a value", [1, [Kind.MIXED, [undefined]]]],
    ["has a boolean", [1, [Kind.MIXED, [true]]]],
  ])("that %s is refused", (_, packet) => {
    expect(thrown(() => packetRows(packet as never))).toMatchObject(MALFORMED);
  });

  it("that the other side makes is not", () => {
    expect(packetRows(encodePacket([[1, null, "a"]], 3, "auto", []))).toEqual([[1, null, "a"]]);
  });
});

describe("a reply", () => {
  it.each<[string, unknown]>([
    ["is no array", null],
    ["has no state", ["x", 0, 0]],
    ["has more shapes than fit into it", [0, 0, 4_000_000_000]],
    ["has a shape whose names are none", [0, 0, 1, 1, [5], [null]]],
    ["has a shape without types", [0, 0, 1, 1, ["a"], []]],
  ])("that %s is refused", (_, reply) => {
    expect(thrown(() => checkHead(reply))).toMatchObject(MALFORMED);
  });

  it.each<[string, unknown[]]>([
    ["is not known", [55]],
    ["is another's", ["toString"]],
    ["is cut short", [Answer.DONE, 1]],
    ["has no counts", [Answer.DONE, null, 1]],
    ["has more rows than it has cells", [Answer.ROWS, 0, 2, 2, 1, 2, 3]],
    ["has endless rows without a cell", [Answer.ROWS, 0, 1e12, 0]],
    ["has fewer cells than none", [Answer.ROWS, 0, -1, 3]],
    ["knows of more than there can be", [Answer.ROWS, 9, 0, 0]],
    ["is a packet and has none", [Answer.PACKET, 0, 7]],
    [
      "is a fault without a message",
      [Answer.FAULT, { kind: "engine", code: "SQLITE_ERROR", name: "", stack: "" }],
    ],
    ["tells of no changes", [Answer.CHANGES, null]],
    ["tells of changes to no table", [Answer.CHANGES, { tables: [null], schema: false, anything: false }]],
    ["tells of changes to nothing", [Answer.CHANGES, { tables: [{}], schema: false, anything: false }]],
  ])("whose answer %s is refused", (_, answer) => {
    expect(thrown(() => answerEnd(answer, 0))).toMatchObject(MALFORMED);
  });

  it("whose cells are no values is refused", () => {
    for (const cell of [undefined, true, {}, []])
      expect(thrown(() => appendCells([], [cell], 0, 1, 1, null))).toBeInstanceOf(UsageError);
  });
});

it("a call of a method that there is not is refused", () => {
  const session = new Session(openControl(createControl()), {} as never, () => undefined);
  expect(thrown(() => session.methods.call("toString", []))).toMatchObject(MALFORMED);
});
