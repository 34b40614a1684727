import { expect, it } from "vitest";
import type { ResultCursor } from "../../dist/handle/cursors/cursors.js";
import { OpenCursors } from "../../dist/handle/cursors/open-cursors.js";

/** A result that writes down what is done with it, and has no more rows left than `readable` says. */
function result(log: string[], name: string, readable = true): ResultCursor {
  return {
    flags: 0,
    done: false,
    answer: () => 0,
    readRest: (bytes) => {
      log.push(`${name} reads ${bytes}`);
      return readable;
    },
    interrupt: () => void log.push(`${name} is interrupted`),
    close: () => void log.push(`${name} is closed`),
  };
}

function open(readable = true): { cursors: OpenCursors; log: string[] } {
  const log: string[] = [];
  const cursors = new OpenCursors();
  cursors.keep(1, result(log, "a"));
  cursors.keep(2, result(log, "b", readable));
  return { cursors, log };
}

it("a cursor that was read to its end is forgotten and not closed, one that is given up is closed", () => {
  const { cursors, log } = open();
  cursors.forget(1);
  cursors.close(2);
  cursors.close(3);
  expect(log).toEqual(["b is closed"]);
  expect([cursors.size, cursors.get(1), cursors.get(2)]).toEqual([0, undefined, undefined]);
});

it("an interrupt meets every cursor, and leaves each to say so when it is read", () => {
  const { cursors, log } = open();
  cursors.interrupt();
  expect(log).toEqual(["a is interrupted", "b is interrupted"]);
  expect(cursors.size).toBe(2);
});

it("closing all leaves none", () => {
  const { cursors, log } = open();
  cursors.closeAll();
  cursors.closeAll();
  expect(log).toEqual(["a is closed", "b is closed"]);
});

it("what the engine refuses beside open cursors reads up to 16 MB of each, and is refused where one has more", () => {
  const { cursors, log } = open();
  cursors.readRest("a collation cannot be created");
  expect(log).toEqual([`a reads ${2 ** 24}`, `b reads ${2 ** 24}`]);
  expect(() => open(false).cursors.readRest("a collation cannot be created")).toThrow(
    expect.objectContaining({
      code: "SQLITE_BUSY",
      message:
        "a collation cannot be created while a cursor is half read that has more than 16 MB of rows left",
    }),
  );
});
