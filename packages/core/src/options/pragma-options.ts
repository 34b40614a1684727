import { boolean, type CallOptions, checkOptions } from "./connect-options.js";

/** Options of `pragma()`. */
export interface PragmaOptions extends CallOptions {
  /** Give the first value of the first row instead of the rows. Default false. */
  simple?: boolean | undefined;
}

/** @internal The statement and the parsed options of `pragma()`. Throws TypeError. */
export function pragmaParts(
  source: string,
  options: PragmaOptions,
): { sql: string; simple: boolean; limits: CallOptions } {
  if (typeof source !== "string") throw new TypeError(`the pragma must be a string, not ${typeof source}`);
  const { simple, ...limits } = checkOptions(options, ["simple", "signal", "timeout", "integers"]);
  return { sql: `PRAGMA ${source}`, simple: boolean(simple, "simple"), limits };
}
