/** What the optional package `@sqlite-aio/native` adds, and whether it is there. */
export interface Capabilities {
  /** `interrupt()`, `signal` and `timeout` stop a running statement. */
  readonly interrupt: boolean;
  /** `setAuthorizer()`. */
  readonly authorizer: boolean;
  /** `setProgressHandler()`. */
  readonly progressHandler: boolean;
  /** Table change events. */
  readonly changes: boolean;
}

/** What this installation can do. */
export const capabilities: Capabilities = {
  interrupt: false,
  authorizer: false,
  progressHandler: false,
  changes: false,
};
