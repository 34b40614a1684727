import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { databaseName } from "../dist/connection/file-uri.js";
import { sqlite3 } from "./support.ts";

const { OPEN_CREATE, OPEN_READONLY, OPEN_READWRITE, OPEN_SHAREDCACHE, OPEN_URI } = sqlite3;
const usual = OPEN_READWRITE | OPEN_CREATE;
const uri = usual | OPEN_URI;
const file = { path: "/tmp/x.db", readonly: false, mustExist: false, sharedMemory: null };

describe("the name of a database", () => {
  it("is a path, whatever it looks like, unless URIs are asked for", () => {
    expect(databaseName("/tmp/x.db", usual)).toEqual(file);
    expect(databaseName("file:x.db?mode=ro", usual)).toEqual({ ...file, path: resolve("file:x.db?mode=ro") });
    expect(databaseName("/tmp/x.db", uri)).toEqual(file);
  });

  it.each([
    ["file:/tmp/x.db", file],
    ["file:///tmp/x.db", file],
    ["file://localhost/tmp/x.db", file],
    ["FILE:/tmp/x.db", file],
    ["file:x.db", { ...file, path: "x.db" }],
    ["file:/tmp/x.db#fragment?mode=ro", file],
    ["file:/tmp/x.db?mode=ro", { ...file, readonly: true, mustExist: true }],
    ["file:/tmp/x.db?mode=rw", { ...file, mustExist: true }],
    ["file:/tmp/x.db?mode=rwc&psow=0&immutable=0", file],
    ["file:/tmp/50%25%20of%3f.db", { ...file, path: "/tmp/50% of?.db" }],
    ["file:/tmp/100%.db", { ...file, path: "/tmp/100%.db" }],
    ["file:/tmp/%e2%82%ac.db", { ...file, path: "/tmp/€.db" }],
    ["file:/tmp/x.db%00rest", file],
    ["file::memory:", { ...file, path: ":memory:" }],
    ["file::memory:?cache=shared", { ...file, path: ":memory:", sharedMemory: ":memory:" }],
    ["file:name?mode=memory&cache=shared", { ...file, path: ":memory:", sharedMemory: "name" }],
    ["file:name?mode=memory&cache=private", { ...file, path: ":memory:" }],
  ])("is read as SQLite reads it: %s", (name, expected) => {
    expect(databaseName(name, uri)).toEqual(expected);
  });

  it("is looked at after the flags", () => {
    const misuse = { code: "SQLITE_MISUSE", message: "SQLITE_MISUSE: bad parameter or other API misuse" };
    for (const flags of [0, OPEN_CREATE, -1])
      expect(() => databaseName("file:x?mode=zzz", flags | OPEN_URI)).toThrow(
        expect.objectContaining(misuse),
      );
  });

  it("has a drive behind a slash, which is taken off on Windows and nowhere else", () => {
    const path = process.platform === "win32" ? "C:/data/x.db" : "/C:/data/x.db";
    expect(databaseName("file:///C:/data/x.db", uri)).toEqual({ ...file, path });
    expect(databaseName("file:/C:/data/x.db", uri)).toEqual({ ...file, path });
  });

  it("is one in memory that others have too where the flags say so", () => {
    expect(databaseName(":memory:", usual | OPEN_SHAREDCACHE).sharedMemory).toBe(":memory:");
    expect(databaseName("file:name?mode=memory", uri | OPEN_SHAREDCACHE).sharedMemory).toBe("name");
    expect(databaseName("/tmp/x.db", usual | OPEN_SHAREDCACHE)).toEqual(file);
  });

  it.each([
    ["file://elsewhere/x.db", uri, "SQLITE_ERROR: invalid uri authority: elsewhere"],
    ["file:x.db?mode=fast", uri, "SQLITE_ERROR: no such access mode: fast"],
    ["file:x.db?cache=big", uri, "SQLITE_ERROR: no such cache mode: big"],
    ["file:x.db?mode=rw", OPEN_READONLY | OPEN_URI, "SQLITE_PERM: access mode not allowed: rw"],
    ["file:x.db?vfs=memdb", uri, 'SQLITE_ERROR: the URI parameter "vfs" is not supported'],
    ["file:x.db?immutable=1", uri, 'SQLITE_ERROR: the URI parameter "immutable" is not supported'],
    ["x.db", 0, "SQLITE_MISUSE: bad parameter or other API misuse"],
  ])("that means nothing is an error: %s", (name, flags, message) => {
    expect(() => databaseName(name, flags)).toThrow(message);
  });
});
