import { pathToFileURL } from "node:url";

/**
 * URL of the file that this is in, when it runs. In a bundle `import.meta` may be empty (CommonJS), and webpack writes
 * where a file was when it was built for `import.meta.url`.
 */
export const here: string = pathToFileURL(import.meta.filename ?? __filename).href;

/**
 * Requires what must not become part of a bundle: engines and the companion hold native code, and are looked for where
 * the program runs. Taken from the process, since webpack follows a `createRequire` that is imported.
 */
export const requireHere: NodeJS.Require = process.getBuiltinModule("node:module").createRequire(here);
