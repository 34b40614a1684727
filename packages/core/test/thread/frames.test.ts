import { setImmediate as nextTurn } from "node:timers/promises";
import { AdaptiveSpin, Answer, createControl, Op, openControl } from "@sqlite-aio/worker/wire";
import type { Reply } from "@sqlite-aio/worker/wire";
import { expect, it } from "vitest";
import { Call } from "../../dist/thread/call.js";
import { Pipeline } from "../../dist/thread/pipeline.js";

/** A pipeline whose frames are cloned as they would be posted, and collected. `answer` answers the oldest. */
function pipeline(answers: "at once" | "when told" = "at once"): {
  pipe: Pipeline;
  frames: unknown[][];
  broken: Error[];
  held: () => number;
  answer: () => Promise<void>;
} {
  const frames: unknown[][] = [];
  const broken: Error[] = [];
  const waiting: (() => void)[] = [];
  let held = 0;
  const host = {
    control: openControl(createControl()),
    closures: null as never,
    run: (frame: unknown[]) => {
      frames.push(structuredClone(frame));
      const reply = [0, 0, 0, ...frame.filter(Array.isArray).flatMap(() => [Answer.VALUE, null])] as Reply;
      if (answers === "at once") return Promise.resolve(reply);
      return new Promise<Reply>((resolve) => waiting.push(() => resolve(reply)));
    },
    mailbox: { look: () => false, looking: false },
    spin: new AdaptiveSpin(),
    hold: () => void held++,
    unhold: () => void held--,
    broken: (error: Error) => void broken.push(error),
  };
  const answer = async (): Promise<void> => {
    waiting.shift()!();
    await nextTurn();
  };
  return { pipe: new Pipeline(host, 10), frames, broken, held: () => held, answer };
}

const method = (...args: unknown[]): Call => new Call(Op.CALL, null, ["x", args, 0]);

it("a call that cannot be posted rejects alone; its neighbours are sent in their order, each once", async () => {
  const { pipe, frames, broken, held } = pipeline();
  const calls = Array.from({ length: 9 }, (_, i) => method(i === 4 ? () => i : i));
  pipe.release(77);
  for (const call of calls) pipe.send(call);
  const endings = await Promise.allSettled(calls.map((call) => call.promise));
  expect(endings.map((ending) => ending.status)).toEqual([
    ...Array.from({ length: 4 }, () => "fulfilled"),
    "rejected",
    ...Array.from({ length: 4 }, () => "fulfilled"),
  ]);
  const error = (endings[4] as PromiseRejectedResult).reason.make() as Error;
  expect(error).toMatchObject({ name: "ProgrammingError", cause: { name: "DataCloneError" } });
  expect(error.message).toMatch(/^the call cannot be sent to the connection's thread: /);
  const sent = frames.flat();
  expect(sent.slice(0, 2)).toEqual([Op.RELEASE, 77]);
  expect(sent.filter((part) => part === Op.RELEASE).length).toBe(1);
  expect(sent.filter(Array.isArray).map((args) => args[0])).toEqual([0, 1, 2, 3, 5, 6, 7, 8]);
  // The numbers of those that were sent have no gap: the thread counts them by itself.
  expect(calls.map((call) => call.sequence)).toEqual([1, 2, 3, 4, 0, 5, 6, 7, 8]);
  expect(broken).toEqual([]);
  expect(held()).toBe(0);
});

it("a statement's text is told with the first call that is really sent", async () => {
  const { pipe, frames } = pipeline();
  const statement = pipe.statements.get("SELECT 1");
  const bad = new Call(Op.QUERY, statement, [0, 0, 0, -1, 1, [() => {}]]);
  const good = new Call(Op.QUERY, statement, [0, 0, 0, -1, 1, []]);
  bad.promise.catch(() => {});
  pipe.send(bad);
  pipe.send(good);
  await good.promise;
  expect(frames).toEqual([
    [Op.DEFINE, statement.id, "SELECT 1", null, Op.QUERY, statement.id, 0, 0, 0, -1, 1, []],
  ]);
});

it("a call that is withdrawn before it is sent is not sent, and keeps nothing alive", async () => {
  const { pipe, frames, held } = pipeline();
  const [withdrawn, other] = [method(1), method(2)];
  pipe.send(withdrawn);
  pipe.send(other);
  expect(held()).toBe(2);
  pipe.withdraw(withdrawn);
  expect(held()).toBe(1);
  await other.promise;
  expect(held()).toBe(0);
  expect(frames.map((frame) => frame.filter(Array.isArray))).toEqual([[[2]]]);
  // It has been sent, and is nothing to withdraw any more.
  pipe.withdraw(other);
  expect(held()).toBe(0);
});

it("callers that were answered share a frame with those that wait, as long as the thread has another", async () => {
  const { pipe, frames, answer } = pipeline("when told");
  const args = (): unknown[] =>
    frames.map((frame) => frame.filter(Array.isArray).map(([arg]) => arg as unknown));
  const caller = async (name: string): Promise<void> => {
    for (let i = 1; i <= 2; i++) {
      const call = method(`${name}${i}`);
      pipe.send(call);
      await call.promise;
    }
  };
  const callers: Promise<void>[] = [];
  for (const name of ["a", "b", "c"]) {
    callers.push(caller(name));
    await nextTurn();
  }
  // Two frames are under way, and the third caller waits.
  expect(args()).toEqual([["a1"], ["b1"]]);
  await answer();
  expect(args()).toEqual([["a1"], ["b1"], ["c1", "a2"]]);
  await answer();
  expect(args().at(-1)).toEqual(["b2"]);
  await answer();
  await answer();
  expect(args().at(-1)).toEqual(["c2"]);
  await answer();
  await Promise.all(callers);
});
