import Table from "cli-table3";
import type { Phase } from "./measure.ts";
import type { Outcome } from "./outcome.ts";
import { questions } from "./questions.ts";

const plain = { head: [], border: [], compact: true };

/** Each question with its answer. */
export function answersText(outcome: Outcome): string {
  const parts = questions.map(({ text, columns }, index) => {
    const table = new Table({ head: [...columns], style: plain, colAligns: columns.map(() => "right") });
    for (const row of outcome.answers[index] ?? []) table.push(row.map(cell));
    return `${text}\n${table.toString()}`;
  });
  const streak = `The longest run of flights at most 15 minutes late: ${cell(outcome.longestStreak)}`;
  return `${parts.join("\n\n")}\n\n${streak}`;
}

/** Rows, seconds and longest stall of the main loop, side by side. */
export function figuresText(ours: Outcome, theirs: Outcome): string {
  const right = "right" as const;
  const table = new Table({
    style: plain,
    colAligns: ["left", right, right, right, right, right, right],
  });
  table.push(
    ["", { content: "connect()", colSpan: 3 }, { content: "better-sqlite3, main thread", colSpan: 3 }],
    ["", "rows", "seconds", "stall, ms", "rows", "seconds", "stall, ms"],
    ["load", ...figures(ours.load), ...figures(theirs.load)],
    ["ask", ...figures(ours.ask), ...figures(theirs.ask)],
    ["iterate", ...figures(ours.iterate), ...figures(theirs.iterate)],
    ["all", ...total(ours), ...total(theirs)],
  );
  return `${table.toString()}
stall: the longest time in which the main loop could do nothing else (about 1 ms when idle)
load: with reading and parsing the file, which both do on the main loop`;
}

/** Whether both drivers found the same. */
export function agree(ours: Outcome, theirs: Outcome): boolean {
  return found(ours) === found(theirs);
}

function found({ load, ask, iterate, answers, longestStreak }: Outcome): string {
  return JSON.stringify([load.rows, ask.rows, iterate.rows, answers, longestStreak]);
}

/** The whole time and the worst stall; rows of different phases have no sum worth printing. */
function total({ load, ask, iterate }: Outcome): string[] {
  const phases = [load, ask, iterate];
  const seconds = phases.reduce((sum, phase) => sum + phase.seconds, 0);
  const stallMs = Math.max(...phases.map((phase) => phase.stallMs));
  return ["", seconds.toFixed(2), stallMs.toFixed(1)];
}

function figures({ rows, seconds, stallMs }: Phase): string[] {
  return [cell(rows), seconds.toFixed(2), stallMs.toFixed(1)];
}

function cell(value: unknown): string {
  return typeof value === "number" ? value.toLocaleString("en-US") : String(value);
}
