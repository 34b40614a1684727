/** The stack of a call. Its text is only made when it is read. */
export interface CallSite {
  readonly stack?: string | undefined;
}

/** The place where `caller`, a public method, was called. */
export function callSiteOf(caller: (...args: never[]) => unknown): CallSite {
  const site: CallSite = {};
  Error.captureStackTrace(site, caller);
  return site;
}

const kept = new WeakMap<object, CallSite>();

/** Keeps a place for as long as `owner` lives; see {@link weakCallSite}. */
export function keepCallSite(owner: object, site: CallSite): void {
  kept.set(owner, site);
}

/**
 * A place for somebody who outlives the caller. V8 keeps a generator as long as there is an unread stack of its first
 * step, so an iterator in it would never be garbage-collected.
 */
export function weakCallSite(site: CallSite): CallSite {
  const reference = new WeakRef(site);
  return {
    get stack() {
      return reference.deref()?.stack;
    },
  };
}
