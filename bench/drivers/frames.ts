import { once } from "node:events";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
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
 * The limit of the approach: the queries of a tick are sent as one flat array over a bare `postMessage` and run in one
 * read transaction. Both sides stay awake for a moment and see messages announced in shared memory. It has no Comlink,
 * no errors, no cancelling, only the types of structured clone, and only reads. So it is not usable, but no library
 * that answers from a thread can be expected to be faster.
 */
export const frames: Driver = {
  name: "frames-without-comlink",
  title: "The same frames without Comlink (the limit)",
  packages: ["better-sqlite3"],
  blocks: false,
  usage:
    "a flat array of a tick's queries per `postMessage`, in one read transaction; both threads poll up to 0.1 ms; reads only",
  capabilities: ["get"],
  onlyWhenNamed: true,
  async open(file, settings) {
    const { port1, port2 } = new MessageChannel();
    const posted = new SharedArrayBuffer(8);
    const worker = new Worker(new URL("../workers/frames.js", import.meta.url), {
      workerData: { file, pragmas: pragmas(settings), posted, answers: port2 },
      transferList: [port2],
    });
    const line = new FrameLine(worker, port1, new Int32Array(posted));
    return {
      get: (sql, parameters) => line.get(sql, parameters),
      close: async () => {
        port1.close();
        await worker.terminate();
      },
    };
  },
};

class FrameLine {
  readonly #worker: Worker;
  readonly #answers: MessagePort;
  /** How many messages each side has announced after posting them: [main, thread]. */
  readonly #posted: Int32Array<SharedArrayBuffer>;
  #received = 0;
  readonly #shapes = new Map<string, Shape>();
  readonly #preparing = new Map<string, Promise<void>>();
  readonly #waiting: Waiting[] = [];
  #answered = 0;
  #frame: Value[] = [];
  #inFlight = 0;
  #flushing = false;
  #turning = false;
  #turnUntil = 0;

  constructor(worker: Worker, answers: MessagePort, posted: Int32Array<SharedArrayBuffer>) {
    this.#worker = worker;
    this.#answers = answers;
    this.#posted = posted;
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

  /** Only while no frame is on its way: only its timing tells this reply from the reply to a frame. */
  #prepare(sql: string): Promise<void> {
    let preparing = this.#preparing.get(sql);
    if (!preparing) this.#preparing.set(sql, (preparing = this.#describe(sql)));
    return preparing;
  }

  async #describe(sql: string): Promise<void> {
    this.#answers.off("message", this.#receive);
    this.#post(sql);
    const [names] = (await once(this.#answers, "message")) as [string[]];
    this.#received++;
    this.#answers.on("message", this.#receive);
    this.#shapes.set(sql, { statement: this.#shapes.size, width: names.length, build: rowBuilder(names) });
  }

  #post(message: unknown): void {
    this.#worker.postMessage(message);
    Atomics.add(this.#posted, 0, 1);
  }

  readonly #flush = (): void => {
    this.#flushing = false;
    if (this.#frame.length === 0 || this.#inFlight === FRAMES_IN_FLIGHT) return;
    this.#post(this.#frame);
    this.#frame = [];
    this.#inFlight++;
    this.#turnUntil = performance.now() + KEEP_TURNING_MS;
    if (this.#turning) return;
    this.#turning = true;
    setImmediate(this.#keepTurning);
  };

  readonly #keepTurning = (): void => {
    if (Atomics.load(this.#posted, 1) > this.#received) {
      const received = receiveMessageOnPort(this.#answers);
      if (received !== undefined) this.#receive(received.message as readonly Value[]);
    }
    this.#turning = this.#inFlight > 0 && performance.now() < this.#turnUntil;
    if (this.#turning) setImmediate(this.#keepTurning);
  };

  readonly #receive = (reply: readonly Value[]): void => {
    this.#received++;
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
