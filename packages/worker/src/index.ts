import { existsSync } from "node:fs";
import { here } from "./engine/here.js";

export { type Authorizer, type Native, native, nativeMissing } from "./engine/native.js";

/** The file a thread starts with. In a bundled program it is a path beside the bundle, where there may be nothing. */
export const entry: URL = locate();

/**
 * The same for who starts it without a bundler: the CommonJS file beside it, if it is there, with which a thread loads nothing
 * that only `import` needs.
 */
export const commonjsEntry: URL = commonjs(entry);

function locate(): URL {
  try {
    // In this form bundlers take it for a file to bring along.
    return new URL("./sqlite-aio-thread.js", import.meta.url);
  } catch {
    return new URL("./sqlite-aio-thread.js", here);
  }
}

function commonjs(thread: URL): URL {
  // Under a name that a program's own files do not have.
  const file = new URL(thread.href.replace(/js$/, "cjs"));
  return file.protocol === "file:" && existsSync(file) ? file : thread;
}
