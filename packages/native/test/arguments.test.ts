import { expect, it } from "vitest";
import { native, open } from "./engine.ts";

it.each<[string, (token: number) => unknown, string]>([
  ["a token that is none", () => native.interrupt("1" as never), "The token must be a number"],
  ["no token", () => native.takeChanges(undefined as never), "The token must be a number"],
  [
    "an authorizer that is none",
    (token) => native.setAuthorizer(token, 5 as never),
    "must be a function or null",
  ],
  ["a switch that is none", (token) => native.trackChanges(token, 1 as never), "on must be a boolean"],
  [
    "a limit that is none",
    (token) => native.trackChanges(token, true, "1" as never),
    "rowidLimit must be a number",
  ],
  ["a limit below 0", (token) => native.trackChanges(token, true, -1), "rowidLimit must be a number"],
  [
    "a limit that is too high",
    (token) => native.trackChanges(token, true, 1e6 + 1),
    "rowidLimit must be a number",
  ],
  ["a table that is none", (token) => native.markChanged(token, "main", 5 as never), "must be strings"],
  ["a database that is none", (token) => native.markChanged(token, null as never, "t"), "must be strings"],
  ["SQL that is none", (token) => native.analyze(token, 5 as never), "sql must be a string"],
  ["SQL to prepare that is none", (token) => native.prepare(token, 5 as never), "sql must be a string"],
  [
    "a statement that is none",
    (token) => native.reset(token, "1" as never),
    "The statement must be a number",
  ],
  [
    "a statement to finalize that is none",
    (token) => native.finalize(token, "1" as never),
    "The statement must be a number",
  ],
  ["values that are none", (token) => native.bind(token, 1, {} as never), "The values must be an array"],
  [
    "a limit of rows that is none",
    (token) => native.rows(token, 1, "1" as never, 1, 0, false),
    "limit must be",
  ],
  ["bytes that are none", (token) => native.rows(token, 1, 1, -1, 0, false), "bytes must be a number"],
  [
    "a mode that is none",
    (token) => native.rows(token, 1, 1, 1, 3 as never, false),
    "mode must be 0, 1 or 2, or 4 more",
  ],
  [
    "a mode that is none, with the bytes of text",
    (token) => native.rows(token, 1, 1, 1, 7 as never, false),
    "mode must be 0, 1 or 2, or 4 more",
  ],
  ["an only that is none", (token) => native.rows(token, 1, 1, 1, 0, 1 as never), "only must be a boolean"],
  ["a target that is none", (token) => native.copyInto(token, "1" as never), "The target must be a token"],
  ["an on that is none", (token) => native.usePrefixes(token, 1 as never), "on must be a boolean"],
  [
    "a control block that is none",
    (token) => native.rows(token, 1, 1, 1, 0, false, new Int32Array(9)),
    "The control block must be an Int32Array",
  ],
  [
    "a control block for commits that is none",
    (token) => native.guardCommits(token, new Int32Array(1035)),
    "The control block must be an Int32Array",
  ],
  [
    "memory for rows that is none",
    (token) => native.rows(token, 1, 1, 1, 0, false, undefined, undefined, new Int32Array(8) as never),
    "into must be a Uint8Array at a multiple of 8",
  ],
  [
    "memory for rows at an odd place",
    (token) =>
      native.rows(token, 1, 1, 1, 0, false, undefined, undefined, new Uint8Array(new ArrayBuffer(64), 4)),
    "into must be a Uint8Array at a multiple of 8",
  ],
])("%s is a TypeError, and nothing is done", (_, call, message) => {
  using handle = open();
  const tried = (): unknown => call(handle.token);
  expect(tried).toThrow(TypeError);
  expect(tried).toThrow(message);
  handle.db.exec("create table t (a); insert into t values (1)");
  expect(native.takeChanges(handle.token)).toBe(null);
});
