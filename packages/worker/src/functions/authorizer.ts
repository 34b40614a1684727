import type { Authorizer } from "../engine/native.js";
import type { Source } from "../wire/definitions.js";
import type { Callbacks } from "./callbacks.js";
import { moduleExport } from "./module-export.js";

const SQLITE_DENY = 1;

/** Loads the authorizer of `source`. If it throws, or its closure cannot be called, the answer is SQLITE_DENY. */
export async function loadAuthorizer(source: Source, callbacks: Callbacks): Promise<Authorizer> {
  if ("closure" in source) {
    return (...args) => {
      const answer = callbacks.call(source.closure, args);
      return typeof answer === "number" ? answer : SQLITE_DENY;
    };
  }
  return (await moduleExport(source)) as Authorizer;
}
