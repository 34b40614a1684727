import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { SingleBar } from "cli-progress";
import { draw } from "./chart.ts";
import { diskDirectory, loadFlights } from "./database.ts";
import { leastDisturbed } from "./disturbance.ts";
import { environment } from "./environment.ts";
import { measure } from "./measure.ts";
import { publish } from "./publish.ts";
import { Results } from "./results.ts";
import { setups, synchronousModes } from "./setups.ts";
import { drawn, latency, throughput, verdicts } from "./tables.ts";
import { works } from "./work.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    // Seconds to wait, per point of the chart, for a quiet moment.
    patience: { type: "string", default: "1" },
    // Seconds of rest after each point.
    rest: { type: "string", default: "0" },
    // A remark about the run.
    note: { type: "string" },
    chart: { type: "string", default: join(import.meta.dirname, "results", "chart.svg") },
    publish: { type: "boolean", default: false },
  },
});

const full = {
  flights: Number.POSITIVE_INFINITY,
  callers: [1, 2, 4, 8, 32, 256],
  rounds: 3,
  times: { warmUpMs: 120, windowMs: 250 },
};
const quick = {
  flights: 20_000,
  callers: [1, 4],
  rounds: 1,
  times: { warmUpMs: 10, windowMs: 30 },
};
const size = values.quick ? quick : full;
const patienceMs = values.quick ? 0 : Number(values.patience) * 1000;
const restMs = Number(values.rest) * 1000;
if (!(patienceMs >= 0 && restMs >= 0))
  throw new RangeError("--patience and --rest must be numbers of seconds");

await using directory = await diskDirectory();
const file = join(directory.path, "flights.db");
const flights = await loadFlights(file, size.flights);

const results = new Results(size.callers, size.rounds);
const bar = new SingleBar({
  format: "measuring [{bar}] {percentage}%, {eta_formatted} to go",
  noTTYOutput: true,
  notTTYSchedule: 30_000,
  hideCursor: true,
});
bar.start(size.rounds * works.length * synchronousModes.length * size.callers.length * setups.length, 0);
for (let round = 0; round < size.rounds; round++) {
  for (const work of works) {
    for (const mode of synchronousModes) {
      for (const callers of size.callers) {
        // Setups that are compared run within seconds of each other, and none is always the first.
        const turn = (round + size.callers.indexOf(callers)) % setups.length;
        for (const setup of [...setups.slice(turn), ...setups.slice(0, turn)]) {
          const plan = { file, flights, ...size.times };
          const take = () => measure(plan, setup, work, callers, mode);
          results.add(work, mode, setup, callers, await leastDisturbed(patienceMs, take));
          bar.increment();
          await wait(restMs);
        }
      }
    }
  }
}
bar.stop();

const about = [
  `${flights.toLocaleString("en-US")} flights, ${size.rounds} x ${size.times.windowMs} ms for each point, medians`,
  environment(),
  `other processes kept ${results.disturbance} cores busy meanwhile`,
  ...(values.note === undefined ? [] : [values.note]),
];
const svg = await draw(results, about);
const chart = resolve(values.chart);
await mkdir(dirname(chart), { recursive: true });
await writeFile(chart, svg);
if (values.publish) await publish(results, about, svg);

console.log(`\n${[throughput, latency, verdicts].map((table) => drawn(table(results))).join("\n\n")}`);
console.log(`${about.join("\n")}\nChart: ${chart}`);
if (values.quick) console.log("A quick run shows that everything works; its figures mean little.");
