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
