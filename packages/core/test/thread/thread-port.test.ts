import { setImmediate as turn } from "node:timers/promises";
import { MessageChannel } from "node:worker_threads";
import { AnswerSlot, createAnswerSlot, createControl, openControl } from "@sqlite-aio/worker/wire";
import { afterEach, expect, it } from "vitest";
import { ThreadPort } from "../../dist/thread/thread-port.js";
import { AnswerPort } from "../../../worker/dist/loop/answer-port.js";
import { random } from "../support/random.ts";

const open: { close(): void }[] = [];

afterEach(() => {
  for (const port of open.splice(0)) port.close();
});

/** Both sides of the answers' way, in one thread. `posted` is what has come by the port, hints included. */
function sides(): { main: ThreadPort; thread: AnswerPort; got: unknown[]; posted: unknown[] } {
  const { port1, port2 } = new MessageChannel();
  open.push(port1);
  const control = openControl(createControl());
  const memory = createAnswerSlot();
  const [got, posted]: [unknown[], unknown[]] = [[], []];
  const main = new ThreadPort(null as never, port1, control, new AnswerSlot(memory));
  main.on("message", (message) => got.push(message));
  const spied = { postMessage: (message: unknown) => (posted.push(message), port2.postMessage(message)) };
  return { main, thread: new AnswerPort(spied as never, control, memory), got, posted };
}

it("a small answer comes by the slot while it is looked for, and by the port otherwise", async () => {
  const { main, thread, got, posted } = sides();
  main.looking = true;
  thread.postMessage([1, [0, "by the slot"]]);
  expect(posted).toEqual([]);
  expect([main.look(), main.look()]).toEqual([true, false]);
  main.looking = false;
  thread.postMessage([2, [0, "by the port"]]);
  expect(posted).toEqual([[2, [0, "by the port"]]]);
  while (got.length < 2) await turn();
  expect(got).toEqual([
    [1, [0, "by the slot"]],
    [2, [0, "by the port"]],
  ]);
});

it("an error and what is no answer to a frame come by the port", () => {
  const { main, thread, got, posted } = sides();
  main.looking = true;
  const messages = [[1, "error", true], { id: "call 1", type: "RAW", value: 1 }, [2, [0, { a: 1 }]]];
  for (const message of messages) thread.postMessage(message);
  expect(posted).toEqual(messages);
  while (main.look());
  expect(got).toEqual(messages);
});

it("who stops to look gets what is in the slot, and what has come behind it", async () => {
  const { main, thread, got, posted } = sides();
  main.looking = true;
  thread.postMessage([1, [1]]);
  main.looking = false;
  for (let i = 0; i < 10; i++) await turn();
  expect(got).toEqual([[1, [1]]]);
  main.looking = true;
  thread.postMessage([2, [2]]);
  // The slot is taken.
  thread.postMessage([3, [3]]);
  expect(posted).toEqual([[3, [3]]]);
  main.looking = false;
  while (got.length < 3) await turn();
  expect(got.slice(1)).toEqual([
    [2, [2]],
    [3, [3]],
  ]);
});

/** An answer while whose storing the main side stops to look. */
function stopping(main: ThreadPort, value: number): unknown[] {
  return Object.defineProperty([0, value], 1, {
    get: () => {
      main.looking = false;
      return value;
    },
  });
}

it("an answer that is stored while the main side stops to look is hinted at", async () => {
  const { main, thread, got, posted } = sides();
  main.looking = true;
  thread.postMessage([1, stopping(main, 1)]);
  expect(posted).toEqual([null]);
  expect(got).toEqual([]);
  while (got.length === 0) await turn();
  expect(got).toEqual([[1, [0, 1]]]);
});

it("a hint that comes too late counts as nothing", () => {
  const { main, thread, got } = sides();
  main.looking = true;
  thread.postMessage([1, stopping(main, 1)]);
  main.looking = true;
  expect(main.look()).toBe(true);
  thread.postMessage([2, [new Uint8Array(1)]]);
  expect([main.look(), main.look()]).toEqual([true, false]);
  expect(got).toEqual([
    [1, [0, 1]],
    [2, [new Uint8Array(1)]],
  ]);
});

it("answers of a thread that has ended are all delivered, those of the slot in their place", () => {
  const { main, thread, got } = sides();
  thread.postMessage([1, [1]]);
  main.looking = true;
  thread.postMessage([2, [2]]);
  thread.postMessage([3, [new Uint8Array(1)]]);
  main.drain();
  expect(got).toEqual([
    [1, [1]],
    [2, [2]],
    [3, [new Uint8Array(1)]],
  ]);
});

it("answers come in their order, each once, however they are looked for", async () => {
  const { main, thread, got } = sides();
  const next = random(20_261_129);
  const COUNT = 3000;
  for (let id = 1; id <= COUNT; ) {
    for (let many = next(4); many > 0 && id <= COUNT; many--, id++)
      thread.postMessage([id, next(10) < 3 ? [new Uint8Array(2)] : [id, "text"]]);
    const chance = next(100);
    if (chance < 25) main.looking = true;
    else if (chance < 50) main.looking = false;
    else if (chance < 80) main.look();
    else await turn();
  }
  main.looking = false;
  while (got.length < COUNT) await turn();
  await turn();
  expect(got.map((message) => (message as [number])[0])).toEqual(
    Array.from({ length: COUNT }, (_, i) => i + 1),
  );
});
