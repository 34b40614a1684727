import { here } from "./engine/here.js";

export { type Authorizer, type Native, native, nativeMissing } from "./engine/native.js";

/** The file a thread starts with. In a bundled program it is a path beside the bundle, where there may be nothing. */
export const entry: URL = locate();

function locate(): URL {
  try {
    // In this form bundlers take it for a file to bring along.
    return new URL("./sqlite-aio-thread.js", import.meta.url);
  } catch {
    return new URL("./sqlite-aio-thread.js", here);
  }
}
