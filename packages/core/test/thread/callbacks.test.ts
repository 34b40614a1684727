import { once } from "node:events";
import { MessageChannel } from "node:worker_threads";
import { createControl, openControl } from "@sqlite-aio/worker/wire";
import { expect, it, onTestFinished } from "vitest";
import { Callbacks } from "../../dist/thread/callbacks.js";

/** Callbacks, and the thread's end of their port. */
function pair(): { callbacks: Callbacks; ask(number: number): Promise<{ error: number }> } {
  const { port1, port2 } = new MessageChannel();
  const callbacks = new Callbacks(port1, openControl(createControl()));
  onTestFinished(() => callbacks.close());
  return {
    callbacks,
    ask: async (number) => {
      port2.postMessage([number, []]);
      const [reply] = (await once(port2, "message")) as [{ error: number }];
      return reply;
    },
  };
}

it("of what closures threw, and nobody takes, the last hundred are kept", async () => {
  const { callbacks, ask } = pair();
  let thrown = 0;
  const thrower = callbacks.add(() => {
    throw new Error(String(++thrown));
  });
  const errors: number[] = [];
  for (let i = 0; i < 250; i++) errors.push((await ask(thrower)).error);
  const kept = errors.map((number) => callbacks.takeThrown(number) as Error | undefined);
  const expected = Array.from({ length: 250 }, (_, i) => (i < 150 ? undefined : String(i + 1)));
  expect(kept.map((error) => error?.message)).toEqual(expected);
});

it("what a closure threw is given once", async () => {
  const { callbacks, ask } = pair();
  const reason = new Error("no");
  const thrower = callbacks.add(() => {
    throw reason;
  });
  const { error } = await ask(thrower);
  expect(callbacks.takeThrown(error)).toBe(reason);
  expect(callbacks.takeThrown(error)).toBeUndefined();
});

it("a closure whose definition came to nothing cannot be called any more", async () => {
  const { callbacks, ask } = pair();
  const closure = callbacks.add(() => 1);
  expect(await ask(closure)).toEqual({ ok: true, value: 1 });
  callbacks.forget({ closure });
  expect(await ask(closure)).toMatchObject({ ok: false });
});
