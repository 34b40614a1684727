export * from "./parameters.js";
export * from "./pragma.js";
export * from "./redact-keys.js";
export * from "./script.js";
export * from "./taint.js";
