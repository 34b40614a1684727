// One CommonJS file of all that runs in a thread, but for what holds native code: for programs that are bundled or
// packed into an archive, where the thread cannot import the files of a package.
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

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
await writeFile(new URL("entry.d.cts", dist), "export {};\n");
