export { type Authorizer, type Native, native } from "./native.js";

/** The file a thread starts with. */
export const entry = new URL("./entry.js", import.meta.url);
