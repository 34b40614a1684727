import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { type Driver, type Parameters, pragmas, type Row, type Value } from "../driver.ts";

const KEEP_TURNING_MS = 0.1;
const FRAMES_IN_FLIGHT = 2;

type BuildRow = (reply: readonly Value[], at: number) => Row;

interface Shape {
  readonly statement: number;
  readonly width: number;
  readonly build: BuildRow;
}

interface Waiting {
  readonly shape: Shape;
  readonly resolve: (row: Row | undefined) => void;
}

/**
 * The limit of the idea: the queries of a tick in one flat array over a bare `postMessage`, with both sides kept awake for a
 * moment. No Comlink, no errors, no cancelling, no types beyond what structured clone carries, reads only: nothing to use, but
 * no library that answers from a thread can be expected to beat it.
 */
export const frames: Driver = {
  name: "frames-without-comlink",
  title: "The same frames without Comlink (the limit)",
  packages: ["better-sqlite3"],
  blocks: false,
  usage: "a flat array of a tick's queries per `postMessage`; both threads poll up to 0.1 ms; reads only",
  capabilities: ["get"],
  onlyWhenNamed: true,
  async open(file, settings) {
    const worker = new Worker(new URL("../workers/frames.js", import.meta.url), {
      workerData: { file, pragmas: pragmas(settings) },
    });
    const line = new FrameLine(worker);
    return {
      get: (sql, parameters) => line.get(sql, parameters),
      close: async () => {
        await worker.terminate();
      },
    };
  },
};

class FrameLine {
  readonly #worker: Worker;
  readonly #shapes = new Map<string, Shape>();
  readonly #preparing = new Map<string, Promise<void>>();
  readonly #waiting: Waiting[] = [];
  #answered = 0;
  #frame: Value[] = [];
  #inFlight = 0;
  #flushing = false;
  #turning = false;
  #turnUntil = 0;

  constructor(worker: Worker) {
    this.#worker = worker;
  }

  get(sql: string, parameters: Parameters): Promise<Row | undefined> {
    const shape = this.#shapes.get(sql);
    if (!shape) return this.#prepare(sql).then(() => this.get(sql, parameters));
    return new Promise((resolve) => {
      this.#frame.push(shape.statement, parameters.length, ...parameters);
      this.#waiting.push({ shape, resolve });
      if (this.#flushing) return;
      this.#flushing = true;
      process.nextTick(this.#flush);
    });
  }

  /** Only while no frame is on its way: the reply is told from a frame's by nothing but the moment it comes. */
  #prepare(sql: string): Promise<void> {
    let preparing = this.#preparing.get(sql);
    if (!preparing) this.#preparing.set(sql, (preparing = this.#describe(sql)));
    return preparing;
  }

  async #describe(sql: string): Promise<void> {
    this.#worker.off("message", this.#receive);
    this.#worker.postMessage(sql);
    const [names] = (await once(this.#worker, "message")) as [string[]];
    this.#worker.on("message", this.#receive);
    this.#shapes.set(sql, { statement: this.#shapes.size, width: names.length, build: rowBuilder(names) });
  }

  readonly #flush = (): void => {
    this.#flushing = false;
    if (this.#frame.length === 0 || this.#inFlight === FRAMES_IN_FLIGHT) return;
    this.#worker.postMessage(this.#frame);
    this.#frame = [];
    this.#inFlight++;
    this.#turnUntil = performance.now() + KEEP_TURNING_MS;
    if (this.#turning) return;
    this.#turning = true;
    setImmediate(this.#keepTurning);
  };

  readonly #keepTurning = (): void => {
    this.#turning = this.#inFlight > 0 && performance.now() < this.#turnUntil;
    if (this.#turning) setImmediate(this.#keepTurning);
  };

  readonly #receive = (reply: readonly Value[]): void => {
    this.#inFlight--;
    for (let at = 0; at < reply.length; ) {
      const { shape, resolve } = this.#waiting[this.#answered++] as Waiting;
      if (reply[at++] === 0) resolve(undefined);
      else {
        resolve(shape.build(reply, at));
        at += shape.width;
      }
    }
    if (this.#answered === this.#waiting.length || this.#answered > 4_096) {
      this.#waiting.splice(0, this.#answered);
      this.#answered = 0;
    }
    this.#flush();
  };
}

function rowBuilder(names: readonly string[]): BuildRow {
  const properties = names.map((name, column) => `${JSON.stringify(name)}: reply[at + ${column}]`);
  // oxlint-disable-next-line typescript/no-implied-eval -- generated per shape, as fast drivers do: this one is the limit
  return new Function("reply", "at", `return { ${properties.join(", ")} };`) as BuildRow;
}
