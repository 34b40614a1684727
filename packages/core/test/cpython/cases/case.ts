import type { Step } from "../program.ts";

/** Behaviour that CPython's own tests assert, in steps that run in both. */
export interface Case {
  readonly title: string;
  /** Names of the CPython tests that it covers, in the file of its area; or the section of the page. */
  readonly covers: string;
  readonly steps: readonly Step[];
  /** Why the answers differ; docs/from-aiosqlite.md shows it. */
  readonly differs?: string;
  /** The first CPython version that has the feature. */
  readonly since?: readonly [number, number];
  /** It needs the native companion. */
  readonly native?: boolean;
}

/** CPython tests without a counterpart, and why. */
export interface Left {
  readonly covers: string;
  readonly why: string;
}

export interface Area {
  /** CPython's file, without `test_`; or what else the cases are from. */
  readonly name: string;
  readonly cases: readonly Case[];
  readonly left: readonly Left[];
  /** They load extensions, which need a C compiler, and a Python that can load them. */
  readonly loads?: boolean;
}

export const NO_SUBCLASS = "connections, cursors and blobs are made by calls, and are not subclassed";
export const PYTHON_ONLY = "about Python's own types, memory or keyword arguments";
export const NO_UNICODE = "text that is no Unicode is a `DataError`; CPython has a `UnicodeEncodeError`";
