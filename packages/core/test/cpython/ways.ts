// The ways to open a database, by their names in program.py.
import { pathToFileURL } from "node:url";
import { connect, type Connection } from "@sqlite-aio/core";

export const WAYS: Record<string, (path: string) => Promise<Connection>> = {
  default: (path) => connect(path),
  bytes: (path) => connect(Buffer.from(path)),
  path: (path) => connect(pathToFileURL(path)),
  temporary: () => connect(""),
  readonly: (path) => connect(path, { readonly: true }),
  immutable: (path) => connect(path, { readonly: "immutable" }),
  memory: (path) => connect({ memory: path.replaceAll("/", "-") }, { timeout: 50 }),
  quotes: (path) => connect(path, { doubleQuotedStrings: true }),
};
