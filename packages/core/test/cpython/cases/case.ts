import type { Step } from "../program.ts";

/** Something that CPython's own tests assert, in steps that run here and there. */
export interface Case {
  readonly title: string;
  /** The names of CPython's tests that it stands for, in the file of its area. */
  readonly covers: string;
  readonly steps: readonly Step[];
  /** Why the answers are not the same, as docs/from-aiosqlite.md says it. */
  readonly differs?: string;
  /** The version of CPython from which on it can be asked. */
  readonly since?: readonly [number, number];
  /** It needs the native companion. */
  readonly native?: boolean;
}

/** A test of CPython's that has no counterpart, and why. */
export interface Left {
  readonly covers: string;
  readonly why: string;
}

export interface Area {
  /** CPython's file, without `test_`. */
  readonly name: string;
  readonly cases: readonly Case[];
  readonly left: readonly Left[];
}

export const NO_SUBCLASS = "connections, cursors and blobs are made by calls, and are not subclassed";
export const PYTHON_ONLY = "about Python's own types, memory or keyword arguments";
