import type { Authorizer } from "../engine/native.js";
import type { Source } from "../wire/definitions.js";
import type { Callbacks } from "./callbacks.js";
import { moduleExport } from "./module-export.js";

const SQLITE_DENY = 1;

/** The function that `source` names; one that throws, or a closure that cannot be asked, denies. */
export async function loadAuthorizer(source: Source, callbacks: Callbacks): Promise<Authorizer> {
  if ("closure" in source) {
    return (...args) => {
      const answer = callbacks.call(source.closure, args);
      return typeof answer === "number" ? answer : SQLITE_DENY;
    };
  }
  return (await moduleExport(source)) as Authorizer;
}
