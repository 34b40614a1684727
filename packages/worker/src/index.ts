import { existsSync } from "node:fs";
import { here } from "./engine/here.js";

export { type Authorizer, type Native, native, nativeMissing } from "./engine/native.js";

/**
 * The file that a thread starts with. In a bundled program it is a path beside the bundle, where the file may be
 * missing.
 */
export const entry: URL = locate();

/**
 * The same for programs without a bundler: the CommonJS file beside it, if there is one. Then a thread loads nothing
 * that only `import` needs.
 */
export const commonjsEntry: URL = commonjs(entry);

function locate(): URL {
  try {
    // Bundlers recognise this form and include the file.
    return new URL("./sqlite-aio-thread.js", import.meta.url);
  } catch {
    return new URL("./sqlite-aio-thread.js", here);
  }
}

function commonjs(thread: URL): URL {
  // The name must not collide with a program's own files.
  const file = new URL(thread.href.replace(/js$/, "cjs"));
  return file.protocol === "file:" && existsSync(file) ? file : thread;
}
