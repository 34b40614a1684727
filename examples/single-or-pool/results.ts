import type { Sample } from "./measure.ts";
import type { Setup, Synchronous } from "./setups.ts";
import type { Work } from "./work.ts";

/** The rounds of one combination, and their summary. */
export interface Cell {
  readonly work: Work;
  readonly synchronous: Synchronous;
  readonly setup: Setup;
  readonly callers: number;
  readonly samples: Sample[];
}

/** A win has at least this many times the single connection's calls, in every round. Noise alone does not reach it. */
export const MARGIN = 1.1;

export class Results {
  readonly callers: readonly number[];
  readonly rounds: number;
  readonly cells: Cell[] = [];

  constructor(callers: readonly number[], rounds: number) {
    this.callers = callers;
    this.rounds = rounds;
  }

  add(work: Work, synchronous: Synchronous, setup: Setup, callers: number, sample: Sample): void {
    let cell = this.#find(work, synchronous, setup, callers);
    if (cell === undefined) {
      cell = { work, synchronous, setup, callers, samples: [] };
      this.cells.push(cell);
    }
    cell.samples.push(sample);
  }

  of(work: Work, synchronous: Synchronous, setup: Setup, callers: number): Cell {
    const cell = this.#find(work, synchronous, setup, callers);
    if (cell === undefined) throw new Error(`${work.title} was not measured with ${callers} callers`);
    return cell;
  }

  /** In words: how many cores other processes used during the samples. */
  get disturbance(): string {
    const cores = this.cells.flatMap(({ samples }) => samples.map(({ disturbedBy }) => disturbedBy));
    return `${median(cores).toFixed(2)} (median) to ${Math.max(...cores).toFixed(2)} (worst moment)`;
  }

  /** In words: from how many callers on a setup wins over `base`, and by how much at best. */
  verdict(work: Work, synchronous: Synchronous, setup: Setup, base: Setup): string {
    const all = this.callers.map((callers) => this.#ratios(work, synchronous, setup, base, callers));
    const medians = all.map(median);
    const wins = this.callers.filter((_, index) => Math.min(...all[index]!) >= MARGIN);
    if (wins.length === 0)
      return `never (${Math.min(...medians).toFixed(2)} to ${Math.max(...medians).toFixed(2)} x)`;
    const toTheEnd = wins.length === this.callers.length - this.callers.indexOf(wins[0]!);
    const where = toTheEnd ? `from ${wins[0]} on` : `at ${wins.join(", ")}`;
    const best = Math.max(...medians);
    return `${where} (at best ${best.toFixed(1)} x, at ${this.callers[medians.indexOf(best)]})`;
  }

  /** Calls of a setup divided by the calls of `base`, for each round. */
  #ratios(work: Work, synchronous: Synchronous, setup: Setup, base: Setup, callers: number): number[] {
    const theirs = this.of(work, synchronous, base, callers).samples;
    return this.of(work, synchronous, setup, callers).samples.map(
      (sample, round) => sample.callsPerSecond / theirs[round]!.callsPerSecond,
    );
  }

  #find(work: Work, synchronous: Synchronous, setup: Setup, callers: number): Cell | undefined {
    return this.cells.find(
      (cell) =>
        cell.work === work &&
        cell.synchronous === synchronous &&
        cell.setup === setup &&
        cell.callers === callers,
    );
  }
}

export function callsPerSecond({ samples }: Cell): number {
  return median(samples.map((sample) => sample.callsPerSecond));
}

export function p99Ms({ samples }: Cell): number {
  return median(samples.map((sample) => sample.p99Ms));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
