// Makes one CommonJS file of the thread's code, without the parts that load native code. A thread starts in two thirds
// of the time that separate files take, and programs that are bundled or packed into an archive can include it.
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

// The file with which a thread starts. A bundled program looks for it beside its own files, so its name must be one
// that no program has: otherwise the thread would run the program again. `--separate` starts it with
// the separate files, for the coverage of each of them.
const code = process.argv.includes("--separate") ? "./entry.js" : "./entry.cjs";
const direct = new URL("sqlite-aio-thread.cjs", dist);
await rm(direct, { force: true });
// The same file for programs that are not bundled: without a module for `import` in it, threads start in nine tenths of
// the time.
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
// @vercel/nft finds the file by its URL; Turbopack finds it only by this line.
await appendFile(
  new URL("index.cjs", dist),
  '\n// Never called: tools that copy what a program needs read it.\nvoid (() => require("./sqlite-aio-thread.js"));\n',
);
