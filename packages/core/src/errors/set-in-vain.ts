import type { Setting } from "@sqlite-aio/worker/sql";
import { ProgrammingError } from "./errors.js";

const IN_VAIN = {
  ATTACH: "a database that is attached by a single call is detached again when that is over",
  PRAGMA: "a pragma that is set by a single call is set back when that is over",
  TEMP: "a temporary object that is created by a single call is gone when that is over",
} as const;

const FOR_ALL = {
  ATTACH: "in onConnect for every connection",
  PRAGMA: "by the option pragmas for every connection",
  TEMP: "in onConnect for every connection",
} as const;

/** The error of a statement that sets something for nothing; `where` it would hold for other statements. */
export function setInVain(kind: Setting, sql: string, where: string): ProgrammingError {
  return new ProgrammingError(
    `${IN_VAIN[kind]}: do it ${FOR_ALL[kind]}, or together with what needs it on ${where}`,
    { code: "SQLITE_MISUSE", sql },
  );
}
