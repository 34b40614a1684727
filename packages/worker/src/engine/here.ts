import { pathToFileURL } from "node:url";

/**
 * URL of this file at run time. In a CommonJS bundle `import.meta` may be empty, and webpack replaces `import.meta.url`
 * by the path at build time.
 */
export const here: string = pathToFileURL(import.meta.filename ?? __filename).href;

/**
 * Requires modules that must not be bundled: engines and the companion contain native code, and are looked for where
 * the program runs. Taken from the process, because webpack follows an imported `createRequire`.
 */
export const requireHere: NodeJS.Require = process.getBuiltinModule("node:module").createRequire(here);
