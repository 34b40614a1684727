// A caller's code may throw anything: an object without a prototype, a revoked proxy, a getter that throws, an error of
// another realm. None of these functions throws.

/** The message of `thrown`, or why it has none. */
export function messageOf(thrown: unknown): string {
  const message = textOf(thrown, "message");
  if (message !== null) return message;
  try {
    return String(thrown);
  } catch {
    return "what was thrown cannot be turned into text";
  }
}

/** `thrown` if it has a message, else a new error that describes it. */
export function errorOf(thrown: unknown): Error {
  return textOf(thrown, "message") === null ? new Error(messageOf(thrown)) : (thrown as Error);
}

/** The text under `key`; null if there is none. */
export function textOf(thrown: unknown, key: "message" | "name" | "stack" | "code"): string | null {
  if (typeof thrown !== "object" || thrown === null) return null;
  try {
    const text: unknown = Reflect.get(thrown, key);
    return typeof text === "string" ? text : null;
  } catch {
    return null;
  }
}
