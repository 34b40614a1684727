import { createReadStream, createWriteStream, rmSync, truncateSync, writeFileSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { Driver } from "../driver.ts";

const CHUNK = { highWaterMark: 64 * 1024 };

/** A plain file in place of a value in a database. */
export const nodeFiles: Driver = {
  name: "node-files",
  title: "a file, by node:fs",
  packages: [],
  blocks: false,
  usage: "`createReadStream()` and `createWriteStream()` of `node:fs` on a plain file, in chunks of 64 KB",
  capabilities: ["blob"],
  onlyWhenNamed: true,
  async open(database) {
    const file = `${database}-bytes`;
    return {
      get: () => undefined,
      blob: {
        make: async (bytes) => {
          writeFileSync(file, "");
          truncateSync(file, bytes);
        },
        readInto: (sink) => pipeline(createReadStream(file, CHUNK), sink),
        writeFrom: (source) =>
          pipeline(source, createWriteStream(file, { ...CHUNK, flags: "r+", flush: true })),
      },
      close: () => rmSync(file, { force: true }),
    };
  },
};
