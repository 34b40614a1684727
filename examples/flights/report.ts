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

/** Outcomes by driver. */
type Outcomes = Readonly<Record<string, Outcome>>;

/** Rows, seconds and longest stall of the main loop, side by side. */
export function figuresText(outcomes: Outcomes): string {
  const all = Object.values(outcomes);
  const table = new Table({
    style: plain,
    colAligns: ["left", ...all.flatMap(() => COLUMNS.map(() => RIGHT))],
  });
  const row = (name: string, cellsOf: (outcome: Outcome) => string[]): number =>
    table.push([name, ...all.flatMap(cellsOf)]);
  table.push(["", ...Object.keys(outcomes).map((content) => ({ content, colSpan: COLUMNS.length }))]);
  row("", () => COLUMNS);
  row("load", ({ load }) => figures(load));
  row("ask", ({ ask }) => figures(ask));
  row("iterate", ({ iterate }) => figures(iterate));
  row("all", total);
  return `${table.toString()}
stall: the longest time in which the main loop could do nothing else (about 1 ms when idle)
load: with reading and parsing the file, which all do on the main loop`;
}

const RIGHT = "right" as const;
const COLUMNS = ["rows", "seconds", "stall, ms"];

/** What a visitor of the server noticed during the five questions. */
export function servedText(outcomes: Outcomes): string {
  const table = new Table({
    style: plain,
    head: ["", "requests answered", "a second", "the longest, ms"],
    colAligns: ["left", RIGHT, RIGHT, RIGHT],
  });
  for (const [name, { serve }] of Object.entries(outcomes)) {
    const { answered, seconds, longestMs } = serve;
    table.push([name, cell(answered), cell(Math.round(answered / seconds)), longestMs.toFixed(1)]);
  }
  return `A server is asked for one flight after another while it asks the five questions once more:
${table.toString()}
connect(): the loop is free, and each request waits behind the question that has the connection; the pool has other readers for them`;
}

/** Whether two drivers have the same answers. */
export function agree(ours: Outcome, theirs: Outcome): boolean {
  return found(ours) === found(theirs);
}

function found({ load, ask, iterate, answers, longestStreak }: Outcome): string {
  return JSON.stringify([load.rows, ask.rows, iterate.rows, answers, longestStreak]);
}

/** The total time and the worst stall. A sum of the rows of different phases would mean nothing. */
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
