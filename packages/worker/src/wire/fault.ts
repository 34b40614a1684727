import { messageOf, textOf } from "./thrown.js";

/** An error in the form that is sent between threads. The main side makes an error of the right class from it. */
export interface Fault {
  /**
   * `engine`: SQLite's own; `usage`: better-sqlite3's TypeError or RangeError, or ours;
   * `callback`: thrown by a closure of the main side; `function`: thrown by a module's SQL function.
   */
  readonly kind: "engine" | "usage" | "callback" | "function";
  /** SQLite's extended code such as `SQLITE_CONSTRAINT_UNIQUE`, or one of ours. */
  readonly code: string;
  readonly message: string;
  readonly name: string;
  readonly stack: string;
  /** For `callback`: the number under which the main side keeps the thrown value. */
  readonly callback?: number;
  /** The message that SQLite was given for a function that threw, if it is not the usual one. */
  readonly summary?: string;
  /** For executemany: the index within the batch of the parameter set that failed. */
  readonly set?: number;
  /** SQLite has rolled the open transaction back by itself. */
  readonly rolledBack?: boolean;
}

/** Whether `value` is a fault, in all fields that the main side relies on. */
export function isFault(value: unknown): value is Fault {
  if (typeof value !== "object" || value === null) return false;
  const { kind, code, message, name, stack, callback, set, summary } = value as Record<string, unknown>;
  return (
    (kind === "engine" || kind === "usage" || kind === "callback" || kind === "function") &&
    [code, message, name, stack].every((text) => typeof text === "string") &&
    (summary === undefined || typeof summary === "string") &&
    [callback, set].every((number) => number === undefined || typeof number === "number")
  );
}

/** Thrown in the thread when a closure of the main side threw there. */
export class CallbackError extends Error {
  readonly callback: number;
  readonly summary: string | undefined;

  constructor(callback: number, message: string, summary?: string) {
    super(message);
    this.name = "CallbackError";
    this.callback = callback;
    this.summary = summary;
  }
}

/** Thrown in the thread when a SQL function from a module threw `cause`. */
export class FunctionError extends Error {
  readonly summary: string | undefined;

  constructor(cause: unknown, summary?: string) {
    super(messageOf(cause), { cause });
    this.name = "FunctionError";
    this.summary = summary;
  }
}

/** Thrown in the thread for a wrong request. `code` tells the main side which class of error to make. */
export class UsageError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = "UsageError";
    this.code = code;
  }
}

/** The fault for a thrown value. It has only texts and numbers, so it can always be posted. */
export function toFault(error: unknown): Fault {
  const base = {
    message: messageOf(error),
    name: textOf(error, "name") ?? "Error",
    stack: textOf(error, "stack") ?? "",
  };
  if (error instanceof CallbackError)
    return { ...base, ...summaryOf(error), kind: "callback", code: "SQLITE_ERROR", callback: error.callback };
  if (error instanceof FunctionError) {
    const { cause } = error;
    const origin = { name: textOf(cause, "name") ?? base.name, stack: textOf(cause, "stack") ?? base.stack };
    return { ...base, ...origin, ...summaryOf(error), kind: "function", code: "SQLITE_ERROR" };
  }
  const code = textOf(error, "code");
  if (code?.startsWith("SQLITE_") === true) return { ...base, kind: "engine", code };
  return { ...base, kind: "usage", code: code ?? "ERROR" };
}

function summaryOf({ summary }: CallbackError | FunctionError): { summary?: string } {
  return summary === undefined ? {} : { summary };
}

/** The `code` of an error; empty if it has none. */
export function codeOf(error: unknown): string {
  return textOf(error, "code") ?? "";
}
