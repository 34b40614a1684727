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
])("%s is a TypeError, and nothing is done", (_, call, message) => {
  using handle = open();
  const tried = (): unknown => call(handle.token);
  expect(tried).toThrow(TypeError);
  expect(tried).toThrow(message);
  handle.db.exec("create table t (a); insert into t values (1)");
  expect(native.takeChanges(handle.token)).toBe(null);
});
