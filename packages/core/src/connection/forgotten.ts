import type { CallSite } from "../errors/call-site.js";

/** What closes a connection or a pool that was garbage-collected. */
interface Forgotten {
  /** Its name in the warning: `the pool on app.db`. */
  readonly what: string;
  /** Where it was opened. */
  readonly origin: CallSite;
  /** True if nothing is left to close. By default only {@link notForgotten} tells that. */
  readonly isClosed?: () => boolean;
  /** Ends its threads. Calls under way may take this many ms. */
  readonly close: (timeout: number) => Promise<void>;
}

/** Milliseconds that calls under way may take. */
const FORGOTTEN_MS = 30_000;

const registry = new FinalizationRegistry<Forgotten>(({ what, origin, isClosed, close }) => {
  if (isClosed?.() === true) return;
  const where = origin.stack?.split("\n").slice(1).join("\n") ?? "";
  process.emitWarning(`${what} was not closed; it was opened here:\n${where}`, {
    type: "ResourceWarning",
    code: "SQLITE_AIO_FORGOTTEN",
  });
  void close(FORGOTTEN_MS);
});

/**
 * Warns about `owner` and closes it if it is garbage-collected before {@link notForgotten}. `forgotten` must hold no
 * reference to `owner`.
 */
export function whenForgotten(owner: object, token: object, forgotten: Forgotten): void {
  // Read now: an unread stack would keep `owner`, if that was opened in the first step of a generator.
  const { stack } = forgotten.origin;
  registry.register(owner, { ...forgotten, origin: { stack } }, token);
}

/** The owner that was registered with this token has been closed. */
export function notForgotten(token: object): void {
  registry.unregister(token);
}
