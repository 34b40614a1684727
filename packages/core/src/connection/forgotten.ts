import type { CallSite } from "../errors/call-site.js";

/** What is left of a connection or a pool that nobody can reach any more. */
interface Forgotten {
  /** As the warning calls it: `the pool on app.db`. */
  readonly what: string;
  /** Where it was opened. */
  readonly origin: CallSite;
  /** Whether there is nothing to close any more; by default only {@link notForgotten} says so. */
  readonly isClosed?: () => boolean;
  /** Lets go of its threads; the calls that are under way may take so many ms. */
  readonly close: (timeout: number) => Promise<void>;
}

/** How long the calls that are under way may take, in ms. */
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

/** Warns of `owner`, and closes it, where it is forgotten before {@link notForgotten}. Nothing in `forgotten` may lead to it. */
export function whenForgotten(owner: object, token: object, forgotten: Forgotten): void {
  registry.register(owner, forgotten, token);
}

/** What was given with that token is closed. */
export function notForgotten(token: object): void {
  registry.unregister(token);
}
