import { setImmediate as turn } from "node:timers/promises";
import {
  AdaptiveSpin,
  callerEndpoint,
  checkPacket,
  createControl,
  encodePacket,
  type Frame,
  Op,
  openControl,
  type Packet,
  packetRows,
  type Reply,
  serverEndpoint,
  type SqlValue,
} from "@sqlite-aio/worker/wire";
import { afterAll, expect, it } from "vitest";
import { FaultReason, interrupted } from "../../dist/errors/rejection.js";
import type { Call } from "../../dist/thread/call.js";
import { Pipeline } from "../../dist/thread/pipeline.js";
import { Executor } from "../../../worker/dist/handle/executor.js";
import { FrameReader } from "../../../worker/dist/loop/frame-reader.js";
import type { Operation } from "../../../worker/dist/handle/operation.js";
import { ReplyWriter } from "../../../worker/dist/handle/reply-writer.js";
import { random } from "../support/random.ts";
import { figure, seed, times, within } from "./scale.ts";
import {
  randomCall,
  randomNames,
  randomReaction,
  type Reaction,
  react,
  rows,
  ShapedStatement,
} from "./wire-messages.ts";
import { garbage, mutate } from "./wire-mutation.ts";
import { timeFactor } from "../support/time-factor.ts";

const WHOLE = times(8000, 400_000);
const MUTATED = times(12_000, 600_000);
const limit = within(60_000, 900_000);
const counted = { whole: 0, refused: 0, understood: 0, tests: 0 };

/** An exchange whose other side is this test: what it posts is in `frames`, and `answer` is a reply to the oldest. */
class Side {
  readonly exchange: Pipeline;
  readonly frames: Frame[] = [];
  readonly #waiting: ((reply: Reply) => void)[] = [];
  broken: Error | null = null;

  constructor() {
    this.exchange = new Pipeline(
      {
        control: openControl(createControl()),
        closures: { takeThrown: () => undefined } as never,
        run: (frame) => {
          this.frames.push(frame);
          // Not a promise, so that a reply is read while it is being given.
          // oxlint-disable-next-line unicorn/no-thenable
          const later = { then: (resolve: (reply: Reply) => void) => void this.#waiting.push(resolve) };
          return later as unknown as Promise<Reply>;
        },
        mailbox: { look: () => false, looking: false },
        spin: new AdaptiveSpin(),
        hold: () => {},
        unhold: () => {},
        broken: (error) => {
          this.broken = error;
          this.exchange.stop(() => error);
        },
      },
      32,
    );
  }

  send(calls: readonly Call[]): void {
    for (const call of calls) {
      call.promise.catch(() => {});
      this.exchange.send(call);
    }
    this.exchange.postNow();
  }

  answer(reply: Reply): void {
    this.#waiting.shift()!(reply);
  }
}

function isValue(value: unknown): boolean {
  return (
    value === null || ["number", "bigint", "string"].includes(typeof value) || value instanceof Uint8Array
  );
}

/** Compared by name: each package has its own class. */
const isMalformed = (error: unknown): boolean =>
  error instanceof Error && error.name === "UsageError" && Reflect.get(error, "code") === "PROTOCOL";

/** The value that the main side must decode. */
function asRead(value: SqlValue): SqlValue {
  if (typeof value === "bigint" && BigInt(Number(value)) === value && Number.isSafeInteger(Number(value)))
    return Number(value);
  return value instanceof Uint8Array ? Buffer.from(value) : value;
}

function compareOperation(operation: Operation | null, call: Call): void {
  if (operation === null) throw new Error("an operation is missing");
  expect([operation.code, operation.sequence]).toEqual([call.code, call.sequence]);
  if (call.statement !== null)
    expect(operation.statement).toMatchObject({ id: call.statement.id, sql: call.statement.sql });
  if (call.code === Op.QUERY) {
    const { mode, flags, target, limit: most, values } = operation;
    expect([mode, flags, target, most, values.length, ...values]).toEqual(call.fields);
  } else if (call.code === Op.MANY) {
    const [, flags, batch, job] = operation.fields;
    const [wantedFlags, , wantedJob] = call.fields;
    expect([flags, job]).toEqual([wantedFlags, wantedJob]);
    checkPacket(batch);
  } else expect(operation.fields).toEqual(call.fields);
}

async function compareOutcome(call: Call, reaction: Reaction): Promise<void> {
  const outcome = await call.promise.then(
    () => "done",
    (reason: unknown) => reason,
  );
  switch (reaction.kind) {
    case "fault":
      expect(outcome).toEqual(new FaultReason(reaction.fault, undefined));
      return;
    case "skipped":
      expect(outcome).toBe(interrupted);
      return;
    case "done":
      expect([outcome, call.changes, call.lastInsertRowid]).toEqual([
        "done",
        reaction.changes,
        reaction.rowid,
      ]);
      return;
    case "value":
      expect([outcome, call.value]).toEqual(["done", reaction.value]);
      return;
    case "refused":
      expect([outcome, call.refused]).toEqual(["done", true]);
      return;
    default: {
      const wanted = reaction.rows.map((row) => row.map(asRead));
      const found = call.objects
        ? call.rows.map((row) => reaction.names.map((name) => (row as Record<string, unknown>)[name]))
        : call.rows;
      expect([outcome, call.more]).toEqual(["done", reaction.more !== 0]);
      expect(found).toEqual(wanted);
    }
  }
}

/** The frame of some calls, and the thread's reply to it. */
function exchangeOf(
  side: Side,
  calls: readonly Call[],
  shapes: Map<number, ShapedStatement>,
  writer: ReplyWriter,
  below: (n: number) => number,
  epoch: number,
): { frame: Frame; reply: Reply; reactions: Reaction[] } {
  const named = new Set<number>();
  const shapeOf = (id: number): ShapedStatement => {
    let shape = shapes.get(id);
    if (shape === undefined) {
      shape = new ShapedStatement(id);
      shapes.set(id, shape);
    }
    // From one frame to the next its table may have been altered.
    if (!named.has(id)) shape.now = randomNames(below);
    named.add(id);
    return shape;
  };
  side.send(calls);
  const reactions = calls.map((call) => {
    const shape = call.code === Op.QUERY ? shapeOf(call.statement!.id) : null;
    const reaction = randomReaction(call, shape === null ? randomNames(below) : shape.now, below);
    react(writer, reaction, shape, below);
    return reaction;
  });
  const { reply, transfer } = writer.take(below(4), below(1000), epoch);
  return {
    frame: structuredClone(side.frames.shift()!),
    reply: structuredClone(reply, { transfer }),
    reactions,
  };
}

/** A call that runs nothing. */
function idleExecutor(): Executor {
  const parts = {
    nativeStatements: { forget: () => {} },
    blobs: { release: () => {} },
    cursors: { close: () => {} },
  };
  return new Executor(parts as never, {} as never);
}

it(`${WHOLE} operations and their answers are on the other side what they were`, {
  timeout: limit,
}, async () => {
  const below = random(seed);
  const side = new Side();
  const reader = new FrameReader(idleExecutor());
  const writer = new ReplyWriter();
  const shapes = new Map<number, ShapedStatement>();
  let epoch = 0;
  while (counted.whole < WHOLE) {
    const calls = Array.from({ length: 1 + below(60) }, () => randomCall(side.exchange.statements, below));
    const { frame, reply, reactions } = exchangeOf(side, calls, shapes, writer, below, ++epoch);
    reader.add(frame);
    for (const call of calls) compareOperation(reader.next(), call);
    expect(reader.next()).toBeNull();
    side.answer(reply);
    expect(side.broken).toBeNull();
    for (const [i, call] of calls.entries()) await compareOutcome(call, reactions[i]!);
    counted.whole += 2 * calls.length;
  }
  counted.tests++;
});

it("packets are on the other side what they were, with many rows and few, in both directions", {
  timeout: limit,
}, () => {
  const below = random(seed + 1);
  for (let left = times(150, 4000); left > 0; left--) {
    const columns = 1 + below(6);
    const made = rows([below(30), 257 + below(800), 2048][below(12) === 0 ? 2 : below(2)]!, columns, below);
    const transfer: ArrayBuffer[] = [];
    const copy = made.map((row) => row.map((cell) => (cell instanceof Uint8Array ? cell.slice() : cell)));
    const packet = structuredClone(encodePacket(copy, columns, "auto", transfer), { transfer });
    expect(packetRows(packet)).toEqual(made.map((row) => row.map(asRead)));
    counted.whole++;
  }
  counted.tests++;
});

/** Reads a frame as the thread does. Gives what is wrong with that, or whether it was refused. */
function readFrame(frame: Frame): "refused" | "understood" {
  const reader = new FrameReader(idleExecutor());
  reader.add(frame);
  try {
    for (let steps = 0; ; steps++) {
      const operation = reader.next();
      if (operation === null) return "understood";
      if (steps > frame.length) throw new Error("there is no end of operations");
      const batch: unknown = operation.code === Op.MANY ? operation.fields[2] : null;
      if (Array.isArray(batch) && typeof batch[0] === "number") {
        const read = packetRows(batch as Packet);
        if (!read.every((row) => row.every(isValue))) throw new Error("a row holds what is no value");
      }
    }
  } catch (error) {
    if (!isMalformed(error)) throw error;
    return "refused";
  }
}

async function readReply(
  side: Side,
  calls: readonly Call[],
  reply: unknown,
): Promise<"refused" | "understood"> {
  side.answer(reply as Reply);
  if (side.broken !== null) {
    if (!isMalformed(side.broken)) throw side.broken;
    // No call is left waiting.
    expect(calls.every((call) => call.settled)).toBe(true);
    return "refused";
  }
  for (const call of calls) {
    if (!call.settled) continue;
    const outcome = await call.promise.catch((reason: unknown) => reason);
    if (outcome !== call) {
      if (outcome !== interrupted && !(outcome instanceof FaultReason)) throw outcome;
      continue;
    }
    for (const row of call.rows as (SqlValue[] | Record<string, SqlValue>)[]) {
      if (!Object.values(row).every(isValue)) throw new Error("a row holds what is no value");
    }
    expect(typeof call.changes).toBe("number");
    expect(["number", "bigint"]).toContain(typeof call.lastInsertRowid);
  }
  side.exchange.stop(() => interrupted);
  return "understood";
}

it(`${MUTATED} frames and replies that were changed or are noise are refused as such, or read as what they say`, {
  timeout: limit,
}, async () => {
  const below = random(seed + 2);
  let longest = 0;
  for (let made = 0; made < MUTATED; made += 2) {
    if (made % 500 === 0) await turn();
    const side = new Side();
    const calls = Array.from({ length: 1 + below(4) }, () => randomCall(side.exchange.statements, below));
    const { frame, reply } = exchangeOf(side, calls, new Map(), new ReplyWriter(), below, 1);
    const noise = below(20) === 0;
    let changed: unknown[] = noise ? Array.from({ length: below(12) }, () => garbage(below)) : frame;
    if (!noise) mutate(changed, below);
    const began = performance.now();
    counted[readFrame(changed)]++;
    changed = noise ? Array.from({ length: below(12) }, () => garbage(below)) : reply;
    if (!noise) mutate(changed, below);
    counted[await readReply(side, calls, below(200) === 0 ? garbage(below) : changed)]++;
    longest = Math.max(longest, performance.now() - began);
  }
  // A message that makes one side work for long would be as bad as one that it does not understand.
  expect(longest).toBeLessThan(5000 * timeFactor());
  expect(counted.refused).toBeGreaterThan(MUTATED / 10);
  expect(counted.understood).toBeGreaterThan(MUTATED / 50);
  counted.tests++;
});

it("calls and answers keep their partners on their way through the endpoints, beside messages that are none", {
  timeout: limit,
}, () => {
  const below = random(seed + 3);
  let toThread!: (message: unknown) => void;
  let toMain!: (message: unknown) => void;
  const caller = callerEndpoint({
    postMessage: (message) => toThread(structuredClone(message)),
    on: (_, listener) => (toMain = listener),
  });
  const server = serverEndpoint(
    {
      postMessage: (message) => toMain(structuredClone(message)),
      on: (_, listener) => (toThread = listener),
    },
    () => {},
  );
  interface Message {
    id: string | number;
    type: string;
    path?: string[];
    argumentList?: { value: unknown }[];
    value?: unknown;
    name?: string;
  }
  const atThread: Message[] = [];
  const atMain = new Map<unknown, Message>();
  const taken = (event: { data: Message }): void => void atThread.push(event.data);
  const heard = (event: { data: Message | null }): void => {
    if (event.data?.id !== undefined) atMain.set(event.data.id, event.data);
  };
  server.addEventListener("message", taken);
  const line = caller.line();
  line.addEventListener("message", heard);
  for (let id = 0; id < times(500, 20_000); id++) {
    const crowd = 1 + below(3);
    const sent = Array.from({ length: crowd }, (_, i) => {
      const path = below(4) === 0 ? ["open"] : ["run"];
      const message = {
        id: `id ${id} ${i}`,
        type: "APPLY",
        path,
        argumentList: [{ type: "RAW", value: [id, i, below(99)] }],
      };
      if (path[0] === "run") caller.post(message.argumentList[0]!.value, []);
      line.postMessage(message);
      return message;
    });
    if (below(5) === 0) for (const noise of [null, undefined, 7, "text", {}]) toMain(noise);
    for (const message of sent) {
      const received = atThread.shift()!;
      expect([received.path, received.argumentList]).toEqual([message.path, message.argumentList]);
      const fails = below(6) === 0;
      const value = { answers: message.argumentList[0]!.value };
      server.postMessage({
        id: received.id,
        type: fails ? "HANDLER" : "RAW",
        ...(fails ? { name: "throw" } : {}),
        value,
      });
      expect(atMain.get(message.id)).toEqual({
        id: message.id,
        type: fails ? "HANDLER" : "RAW",
        ...(fails ? { name: "throw" } : {}),
        value,
      });
    }
    counted.whole += crowd;
  }
  counted.tests++;
  line.removeEventListener("message", heard);
  server.removeEventListener("message", taken);
  const before = atMain.size;
  toMain({ id: "late", type: "RAW" });
  toMain([1, "late"]);
  toMain([1, new Error("late"), true]);
  server.deliver({ id: "late", type: "APPLY" });
  server.deliver([1, "late"]);
  expect([atMain.size, atThread.length]).toEqual([before, 0]);
});

afterAll(() => {
  if (counted.tests < 4) return;
  const { whole, refused, understood } = counted;
  figure(
    "wire",
    `${whole} messages the same on both sides; of ${refused + understood} changed ones ${refused} refused, ${understood} read as what they say, no crash, no hang`,
  );
});
