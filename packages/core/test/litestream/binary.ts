import { join } from "node:path";

const NAME = "@flydotio/litestream-linux-x64";

/**
 * Litestream itself. What its npm package has as `bin` is a script around it, behind which it would go on when that is
 * killed.
 */
export function binaryFor(platform: string, arch: string): string {
  if (`${platform} ${arch}` === "linux x64")
    return join(import.meta.dirname, "npm/node_modules", NAME, "litestream");
  throw new Error(
    `this suite has a binary of Litestream for Linux x64 only, and this is ${platform} ${arch}: ${NAME} is the one that could be had from npm`,
  );
}
