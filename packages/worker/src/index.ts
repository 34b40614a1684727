import { pathToFileURL } from "node:url";

export { type Authorizer, type Native, native } from "./native.js";

/** The file a thread starts with. In a bundled program it is a path beside the bundle, where there may be nothing. */
export const entry: URL = locate();

function locate(): URL {
  try {
    return new URL("./sqlite-aio-thread.js", import.meta.url);
  } catch {
    // Bundled as CommonJS by a bundler that leaves `import.meta` empty.
    return new URL("./sqlite-aio-thread.js", pathToFileURL(__filename));
  }
}
