/** Where a call came from: a stack, whose text is only made when somebody reads it. */
export interface CallSite {
  readonly stack?: string | undefined;
}

/** Where `caller`, a public method, was called from. */
export function callSiteOf(caller: (...args: never[]) => unknown): CallSite {
  const site: CallSite = {};
  Error.captureStackTrace(site, caller);
  return site;
}
