export * from "./parameters.js";
export { type PragmaStatement, switchedTo } from "./pragma.js";
export * from "./quote.js";
export * from "./redact-keys.js";
export * from "./remembered-texts.js";
export * from "./script.js";
export * from "./statement-facts.js";
export * from "./taint.js";
export * from "./tokens.js";
