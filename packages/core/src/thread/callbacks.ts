import { types } from "node:util";
import type { MessagePort } from "node:worker_threads";
import { announceReply, type Control, messageOf, type Source, type SqlValue } from "@sqlite-aio/worker/wire";
import { type Bindable, bindValue } from "../values/bind.js";
import { held, onTurn } from "./event-loop.js";
import { isInstance } from "../errors/is-instance.js";

/** Maximum number of thrown values that wait for their fault. If SQLite swallows an error, its fault never comes. */
const MAX_THROWN = 100;

type Request = [number: number, args: unknown[]];
type Closure = (...args: never[]) => unknown;
type Reply = { ok: true; value: SqlValue } | { ok: false; error: number; message: string; summary?: string };

/** Thrown by a closure that has its own message for SQLite. */
export class CallbackFailure extends Error {
  readonly summary: string;

  constructor(summary: string, cause: unknown) {
    super(summary, { cause });
    this.summary = summary;
  }
}

/** Functions on this side that the thread calls and waits for. */
export class Callbacks {
  readonly #port: MessagePort;
  readonly #control: Control;
  readonly #closures = new Map<number, Closure>();
  /** Closures by their use: those that outlast the handle, and those that do not. */
  readonly #lasting = new Map<string, number>();
  readonly #ofHandle = new Map<string, number>();
  readonly #thrown = new Map<number, unknown>();
  #lastNumber = 0;
  #lastThrown = 0;

  constructor(port: MessagePort, control: Control) {
    this.#port = port;
    this.#control = control;
    port.on("message", (message) => {
      if (held()) onTurn(() => this.#next(message as Request));
      else this.#answer(message as Request);
    });
    // While the thread waits for an answer, a call is pending, which keeps the process alive.
    port.unref();
  }

  add(closure: Closure): number {
    this.#closures.set(++this.#lastNumber, closure);
    return this.#lastNumber;
  }

  /** Registers a closure under a number that both sides know. */
  answers(number: number, closure: Closure): void {
    this.#closures.set(number, closure);
  }

  delete(number: number | undefined): void {
    if (number !== undefined) this.#closures.delete(number);
  }

  /** Removes the closure of a definition that failed. */
  forget(source: Source | null): void {
    if (source !== null && "closure" in source) this.delete(source.closure);
  }

  /**
   * From now on the thread calls closure `number` for `use`, or none; the previous closure is removed. A closure that
   * is not `lasting` belongs to the present handle. After that handle the lasting closure is used again.
   */
  inUse(use: string, number: number | undefined, lasting: boolean): void {
    this.#replace(this.#ofHandle, use, lasting ? undefined : number);
    if (lasting) this.#replace(this.#lasting, use, number);
  }

  /** Call it when the thread has a new handle. */
  reopened(): void {
    for (const use of this.#ofHandle.keys()) this.#replace(this.#ofHandle, use, undefined);
  }

  #replace(uses: Map<string, number>, use: string, number: number | undefined): void {
    this.delete(uses.get(use));
    if (number === undefined) uses.delete(use);
    else uses.set(use, number);
  }

  takeThrown(number: number | undefined): unknown {
    if (number === undefined) return undefined;
    const thrown = this.#thrown.get(number);
    this.#thrown.delete(number);
    return thrown;
  }

  close(): void {
    this.#port.close();
    this.#closures.clear();
    this.#thrown.clear();
  }

  /** Answers in a new turn of the loop, and counts its time towards that turn. */
  #next(request: Request): void {
    held();
    this.#answer(request);
  }

  #answer([number, args]: Request): void {
    let reply: Reply;
    try {
      // A missing closure throws as well, because undefined is no function. So the thread never waits in vain.
      const closure = this.#closures.get(number) as Closure;
      reply = { ok: true, value: bindResult(closure(...(args.map(adoptBlob) as never[]))) };
    } catch (error) {
      reply = isInstance(error, CallbackFailure)
        ? { ...this.#failed(error.cause), summary: error.summary }
        : this.#failed(error);
    }
    this.#port.postMessage(reply);
    announceReply(this.#control);
  }

  #failed(error: unknown): { ok: false; error: number; message: string } {
    return { ok: false, error: this.#keep(error), message: messageOf(error) };
  }

  #keep(error: unknown): number {
    if (this.#thrown.size >= MAX_THROWN) {
      for (const oldest of this.#thrown.keys()) {
        this.#thrown.delete(oldest);
        break;
      }
    }
    this.#thrown.set(++this.#lastThrown, error);
    return this.#lastThrown;
  }
}

/** Converts a closure's result to a SQL value. */
export function bindResult(value: unknown): SqlValue {
  if (types.isPromise(value)) throw refused(value);
  return bindValue(value as Bindable, "returned by a SQL function");
}

/** The error for a closure that returns a promise: the thread cannot wait for it. */
export function refused(promise: Promise<unknown>): TypeError {
  promise.catch(() => {});
  return new TypeError("a SQL function must return a value, not a promise");
}

/** Turns a Uint8Array into a Buffer, which structured clone does not keep. */
export function adoptBlob(arg: unknown): unknown {
  return types.isUint8Array(arg) ? Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength) : arg;
}
