import { pathToFileURL } from "node:url";

/** URL of the file that this is in. A bundler that makes CommonJS of it may leave `import.meta` empty. */
export const here: string = import.meta.url ?? pathToFileURL(__filename).href;
