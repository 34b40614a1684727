import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { createPool, NotSupportedError, PrimaryError } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { rejection, temporaryPath } from "../../support/database.ts";

const engine = pathToFileURL(createRequire(import.meta.url).resolve("libsql"));
/** No server answers there. */
const url = "http://127.0.0.1:1";

describe("a pool over a primary", () => {
  it("checks its options before it does anything", async () => {
    const path = await temporaryPath();
    const wrong: readonly (readonly [string, object])[] = [
      ['a primary needs the option { engine: "libsql" }', { engine: "better-sqlite3" }],
      ['a primary needs the option { engine: "libsql" }', { engine: undefined }],
      ['option "primary" must be an object', { primary: url }],
      ["is no URL of a primary", { primary: { url: "ftp://127.0.0.1" } }],
      ["is no URL of a primary", { primary: { url: "http:" } }],
      ['option "url" must be a URL', { primary: {} }],
      ["has no user, query or fragment", { primary: { url: "http://127.0.0.1?authToken=x" } }],
      ['option "authToken" must be a string', { primary: { url, authToken: 1 } }],
      ['option "primary.syncInterval" must be at least 0', { primary: { url, syncInterval: -1 } }],
      ['option "timeout" must be at least 1', { primary: { url, timeout: 0 } }],
      ['option "primary.readYourWrites" must be a boolean', { primary: { url, readYourWrites: "yes" } }],
      ['unknown option "primary.token"', { primary: { url, token: "x" } }],
      ['unknown option "syncInterval"', { syncInterval: 10 }],
      ['option "maxWaiting" must be at least 0', { maxWaiting: -1 }],
      ['option "readers" must be at least 0', { readers: -1 }],
      ['option "readLeases" must be at least 0', { readLeases: -1 }],
      ['option "onConnect" must be a function', { onConnect: 1 }],
    ];
    for (const [message, options] of wrong) {
      const error = await rejection(createPool(path, { engine, primary: { url }, ...options } as never));
      expect(error, message).toMatchObject({ message: expect.stringContaining(message) as unknown });
      expect(["TypeError", "RangeError"], message).toContain((error as Error).name);
    }
    for (const database of [":memory:", ""]) {
      const error = await rejection(createPool(database, { engine, primary: { url } }));
      expect(error).toMatchObject({ name: "TypeError", message: "a replica needs a file" });
    }
  });

  it("refuses at once what only a database of this machine has", async () => {
    const path = await temporaryPath();
    for (const options of [
      { groupCommit: true },
      { writers: 2 },
      { checkpoint: "external" },
      { changePollInterval: 10 },
    ]) {
      const error = await rejection(createPool(path, { engine, primary: { url }, ...options } as never));
      expect(error).toBeInstanceOf(NotSupportedError);
      expect(error).toMatchObject({ code: "SQLITE_AIO_CLUSTER" });
    }
    const waiting = await rejection(createPool(url, { engine, maxWaiting: -1 }));
    expect(waiting).toMatchObject({ name: "RangeError", message: 'option "maxWaiting" must be at least 0' });
    const error = await rejection(createPool(url, { engine, readers: 3 } as never));
    expect(error).toMatchObject({
      name: "TypeError",
      message: 'option "readers" is for a database of this machine',
    });
  });

  it("tells that the primary could not be reached, and leaves nothing behind that holds the file", async () => {
    const path = await temporaryPath();
    for (let round = 0; round < 2; round++) {
      const error = await rejection(createPool(path, { engine, primary: { url, timeout: 200 } }));
      expect(error).toBeInstanceOf(PrimaryError);
      expect(error).toMatchObject({ code: "SQLITE_AIO_PRIMARY_UNREACHABLE", outcome: "not-started" });
    }
    const error = await rejection(createPool(url, { engine }));
    expect(error).toMatchObject({ code: "SQLITE_AIO_PRIMARY_UNREACHABLE", outcome: "not-started" });
    const reason = new Error("no more");
    const signal = AbortSignal.abort(reason);
    expect(await rejection(createPool(path, { engine, primary: { url }, signal }))).toBe(reason);
  });
});
