import { inspect } from "node:util";
import { NotCloneableError } from "./cloneable.js";
import type { RemoteFault } from "./envelope.js";

/**
 * The key under which the Knex client keeps an error's original message. Knex puts the statement with its values in
 * front of it.
 */
const OWN_MESSAGE = Symbol.for("sqlite-aio:message");

/** Maximum number of nested causes, and of errors that one wraps, to look through. */
const MAX_WRAPPINGS = 8;
const MAX_WRAPPED = 64;

/**
 * What query builders write into a message whose error has no link to the statement: Knex of a query that it cannot
 * compile, and Drizzle of one that failed, where only the text was taken over.
 */
const COMPILED = /(Undefined binding\(s\) detected [^]*?) query: [^]*/;
const FAILED = /Failed query: [^]*?\nparams: [^]*/;
const STATEMENT_FAILED = "a statement failed";

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
  if (typeof thrown !== "object" || thrown === null) return bare(thrown);
  const error = thrown as Thrown;
  const { cause, code, sql, name, message } = error;
  if (typeof message !== "string") return bare(thrown);
  if (isBuilders(error, message)) {
    return cause === undefined || wrappings === MAX_WRAPPINGS
      ? { name: "Error", message: STATEMENT_FAILED }
      : describe(cause, includeSql, wrappings + 1);
  }
  const own = error[OWN_MESSAGE];
  return {
    name: thrown instanceof NotCloneableError ? "IpcError" : typeof name === "string" ? name : "Error",
    message: typeof own === "string" ? own : withoutStatements(message, error, wrappings),
    ...(typeof code === "string" ? { code } : {}),
    ...(includeSql && typeof sql === "string" ? { sql } : {}),
  };
}

/** Of a value without a message. */
function bare(thrown: unknown): RemoteFault {
  return { name: "Error", message: withoutMarked(textOf(thrown)) };
}

/** The message without statements. An application may have put the message of a wrapped error into its own. */
function withoutStatements(message: string, error: Thrown, wrappings: number): string {
  let told = message;
  for (const wrapped of wrappedBy(error)) {
    const text = wrapped["message"] as string;
    if (told.includes(text)) {
      const own = ownMessage(wrapped, text, wrappings);
      told = told.replaceAll(text, () => own);
    }
  }
  return withoutMarked(told);
}

function ownMessage(error: Thrown, message: string, wrappings: number): string {
  if (isBuilders(error, message)) return describe(error, false, wrappings + 1).message;
  const own = error[OWN_MESSAGE];
  return typeof own === "string" ? own : message;
}

function withoutMarked(message: string): string {
  return message.replace(COMPILED, "$1").replace(FAILED, STATEMENT_FAILED);
}

/**
 * The errors that an error wraps, and those that they wrap, the longest message first. They may be in any property:
 * `cause`, `errors` of an AggregateError, `nativeError` of Objection, `driverError` of TypeORM, the application's own.
 */
function wrappedBy(error: Thrown): Thrown[] {
  const found = new Set<Thrown>([error]);
  for (const one of found) {
    for (const value of [one["cause"], ...heldBy(one)]) {
      if (found.size > MAX_WRAPPED) break;
      if (hasMessage(value)) found.add(value);
    }
  }
  found.delete(error);
  return [...found].toSorted((a, b) => String(b["message"]).length - String(a["message"]).length);
}

function heldBy(error: Thrown): unknown[] {
  return Reflect.ownKeys(error).flatMap((key): unknown => {
    // Getters are not called.
    const value: unknown = Object.getOwnPropertyDescriptor(error, key)?.value;
    return Array.isArray(value) ? value.slice(0, MAX_WRAPPED) : [value];
  });
}

function hasMessage(value: unknown): value is Thrown {
  if (typeof value !== "object" || value === null) return false;
  const { message } = value as Thrown;
  return typeof message === "string" && message !== "";
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
