import type { Area } from "./case.ts";
import { backup } from "./backup.ts";
import { dbapi } from "./dbapi.ts";
import { dump } from "./dump.ts";
import { extensions } from "./extensions.ts";
import { factory } from "./factory.ts";
import { hooks } from "./hooks.ts";
import { page } from "./page.ts";
import { regression } from "./regression.ts";
import { transactions } from "./transactions.ts";
import { types } from "./types.ts";
import { userfunctions } from "./userfunctions.ts";

/** By the names of CPython's files. */
export const AREAS: readonly Area[] = [
  dbapi,
  factory,
  hooks,
  regression,
  transactions,
  types,
  userfunctions,
  dump,
  backup,
];

/** With what docs/from-aiosqlite.md says besides. */
export const COMPARED: readonly Area[] = [
  ...AREAS,
  { name: "this page", cases: page, left: [] },
  { name: "extensions", cases: extensions, left: [], loads: true },
];
