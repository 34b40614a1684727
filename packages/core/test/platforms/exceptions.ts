/** A test that the emulation, not the platform, cannot run. */
export interface Exception {
  /** The platform's name. */
  readonly platform: string;
  /** The end of the file's path; all of it is left out unless there is a title. */
  readonly file: string;
  /** The beginning of the test's title, with those of its groups. */
  readonly title?: string;
  readonly reason: string;
}

/** What is left out, or may fail, and why. Everything else that fails is a fault. */
export const EXCEPTIONS: readonly Exception[] = [];
