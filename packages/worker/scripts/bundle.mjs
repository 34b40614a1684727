// One CommonJS file of all that runs in a thread, but for what holds native code: a thread starts in two thirds of the
// time that the separate files take, and programs that are bundled or packed into an archive can bring it along.
import { appendFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { bundlePackage } from "../../../scripts/bundle-package.mjs";

const dist = new URL("../dist/", import.meta.url);

const bundle = await rolldown({
  input: fileURLToPath(new URL("entry.js", dist)),
  platform: "node",
  external: ["better-sqlite3", "@sqlite-aio/native"],
});
await bundle.write({
  file: fileURLToPath(new URL("entry.cjs", dist)),
  format: "cjs",
  comments: { legal: true, annotation: false, jsdoc: false },
});
await bundle.close();

// What a thread starts with. A bundled program looks for it beside its own files: under a name that none of those has,
// or the thread would run the program again. `--separate` is for who wants to see the files themselves.
const code = process.argv.includes("--separate") ? "./entry.js" : "./entry.cjs";
const direct = new URL("sqlite-aio-thread.cjs", dist);
await rm(direct, { force: true });
// The same for Node alone, whose threads start in nine tenths of the time where no module for `import` is in it.
if (code === "./entry.cjs") await writeFile(direct, `"use strict";\n\nrequire("${code}");\n`);
await writeFile(
  new URL("sqlite-aio-thread.js", dist),
  `import "${code}";

/**
 * Never called. Tools that copy what a program needs (@vercel/nft, Next, Nitro) read it here: the thread looks for the engine and
 * the companion where it runs, and Nitro finds core by a condition that Node does not know.
 */
export const traced = () => [import("better-sqlite3"), import("@sqlite-aio/native"), import("@sqlite-aio/core")];
`,
);

await bundlePackage(fileURLToPath(new URL("..", import.meta.url)), {
  index: "index",
  wire: "wire/index",
  sql: "sql/index",
});
await writeFile(new URL("types/entry.d.cts", dist), "export {};\n");
// Its URL says the same to @vercel/nft; Turbopack follows nothing but this.
await appendFile(
  new URL("index.cjs", dist),
  '\n// Never called: tools that copy what a program needs read it.\nvoid (() => require("./sqlite-aio-thread.js"));\n',
);
