import { describe, expect, it } from "vitest";
import { flag, integerOf, optional, wordOf } from "../../dist/options/connect-options.js";
import { refuseUnknown, resolveTable } from "../../dist/options/option-table.js";

const TABLE = {
  rows: integerOf(64, 1),
  queue: integerOf(Number.MAX_SAFE_INTEGER, 1),
  on: flag(true),
  mode: wordOf("auto", ["auto", "external"]),
  made: optional<() => void>("function"),
};
const DEFAULTS = { rows: 64, queue: Number.MAX_SAFE_INTEGER, on: true, mode: "auto", made: undefined };

describe("a table of options", () => {
  it("gives the default of each that is not given, or undefined", () => {
    expect(resolveTable(TABLE, {})).toEqual(DEFAULTS);
    expect(resolveTable(TABLE, { rows: undefined, on: undefined })).toEqual(DEFAULTS);
  });

  it("gives what was given, and nothing that is in no row", () => {
    const made = (): void => {};
    const given = { rows: 1, queue: Number.POSITIVE_INFINITY, on: false, mode: "external", made, other: 1 };
    expect(resolveTable(TABLE, given)).toEqual({
      rows: 1,
      queue: Number.MAX_SAFE_INTEGER,
      on: false,
      mode: "external",
      made,
    });
  });

  it.each([
    [{ rows: 0 }, RangeError, 'option "rows" must be at least 1'],
    [{ rows: 1.5 }, TypeError, 'option "rows" must be an integer'],
    [{ rows: null }, TypeError, 'option "rows" must be an integer'],
    [{ on: 1 }, TypeError, 'option "on" must be a boolean'],
    [{ mode: "other" }, RangeError, 'option "mode" must be "auto" or "external"'],
    [{ made: null }, TypeError, 'option "made" must be of type function'],
  ])("refuses %o", (given, kind, message) => {
    expect(() => resolveTable(TABLE, given)).toThrow(kind);
    expect(() => resolveTable(TABLE, given)).toThrow(message);
  });

  it("knows the names of its rows, and no others", () => {
    const other = { signal: optional("object") };
    expect(() => refuseUnknown({ rows: 1, signal: 2 }, [TABLE, other])).not.toThrow();
    expect(() => refuseUnknown({ toString: 1 }, [TABLE, other])).toThrow('unknown option "toString"');
  });
});
