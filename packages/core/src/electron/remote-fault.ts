import { inspect } from "node:util";
import { NotCloneableError } from "./cloneable.js";
import type { RemoteFault } from "./envelope.js";

/**
 * The key under which the Knex client keeps an error's original message. Knex puts the statement with its values in
 * front of it.
 */
const OWN_MESSAGE = Symbol.for("sqlite-aio:message");

/** Maximum number of nested causes to look through. */
const MAX_WRAPPINGS = 8;

type Thrown = Readonly<Record<string | symbol, unknown>>;

/**
 * The parts of a thrown value that a page may know. Query builders put the statement and its values into their
 * messages; then the error that they wrap is sent instead.
 */
export function remoteFault(thrown: unknown, includeSql: boolean): RemoteFault {
  try {
    return describe(thrown, includeSql, 0);
  } catch {
    // A getter that throws, or a revoked proxy.
    return { name: "Error", message: "an error that cannot be read" };
  }
}

function describe(thrown: unknown, includeSql: boolean, wrappings: number): RemoteFault {
  if (typeof thrown !== "object" || thrown === null) return { name: "Error", message: textOf(thrown) };
  const error = thrown as Thrown;
  const { cause, code, sql, name, message } = error;
  if (typeof message !== "string") return { name: "Error", message: textOf(thrown) };
  if (isBuilders(error, message)) {
    return cause === undefined || wrappings === MAX_WRAPPINGS
      ? { name: "Error", message: "a statement failed" }
      : describe(cause, includeSql, wrappings + 1);
  }
  const own = error[OWN_MESSAGE];
  return {
    name: thrown instanceof NotCloneableError ? "IpcError" : typeof name === "string" ? name : "Error",
    message: typeof own === "string" ? own : withoutStatements(message, cause, wrappings),
    ...(typeof code === "string" ? { code } : {}),
    ...(includeSql && typeof sql === "string" ? { sql } : {}),
  };
}

/** The message without statements. An application may have put the message of the wrapped error into its own. */
function withoutStatements(message: string, cause: unknown, wrappings: number): string {
  if (typeof cause !== "object" || cause === null || wrappings === MAX_WRAPPINGS) return message;
  const { message: wrapped, cause: next } = cause as Thrown;
  if (typeof wrapped === "string" && wrapped !== "" && message.includes(wrapped)) {
    const told = describe(cause, false, wrappings + 1).message;
    if (told !== wrapped) return message.replaceAll(wrapped, () => told);
  }
  return withoutStatements(message, next, wrappings + 1);
}

/** Whether the message contains the statement, as Drizzle's does. */
function isBuilders(error: Thrown, message: string): boolean {
  if (typeof error[OWN_MESSAGE] === "string") return false;
  return ["query", "sql"].some((key) => {
    const statement = error[key];
    return typeof statement === "string" && statement !== "" && message.includes(statement);
  });
}

/** A text for any value, even if converting it throws. */
export function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return inspect(value, { customInspect: false });
  }
}
