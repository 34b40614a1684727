import { Op } from "@sqlite-aio/worker/wire";
import { describe, expect, it } from "vitest";
import { Lane } from "../../dist/connection/lane.js";
import { Call } from "../../dist/thread/call.js";
import type { WorkerThread } from "../../dist/thread/worker-thread.js";

/** A lane over a thread that only notes what it is sent, by the name that each call was given. */
function root(): { lane: Lane; sent: unknown[] } {
  const sent: unknown[] = [];
  const channel = { send: ({ fields }: Call) => void sent.push(fields[0]) };
  return { lane: new Lane(channel as unknown as WorkerThread), sent };
}

function call(name: string, essential = false): Call {
  const made = new Call(Op.CALL, null, [name, [], 0], { essential });
  made.promise.catch(() => {});
  return made;
}

const over = (): Error => new RangeError("over");

async function reasonOf(given: Call): Promise<unknown> {
  const reason: unknown = await given.promise.then(
    () => "resolved",
    (error: unknown) => error,
  );
  return typeof reason === "object" && reason !== null && "make" in reason
    ? (reason.make as () => Error)()
    : reason;
}

describe("a lane", () => {
  it("sends at once while nobody has a lease, and keeps the order of calls and leases behind one", async () => {
    const { lane, sent } = root();
    lane.submit(call("a"));
    const first = await lane.lease();
    lane.submit(call("b"));
    const granted: string[] = [];
    const second = lane.lease().then((child) => {
      granted.push("second");
      return child;
    });
    lane.submit(call("c"));
    first.submit(call("inside"));
    expect(sent).toEqual(["a", "inside"]);
    expect(lane.waiting).toBe(3);
    first.end();
    expect(sent).toEqual(["a", "inside", "b"]);
    const child = await second;
    expect(granted).toEqual(["second"]);
    expect(sent).toEqual(["a", "inside", "b"]);
    child.end();
    expect(sent).toEqual(["a", "inside", "b", "c"]);
    expect(lane.waiting).toBe(0);
  });

  it("lets a call, or who waits for a lease, leave the queue, and those behind go on", async () => {
    const { lane, sent } = root();
    const child = await lane.lease();
    const leaving = call("leaving");
    lane.submit(leaving);
    let withdraw!: (reason: unknown) => void;
    const refused = lane.lease((way) => (withdraw = way)).catch((reason: unknown) => reason);
    lane.submit(call("behind"));
    expect(lane.withdraw(leaving)).toBe(true);
    expect(lane.withdraw(leaving)).toBe(false);
    withdraw("enough");
    withdraw("too late");
    expect(await refused).toBe("enough");
    child.end();
    expect(sent).toEqual(["behind"]);
  });

  it("refuses with its reason what waits at its end, what comes later, and what is further down", async () => {
    const { lane, sent } = root();
    const child = await lane.lease();
    const grandchild = await child.lease();
    const [waiting, deeper] = [call("waiting"), call("deeper")];
    child.submit(waiting);
    grandchild.submit(deeper);
    lane.end(over);
    expect(await reasonOf(waiting)).toEqual(new RangeError("over"));
    for (const ended of [lane, child, grandchild]) {
      expect(ended.ended).toBe(true);
      expect(() => ended.submit(call("late"))).toThrow(new RangeError("over"));
      await expect(ended.lease()).rejects.toEqual(new RangeError("over"));
    }
    expect(sent).toEqual(["deeper"]);
  });

  it("cancels what waits, here and further down, but not what must run", async () => {
    const { lane, sent } = root();
    const child = await lane.lease();
    await child.lease();
    const [here, below, commit] = [call("here"), call("below"), call("commit", true)];
    lane.submit(here);
    child.submit(below);
    child.submit(commit);
    lane.cancelWaiting(over);
    expect(await reasonOf(here)).toEqual(new RangeError("over"));
    expect(await reasonOf(below)).toEqual(new RangeError("over"));
    expect(child.waiting).toBe(1);
    child.abandon(() => new RangeError("abandoned"));
    expect(await reasonOf(commit)).toEqual(new RangeError("abandoned"));
    expect(sent).toEqual([]);
  });

  it("refuses a call that would wait for the callback that it comes from, through promises and further down", async () => {
    const { lane } = root();
    const child = await lane.lease();
    await child.run(async () => {
      await Promise.resolve();
      expect(lane.enclosesCaller).toBe(true);
      expect(() => lane.submit(call("outer"))).toThrow(/would wait for itself/);
      await expect(lane.lease()).rejects.toThrow(/would wait for itself/);
      const inner = await child.lease();
      await inner.run(async () => {
        expect(() => child.submit(call("middle"))).toThrow(/would wait for itself/);
        expect(() => lane.submit(call("outermost"))).toThrow(/would wait for itself/);
      });
      inner.end();
    });
    expect(lane.enclosesCaller).toBe(false);
    lane.submit(call("from elsewhere"));
    expect(lane.waiting).toBe(1);
  });

  it("lets what a callback has started call on when the callback is over", async () => {
    const { lane, sent } = root();
    const child = await lane.lease();
    let goOn!: () => void;
    const started = child.run(async () => {
      await new Promise<void>((resolve) => (goOn = resolve));
      lane.submit(call("later"));
    });
    child.end();
    goOn();
    await started;
    expect(sent).toEqual(["later"]);
  });
});
