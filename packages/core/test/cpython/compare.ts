import { isDeepStrictEqual } from "node:util";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Area, Case } from "./cases/case.ts";
import { compiledExtensions } from "../support/compiled-extensions.ts";
import { AREAS, COMPARED } from "./cases/index.ts";
import type { Outcome } from "./program.ts";

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** The answers of one CPython version, case by case. */
export interface Answers {
  readonly version: readonly [number, number];
  readonly answers: readonly (readonly Outcome[])[];
}

/** CPython's recorded answers, from a version that knows all cases. */
export function recorded(): (area: string, title: string) => readonly Outcome[] {
  const answers = new Map<string, readonly Outcome[]>();
  for (const line of readFileSync(file("answers.jsonl"), "utf8").trimEnd().split("\n")) {
    const [area, title, answer] = JSON.parse(line) as [string, string, Outcome[]];
    answers.set(`${area}: ${title}`, answer);
  }
  return (area, title) => answers.get(`${area}: ${title}`) ?? [];
}

/** Runs the cases of an area in the Python of this machine. */
export function ask({ cases, loads }: Area, python = "python3"): Answers {
  const input = JSON.stringify(cases.map(({ steps }) => ({ steps })));
  const env = loads === true ? { ...process.env, EXTENSIONS: compiledExtensions() } : process.env;
  const options = { input, env, encoding: "utf8", maxBuffer: 2 ** 26 } as const;
  return JSON.parse(execFileSync(python, ["-W", "ignore", file("program.py")], options)) as Answers;
}

/** Whether a CPython version has the feature of the case. */
export function knows(version: readonly [number, number], { since = [3, 11] }: Case): boolean {
  return version[0] > since[0] || (version[0] === since[0] && version[1] >= since[1]);
}

/** Whether both did the same. An error of CPython's own has no code, and its class counts alone. */
export function same(there: readonly Outcome[], here: readonly Outcome[]): boolean {
  const comparable = here.map((outcome, i) => {
    const { error, code } = there[i] ?? {};
    return error !== undefined && code === undefined && outcome.error !== undefined
      ? { error: outcome.error }
      : outcome;
  });
  return isDeepStrictEqual(JSON.parse(JSON.stringify(there)), JSON.parse(JSON.stringify(comparable)));
}

/** The section of docs/from-aiosqlite.md. */
export function documented(): string {
  const rows = AREAS.map(({ name, cases, left }) => {
    const differ = cases.filter(({ differs }) => differs !== undefined).length;
    const tests = new Set([...cases, ...left].flatMap(({ covers }) => covers.split(" "))).size;
    const leftOut = new Set(left.flatMap(({ covers }) => covers.split(" "))).size;
    return [`test_${name}.py`, tests, cases.length, cases.length - differ, differ, leftOut].map(String);
  });
  const head = ["CPython's file", "tests", "cases here", "the same", "differ", "tests without a case"];
  return [
    ...table([head, ...rows]),
    "",
    "What differs:",
    "",
    ...[...reasons()].map(([reason, titles]) => `- ${reason} (${titles.join("; ")}).`),
    "",
    "<details>",
    "<summary>All cases</summary>",
    "",
    ...COMPARED.flatMap(caseLines),
    "",
    "</details>",
    "",
  ].join("\n");
}

function reasons(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { cases } of COMPARED)
    for (const { title, differs } of cases)
      if (differs !== undefined) found.set(differs, [...(found.get(differs) ?? []), title]);
  return found;
}

function caseLines({ name, cases, left }: Area): string[] {
  return [
    `- **${name}**`,
    ...cases.map(({ title, differs }) => `  - ${title}${differs === undefined ? "" : ": differs"}`),
    ...left.map(({ covers, why }) => `  - no case for ${covers.replaceAll(" ", ", ")}: ${why}`),
  ];
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const pad = (row: readonly string[]): string[] =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)));
  const rule = widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [line(pad(rows[0]!)), line(rule), ...rows.slice(1).map((row) => line(pad(row)))];
}
